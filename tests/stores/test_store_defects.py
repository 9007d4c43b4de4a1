"""Defects: logged, resolved and fixed, in whatever order the records arrive; the same on both databases."""

from datetime import UTC, datetime

import anyio
from batches import (
    LATER,
    LATEST,
    MOMENT,
    Lane,
    commit,
    defect,
    logged,
    metric,
    new_id,
    open_patiently,
    trace,
    write_patiently,
)

from asp_telemetry.records import DefectLog
from asp_telemetry.writer.batch import Change


def moment(text):
    """Return UTC text as a moment."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def test_a_defect_comes_back_as_it_was(store, database):
    """Every column of a defect keeps its value."""
    correlation_id = new_id()
    facts = logged(
        "D-1", project_id="P", user_id="ana", correlation_id=correlation_id, severity="High",
        component_path="src/a.py", function_name="f", line_number=12, effort_to_fix_json='{"tokens":5}',
        root_cause="haste", resolution_notes="none", flagged_by_agent=1, metadata='{"a":1}',
    )  # fmt: skip
    await commit(store, lane := Lane(), lane.entry(Change.DEFECT, facts, task_id="T-1"))
    found = await database.only(DefectLog)
    assert (found.defect_id, found.created_at, found.resolved_at) == ("D-1", moment(MOMENT), None)
    assert (found.task_id, found.project_id, found.user_id) == ("T-1", "P", "ana")
    assert str(found.correlation_id) == correlation_id
    assert (found.defect_type, found.severity) == ("4_Hallucination", "High")
    assert (found.phase_injected, found.phase_removed) == ("Code", "Test")
    assert (found.component_path, found.function_name, found.line_number) == ("src/a.py", "f", 12)
    assert (found.effort_to_fix_json, found.metadata) == ({"tokens": 5}, {"a": 1})
    assert (found.description, found.root_cause, found.resolution_notes) == (
        "invented a function",
        "haste",
        "none",
    )
    assert (found.flagged_by_agent, found.validated_by_human, found.false_positive) == (True, False, False)


async def test_a_resolution_adds_to_its_defect(store, database):
    """Resolving says when, and adds what was found out; what is not said stays."""
    lane = Lane()
    await commit(
        store, lane, lane.entry(Change.DEFECT, logged("D-1", LATER, metadata='{"a":1}'), task_id="T-1")
    )
    for facts in (
        defect("D-1", MOMENT, root_cause="haste", metadata='{"b":2}'),
        defect("D-1", LATEST, validated_by_human=1, resolution_notes="fixed", metadata='{"a":null}'),
    ):
        await commit(store, lane, lane.entry(Change.RESOLVE_DEFECT, facts))
    found = await database.only(DefectLog)
    assert (found.root_cause, found.resolution_notes, found.validated_by_human) == ("haste", "fixed", True)
    assert (found.resolved_at, found.metadata) == (moment(LATEST), {"b": 2})


async def test_a_clock_that_is_behind_resolves_no_earlier_than_the_defect_was_logged(store, database):
    """A resolution from a machine whose clock is behind counts as made when the defect was logged."""
    lane = Lane()
    await commit(store, lane, lane.entry(Change.DEFECT, logged("D-1", LATER), task_id="T-1"))
    await commit(store, lane, lane.entry(Change.RESOLVE_DEFECT, defect("D-1", MOMENT)))
    assert (await database.only(DefectLog)).resolved_at == moment(LATER)


async def test_a_resolution_may_come_first(store, database):
    """What is found out before a defect arrives is kept, and wins over what the defect itself said."""
    lane = Lane()
    early = defect("D-1", LATER, root_cause="haste", false_positive=1, metadata='{"a":"found","c":3}')
    await commit(store, lane, lane.entry(Change.RESOLVE_DEFECT, early))
    waiting = await database.only(DefectLog)
    assert (waiting.task_id, waiting.defect_type) == ("unknown", "unknown")
    late = logged("D-1", MOMENT, root_cause="unknown", severity="Low", metadata='{"a":"logged","b":2}')
    await commit(store, lane, lane.entry(Change.DEFECT, late, task_id="T-1"))
    found = await database.only(DefectLog)
    assert (found.task_id, found.defect_type, found.severity) == ("T-1", "4_Hallucination", "Low")
    assert (found.root_cause, found.false_positive) == ("haste", True)
    assert (found.created_at, found.resolved_at) == (moment(MOMENT), moment(LATER))
    assert found.metadata == {"a": "found", "b": 2, "c": 3}


async def test_a_defect_logged_and_resolved_in_one_batch(store, database):
    """Several records about one defect in one batch count as if they had come one after the other."""
    lane = Lane()
    await commit(
        store, lane,
        lane.entry(Change.RESOLVE_DEFECT, defect("D-1", LATER, resolution_notes="first", metadata='{"x":1}')),
        lane.entry(Change.DEFECT, logged("D-1", metadata='{"a":1}'), task_id="T-1"),
        lane.entry(Change.RESOLVE_DEFECT, defect("D-1", LATEST, resolution_notes="second", metadata='{"a":2}')),
        lane.entry(Change.DEFECT, logged("D-1", description="again", metadata='{"a":9,"b":1}'), task_id="T-1"),
    )  # fmt: skip
    found = await database.only(DefectLog)
    assert (found.description, found.resolution_notes) == ("again", "second")
    assert (found.resolved_at, found.metadata) == (moment(LATEST), {"a": 2, "b": 1, "x": 1})


def fixing_block(lane, task_id="T-1"):
    """Make the entry of a block that fixed D-1, with what it spent."""
    spent = (
        metric("API_Cost", "0.00003"), metric("API_Cost", "0.5"), metric("Tokens_In", "100", "tokens"),
        metric("Tokens_Out", "20", "tokens"), metric("Tokens_Reasoning", "15", "tokens"), metric("Retries", "2", "count"),
    )  # fmt: skip
    row = trace(name="fixing", kind="span", task_id=task_id, duration_ms="12.5", context='{"fixing":"D-1"}')
    return lane.insert(*spent, row=row, fixing="D-1", task_id=task_id)


EFFORT = {"latency_ms": 12.5, "tokens": 120, "api_cost_usd": 0.50003, "retries": 2}


async def test_the_effort_of_a_fix_is_summed_up(store, database):
    """What the blocks that fixed a defect took and spent becomes its effort, and nothing else does."""
    lane = Lane()
    await commit(store, lane, lane.entry(Change.DEFECT, logged("D-1"), task_id="T-1"))
    await commit(store, lane, fixing_block(lane), lane.insert(metric("API_Cost", "9"), task_id="T-1"))
    assert (await database.only(DefectLog)).effort_to_fix_json == EFFORT
    await commit(store, lane, fixing_block(lane))
    assert (await database.only(DefectLog)).effort_to_fix_json["retries"] == 4


async def test_a_fix_may_come_before_its_defect(store, database):
    """A fix whose records arrive before those of its defect counts as soon as the defect is there."""
    lane = Lane()
    await commit(store, lane, fixing_block(lane))
    await commit(store, lane, lane.entry(Change.DEFECT, logged("D-1"), task_id="T-1"))
    assert (await database.only(DefectLog)).effort_to_fix_json == EFFORT


async def test_an_effort_that_was_given_stays(store, database):
    """A defect that was logged with its effort keeps it as long as no block fixes it."""
    lane = Lane()
    await commit(
        store,
        lane,
        lane.entry(Change.DEFECT, logged("D-1", effort_to_fix_json='{"tokens":5}'), task_id="T-1"),
    )
    await commit(store, lane, lane.entry(Change.DEFECT, logged("D-1"), task_id="T-1"))
    assert (await database.only(DefectLog)).effort_to_fix_json == {"tokens": 5}


async def test_writers_that_cross_wait_and_do_not_lock_each_other_out(database):
    """Writers that log and resolve the same defects in opposite orders all succeed."""
    names = [f"D-{number}" for number in range(6)]

    async def write(number):
        own = database.new_store()
        await open_patiently(own)
        lane = Lane()
        order = names if number % 2 else names[::-1]
        try:
            for turn in range(8):
                entries = [
                    lane.entry(Change.DEFECT, logged(name), task_id="T-1")
                    if (turn + number + place) % 3
                    else lane.entry(
                        Change.RESOLVE_DEFECT, defect(name, LATER, metadata=f'{{"{number}":{turn}}}')
                    )
                    for place, name in enumerate(order)
                ]
                await write_patiently(own, lane, [*entries, fixing_block(lane)])
        finally:
            await own.close()

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(write, number)
    found = await database.records(DefectLog)
    assert [row.defect_id for row in found] == names
    assert next(row for row in found if row.defect_id == "D-1").effort_to_fix_json["retries"] == 2 * 8 * 6
