"""Tasks: facts merge, the status follows the executions, figures are summed up; the same on both databases."""

from datetime import UTC, datetime
from decimal import Decimal

import anyio
import pytest
from batches import (
    LATER,
    LATEST,
    MOMENT,
    Lane,
    commit,
    defect,
    logged,
    metric,
    open_patiently,
    write_patiently,
)

from asp_telemetry.records import TaskMetadata
from asp_telemetry.writer.batch import Change

WRITERS = 8


def moment(text):
    """Return UTC text as a moment."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def test_facts_merge_within_a_batch(store, database):
    """Of several facts about a task in one batch the latest wins, and none that is missing erases one that is known."""
    lane = Lane()
    await commit(
        store, lane,
        lane.task("T-1", LATER, task_type="login", estimated_complexity=18, metadata='{"a":1,"b":{"c":1}}'),
        lane.task("T-1", MOMENT, task_type="old", project_id="P", bootstrap_phase="Learning", metadata='{"a":0,"d":4}'),
        lane.task("T-1", LATEST, status="in_progress", actual_complexity=21, metadata='{"b":{"e":2},"d":null}'),
        lane.task("T-2"),
    )  # fmt: skip
    found, other = await database.records(TaskMetadata)
    assert (found.task_type, found.project_id, found.status) == ("login", "P", "in_progress")
    assert (found.estimated_complexity, found.actual_complexity, found.bootstrap_phase) == (
        18,
        21,
        "Learning",
    )
    assert found.metadata == {"a": 1, "b": {"c": 1, "e": 2}}
    assert (found.created_at, found.updated_at) == (moment(MOMENT), moment(LATEST))
    assert (other.status, other.human_reviewed, other.metadata, other.defect_count) == (
        "pending",
        False,
        None,
        0,
    )


async def test_facts_merge_between_batches(store, database):
    """Facts that arrive in later batches, in any order, merge with what is known."""
    lane = Lane()
    await commit(
        store, lane, lane.task("T-1", LATER, task_type="login", human_reviewed=1, metadata='{"a":1}')
    )
    await commit(
        store, lane,
        lane.task("T-1", MOMENT, project_id="P", semantic_units_json='[{"unit":"x"}]', metadata='{"b":[1,2]}'),
        lane.task("T-0", LATER, components_affected='["src/a.py"]', human_corrections_json='["fixed"]'),
    )  # fmt: skip
    await commit(store, lane, lane.task("T-1", LATEST, human_reviewed=0, metadata='{"a":null}'))
    first, second = await database.records(TaskMetadata)
    assert (first.components_affected, first.human_corrections_json) == (("src/a.py",), ["fixed"])
    assert (second.task_type, second.project_id, second.human_reviewed) == ("login", "P", False)
    assert (second.semantic_units_json, second.metadata) == ([{"unit": "x"}], {"b": [1, 2]})
    assert second.created_at == moment(MOMENT)
    assert second.updated_at >= moment(LATEST)


async def test_metadata_of_a_new_task_has_no_nulls(store, database):
    """A member of metadata that is set to null is not there, whether the task is new or known."""
    lane = Lane()
    await commit(store, lane, lane.task("T-1", metadata='{"a":null,"b":1}'))
    assert (await database.only(TaskMetadata)).metadata == {"b": 1}


async def test_the_status_follows_the_executions(store, database):
    """A task runs while one of its executions does, and is then as the last of them ended; its times span them all."""
    lane = Lane()
    first = lane.run(
        "T-1", started_at="2026-11-20 08:00:00.000000", completed_at="2026-11-20 09:00:00.000000"
    )
    await commit(store, lane, lane.task("T-1"), first)
    done = await database.only(TaskMetadata)
    assert (done.status, done.metadata) == ("completed", None)
    failed = lane.run(
        "T-1", status="timeout", success=0, error_type="TimeoutError", started_at="2026-11-20 07:00:00.000000",
        completed_at="2026-11-20 10:00:00.000000",
    )  # fmt: skip
    await commit(store, lane, failed)
    found = await database.only(TaskMetadata)
    assert (found.status, found.metadata) == ("failed", {"failure": "timeout: TimeoutError"})
    assert (found.started_at, found.completed_at) == (
        moment("2026-11-20 07:00:00.000000"),
        moment("2026-11-20 10:00:00.000000"),
    )
    await commit(store, lane, lane.task("T-1", metadata='{"kept":1}'), lane.run("T-1", completed_at=LATEST))
    mended = await database.only(TaskMetadata)
    assert (mended.status, mended.metadata) == ("completed", {"kept": 1})


async def test_figures_are_summed_up_when_a_task_is_finished(store, database):
    """A finished task has the sums of its metrics, to the last digit, its defects and their density."""
    lane = Lane()
    await commit(
        store, lane,
        lane.task("T-1", estimated_complexity=8),
        lane.insert(
            metric("API_Cost", "0.00003"), metric("API_Cost", "0.1"), metric("Tokens_In", "1200", "tokens"),
            metric("Tokens_Out", "34", "tokens"), metric("Tokens_Cache_Read", "1000", "tokens"),
            metric("Latency", "1.5", "ms"), metric("Latency", "0.25", "ms", nested=1),
            metric("API_Cost", "7", task_id="T-2"),
            task_id="T-1",
        ),
        lane.entry(Change.DEFECT, logged("D-1"), task_id="T-1"),
        lane.entry(Change.DEFECT, logged("D-2", false_positive=1), task_id="T-1"),
    )  # fmt: skip
    running = await database.only(TaskMetadata)
    assert running.actual_cost_vector_json is None
    await commit(store, lane, lane.run("T-1", metric("Latency", "2", "ms")))
    found = await database.only(TaskMetadata)
    assert found.actual_cost_vector_json == {"latency_ms": 3.5, "tokens": 1234, "api_cost_usd": 0.10003}
    assert (found.defect_count, found.defect_density) == (1, Decimal("0.125"))


async def test_what_comes_after_the_end_is_summed_up_too(store, database):
    """Metrics, defects and their resolution that arrive after a task has ended change its figures."""
    lane = Lane()
    await commit(store, lane, lane.task("T-1", actual_complexity=4), lane.run("T-1"))
    empty = await database.only(TaskMetadata)
    assert empty.actual_cost_vector_json == {"latency_ms": None, "tokens": None, "api_cost_usd": None}
    await commit(
        store, lane, lane.insert(metric("API_Cost", "0.2"), task_id="T-1"),
        lane.entry(Change.DEFECT, logged("D-1"), task_id="T-1"), lane.entry(Change.DEFECT, logged("D-2"), task_id="T-1"),
    )  # fmt: skip
    found = await database.only(TaskMetadata)
    assert found.actual_cost_vector_json["api_cost_usd"] == 0.2
    assert (found.defect_count, found.defect_density) == (2, Decimal("0.5"))
    await commit(store, lane, lane.entry(Change.RESOLVE_DEFECT, defect("D-1", LATER, false_positive=1)))
    assert (await database.only(TaskMetadata)).defect_count == 1


async def test_metrics_alone_make_no_task(store, database):
    """Metrics that name a task which nobody described leave no row of it."""
    lane = Lane()
    await commit(store, lane, lane.insert(metric(task_id="T-7"), task_id="T-7"))
    assert await database.records(TaskMetadata) == []


@pytest.mark.timeout(300)
async def test_many_writers_finish_one_task(database):
    """Writers that add to and finish the same tasks at once lose nothing of the sums, and none waits in a circle."""
    rounds, tasks = 6, [f"T-{number}" for number in range(5)]

    async def write(number):
        own = database.new_store()
        await open_patiently(own)
        lane = Lane()
        try:
            for turn in range(rounds):
                order = tasks[number % 5 :] + tasks[: number % 5]
                entries = [
                    lane.insert(metric("API_Cost", "0.01", task_id=task), task_id=task) for task in order
                ]
                if turn == rounds - 1 or number % 2:
                    entries += [
                        lane.task(task, metadata=f'{{"writer-{number}":{turn}}}') for task in order[::-1]
                    ]
                    entries += [
                        lane.run(task, metric("Tokens_In", "3", "tokens", task_id=task)) for task in order
                    ]
                entries += [
                    lane.entry(Change.DEFECT, logged(f"D-{number}-{turn}-{task}", task_id=task), task_id=task)
                    for task in order
                ]
                await write_patiently(own, lane, entries)
        finally:
            await own.close()

    async with anyio.create_task_group() as group:
        for number in range(WRITERS):
            group.start_soon(write, number)
    runs = sum(rounds if number % 2 else 1 for number in range(WRITERS))
    for found in await database.records(TaskMetadata):
        assert found.actual_cost_vector_json["api_cost_usd"] == pytest.approx(
            0.01 * WRITERS * rounds, abs=1e-9
        )
        assert found.actual_cost_vector_json["tokens"] == 3 * runs
        assert found.defect_count == WRITERS * rounds
        assert found.metadata == {f"writer-{number}": rounds - 1 for number in range(WRITERS)}
        assert found.status == "completed"


async def test_metrics_that_meet_the_birth_of_a_task(database):
    """A task that is made and finished while others add to it, in transactions of their own, has all of its sums."""
    rounds = 25
    adder, maker = database.new_store(), database.new_store()
    await open_patiently(adder)
    await open_patiently(maker)
    added, made = Lane(), Lane()

    async def add(task):
        await write_patiently(
            adder, added, [added.insert(metric("API_Cost", "0.01", task_id=task), task_id=task)]
        )

    async def make(task):
        await write_patiently(
            maker, made, [made.task(task), made.run(task, metric("API_Cost", "0.02", task_id=task))]
        )

    for turn in range(rounds):
        async with anyio.create_task_group() as group:
            group.start_soon(add, f"T-{turn}")
            group.start_soon(make, f"T-{turn}")
    await adder.close()
    await maker.close()
    sums = [found.actual_cost_vector_json["api_cost_usd"] for found in await database.records(TaskMetadata)]
    assert sums == [0.03] * rounds
