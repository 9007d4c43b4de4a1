"""Estimating from a database, storing the estimate with a task, and being told at its end how it did."""

import json
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from random import Random
from typing import Any

import pytest

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.cli.app import run
from asp_telemetry.errors import NotRecordedError
from asp_telemetry.estimation import Comparison, Estimator, estimate, student
from databases import AnyDatabase

TASK = """
INSERT INTO task_metadata (task_id, created_at, updated_at, completed_at, project_id, task_type, status,
  estimated_complexity, actual_cost_vector_json, estimated_cost_vector_json)
VALUES ('{task_id}', '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000', {completed}, '{project}', 'feature',
  '{status}', {complexity}, '{actual}', '{planned}');
"""


def insert(database: AnyDatabase, task_id: str, complexity: Any, actual: Any, **facts: Any) -> None:
    """Insert a task as it is after its end."""
    database.run(
        TASK.format(
            **{
                "task_id": task_id,
                "complexity": complexity,
                "actual": json.dumps(actual),
                "planned": json.dumps(facts.pop("planned", {})),
                "completed": "'2026-01-02 00:00:00.000000'",
                "project": "shop",
                "status": "completed",
                **facts,
            }
        )
    )


@pytest.fixture
def filled(any_database: AnyDatabase, capsys: pytest.CaptureFixture[str]) -> AnyDatabase:
    """Make a database with eight finished tasks, and others that teach nothing."""
    assert run(["init"]) == 0
    capsys.readouterr()
    for x in range(1, 9):
        insert(
            any_database, f"T-{x}", x, {"latency_ms": 1000.5 * x, "tokens": 900 * x, "api_cost_usd": 0.01 * x}
        )
    insert(any_database, "T-open", 5, {"latency_ms": 1}, status="in_progress")
    insert(any_database, "T-unsized", "NULL", {"latency_ms": 1})
    insert(any_database, "T-text", 4, {"latency_ms": "fast", "tokens": None})
    insert(any_database, "T-other", 2, {"latency_ms": 9e6}, project="other", completed="NULL")
    return any_database


async def test_finished_tasks_are_what_both_databases_know(filled):
    """Completed tasks with a complexity come back, the newest first, with exact money; filters leave others out."""
    async with Estimator(filled.url) as estimator:
        found = await estimator.finished_tasks()
        assert [task.task_id for task in found] == ["T-text", *(f"T-{x}" for x in range(8, 0, -1)), "T-other"]
        assert found[1].actual_api_cost_usd == Decimal("0.08")
        assert (found[0].actual_latency_ms, found[0].actual_tokens) == (None, None)
        assert len(await estimator.finished_tasks(most=3)) == 3
        assert [task.task_id for task in await estimator.finished_tasks(project_id="other")] == ["T-other"]
        assert await estimator.finished_tasks(task_type="chore") == []
        since = found[1].completed_at
        assert len(await estimator.finished_tasks(since=since)) == 9


def test_finished_tasks_are_what_plain_python_picks(any_database, capsys):
    """Of tasks with and without sizes, ends, figures and projects the same are learned from as by hand."""
    assert run(["init"]) == 0
    capsys.readouterr()
    random = Random(7)
    expected = []
    for number in range(60):
        complexity = random.choice(["NULL", 0, 1, 5, 40])
        actual = random.choice(
            [None, {}, {"tokens": number}, {"latency_ms": number / 7, "api_cost_usd": number / 1e4}]
        )
        status, project = random.choice(["completed", "completed", "failed"]), random.choice("ab")
        hour = random.choice([None, number % 24])
        ended = "NULL" if hour is None else f"'2026-01-0{number % 3 + 1} {hour:02}:00:00.000000'"
        task_id = f"T-{number:03}"
        insert(any_database, task_id, complexity, actual, status=status, project=project, completed=ended)
        if status == "completed" and complexity != "NULL" and project == "a":
            figures = [(actual or {}).get(name) for name in ("latency_ms", "tokens", "api_cost_usd")]
            expected.append((ended == "NULL", ended, task_id, complexity, figures))
    dated = sorted((row for row in expected if not row[0]), key=lambda row: row[1:3], reverse=True)
    undated = sorted((row for row in expected if row[0]), key=lambda row: row[2], reverse=True)
    with Estimator.sync(any_database.url) as estimator:
        found = estimator.finished_tasks(project_id="a")
        since = datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=3)))  # midnight in UTC
        later = estimator.finished_tasks(project_id="a", since=since)
    assert [task.task_id for task in found] == [row[2] for row in dated + undated]
    assert [task.task_id for task in later] == [row[2] for row in dated if row[1] >= "'2026-01-02"]
    for task, (*_, complexity, (latency, tokens, cost)) in zip(found, dated + undated, strict=True):
        assert task.estimated_complexity == complexity
        assert task.actual_latency_ms == (None if latency is None else pytest.approx(latency, abs=1e-9))
        assert task.actual_tokens == tokens
        assert task.actual_api_cost_usd == (None if cost is None else Decimal(repr(cost)))


async def test_an_estimate_is_stored_and_compared(filled):
    """What is stored for a task to come is its complexity and vector; its comparison says what is not known yet."""
    async with Estimator(filled.url) as estimator:
        made = await estimator.estimate(6, project_id="shop")
        assert made["tokens"].value == 5400
        await estimator.store("T-next", made)
        await estimator.store("T-next", await estimator.estimate(7, project_id="shop"))
        found = await estimator.compare("T-next")
        assert (found.status, found.estimated_complexity) == ("pending", 7)
        assert found.figures[1].estimated == 6300
        assert str(found).startswith("T-next (pending): latency unknown, estimated 7.0 s")
        with pytest.raises(NotRecordedError, match="no task has the id 'T-none'"):
            await estimator.compare("T-none")


def test_plans_are_compared_without_ranges(filled):
    """A task that was planned by hand is compared, too; anything that is no number counts as unknown."""
    insert(filled, "T-hand", 3, {"latency_ms": 150}, planned={"latency_ms": 100, "tokens": "many"})
    with Estimator.sync(filled.url) as estimator:
        latency, tokens, cost = estimator.compare("T-hand").figures
    assert (latency.error_percent, latency.within_70) == (50.0, None)
    assert (tokens.estimated, cost.actual) == (None, None)


@pytest.fixture
def recording(filled: AnyDatabase) -> Iterator[AnyDatabase]:
    """Record into the filled database."""
    asp.configure(filled.url, auto_migrate=True, strict=True, replace=True)
    yield filled
    asp.shutdown(timeout=20)
    guard.be_strict(False)
    guard.reset()


def work() -> None:
    """Be an agent that costs something."""
    with asp.span("code", kind="agent", agent_role="Code") as span:
        span.record_usage(input_tokens=5000, output_tokens=500, model="some-model", provider="someone")
        span.record_cost("0.09")


def test_a_task_reports_at_its_end_how_its_estimate_did(recording):
    """`task(estimate=, report=)` stores the estimate at the beginning, and tells estimated against actual at the end."""
    with Estimator.sync(recording.url) as estimator:
        made = estimator.estimate(6, project_id="shop")
    told: list[Comparison] = []
    with asp.task("T-now", estimate=made, report=told.append, metadata={"ticket": "A-1"}):
        work()
    [found] = told
    assert (found.task_id, found.status, found.estimated_complexity) == ("T-now", "completed", 6)
    _, tokens, cost = found.figures
    assert (tokens.estimated, tokens.actual) == (5400, 5500)
    assert tokens.error_percent == pytest.approx(1.85, abs=0.01)
    assert (cost.estimated, cost.actual, cost.within_70) == (Decimal("0.060000"), Decimal("0.090000"), False)
    assert "0.090000 USD, estimated 0.060000 USD (+50.0 %), outside of the 70 % range" in str(found)
    [(metadata,)] = recording.rows("SELECT metadata FROM task_metadata WHERE task_id = 'T-now'")
    kept = json.loads(metadata)
    assert kept["ticket"] == "A-1"
    assert kept["estimate"]["by"] == "PROBE_AI"


async def test_a_task_reports_without_blocking_the_loop(recording):
    """`async with` does the same; what the user says of the task wins over the estimate."""
    async with Estimator(recording.url) as estimator:
        made = await estimator.estimate(6, project_id="shop")
    told: list[Comparison] = []
    async with asp.task("T-async", estimate=made, report=told.append, estimated_complexity=9):
        work()
    [found] = told
    assert found.estimated_complexity == 9
    assert found.figures[1].actual == 5500


def test_a_report_that_raises_does_not_reach_the_host(recording):
    """Neither a broken report nor something that is no estimate disturbs the task; both are counted."""
    guard.be_strict(False)
    with Estimator.sync(recording.url) as estimator:
        made = estimator.estimate(6, project_id="shop")

    def broken(found: Comparison) -> None:
        raise ValueError(found)

    with asp.task("T-broken", estimate=made, report=broken):
        work()
    with asp.task("T-wrong", estimate={"tokens": 5}):  # type: ignore[arg-type]
        work()
    assert asp.flush(timeout=20).complete
    rows = recording.rows("SELECT status FROM task_metadata WHERE task_id IN ('T-broken', 'T-wrong')")
    assert rows == [("completed",), ("completed",)]
    counts = guard.counts()
    assert counts["a task could not be compared with its estimate"] == 1
    assert counts["an estimate could not be recorded"] == 1


def test_a_task_whose_end_nobody_commits_here_does_not_wait(filled):
    """With a sidecar as the writer, the task ends at once, and the log says how to ask later; switched off, it is silent."""
    told: list[Comparison] = []
    made = estimate([], 5)
    for settings, troubles in (({"writer": False}, 1), ({"disabled": True}, 1)):
        asp.configure(filled.url, replace=True, **settings)
        with asp.task("T-later", estimate=made, report=told.append):
            work()
        assert guard.counts().get("a task could not be compared with its estimate", 0) == troubles
        asp.shutdown(timeout=20)
    assert told == []
    guard.reset()


def test_the_command_prints_estimate_range_method_and_why(filled, capsys):
    """For people a table with units and the reasons; for programs the same as JSON."""
    assert run(["estimate", "--complexity", "18", "--project", "shop"]) == 0
    shown = capsys.readouterr().out
    for part in (
        "a task of complexity 18 will take:",
        "18.0 s",
        "16,200 tokens",
        "0.180000 USD",
        "regression on estimated complexity",
        "A: 8 finished tasks, r squared 1.00",
        "note: 18 lies outside of the complexities seen so far, 1 to 8",
    ):
        assert part in shown, shown
    assert run(["estimate", "--complexity", "5", "--project", "shop", "--without", "T-3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [figure["tasks"] for figure in told["figures"]] == [7, 7, 7]
    assert told["figures"][1]["value"] == 4500


def test_the_command_says_once_what_is_the_same_for_all(filled, capsys):
    """Too little data is said once for all figures, and of a name that nothing is recorded for it is said that."""
    filled.run("DELETE FROM task_metadata WHERE project_id <> 'shop'")
    assert run(["estimate", "--complexity", "5", "--days", "0.001"]) == 0
    shown = capsys.readouterr().out
    assert "latency, tokens, cost: not enough data (method D)" in shown
    assert shown.count("finish more first") == 2
    assert run(["estimate", "--complexity", "5", "--project", "nope"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "no finished task with an estimated complexity is recorded for project 'nope'; look at the name"
        in shown
    )
    assert "finish more first" not in shown


def test_the_command_writes_both_units_of_a_range_that_has_two(filled, capsys):
    """A range from milliseconds to seconds names both; one within seconds names them once."""
    for number, took in enumerate((100, 900, 150, 4000)):
        insert(filled, f"S-{number}", 5, {"latency_ms": took}, project="spread")
    assert run(["estimate", "--complexity", "5", "--project", "spread"]) == 0
    [row] = [line for line in capsys.readouterr().out.splitlines() if line.startswith(" latency")]
    assert "0.0 ms to 3." in row
    assert row.rstrip().endswith(" s")


def test_the_command_stores_and_compares(filled, capsys):
    """--store writes the vector, --compare shows it beside what the task took."""
    assert run(["estimate", "--complexity", "5", "--project", "shop", "--store", "T-next"]) == 0
    assert "stored as the estimate of T-next" in capsys.readouterr().out
    assert run(["estimate", "--compare", "T-next"]) == 0
    assert "4,500 tokens" in capsys.readouterr().out
    insert(filled, "T-done", 5, {"tokens": 900}, planned={"tokens": 4500})
    assert run(["estimate", "--compare", "T-done"]) == 0
    assert "-80.0 %" in capsys.readouterr().out
    assert run(["estimate", "--compare", "T-done", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["figures"][1]["actual"] == 900
    assert run(["estimate", "--complexity", "5", "--store", "T-done"]) == 1
    assert "task T-done has ended (completed)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--complexity", "0"], "complexity has the value 0"),
        (["--complexity", "2147483648"], "give how complex the task is, from 1 to 2147483647"),
        (["--complexity", "5", "--days", "0"], "--days has the value 0; give a number of days above 0"),
        ([], "give either --complexity N to estimate, or --compare TASK-ID"),
        (["--complexity", "5", "--compare", "T-1"], "give either"),
        (["--complexity", "5", "--planned-tokens", "-1"], "planned tokens has the value -1"),
        (["--complexity", "5", "--type", "chore", "--store", "T-9"], "nothing was stored for T-9"),
        (["--compare", "T-none"], "no task has the id 'T-none'"),
    ],
)
def test_the_command_refuses_nonsense_in_one_line(filled, capsys, arguments, sentence):
    """What makes no sense ends with a sentence and a failure."""
    assert run(["estimate", *arguments]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert sentence in line


def test_a_negative_cost_in_the_database_is_refused(filled, capsys):
    """The command names the task that cannot be right."""
    insert(filled, "T-bad", 4, {"tokens": 10, "api_cost_usd": -1})
    assert run(["estimate", "--complexity", "5"]) == 1
    assert "task T-bad has an actual value of -1" in capsys.readouterr().err


def test_without_scipy_one_line_says_what_to_install(filled, capsys, monkeypatch):
    """Where the extra is not installed, estimating ends with the remedy; comparing works without it."""
    monkeypatch.setitem(sys.modules, "scipy", None)
    student._special.cache_clear()
    assert run(["estimate", "--complexity", "5", "--project", "shop"]) == 1
    assert 'pip install "asp-telemetry[estimation]"' in capsys.readouterr().err
    assert run(["estimate", "--compare", "T-1"]) == 0
    assert run(["bootstrap", "status"]) == 0
