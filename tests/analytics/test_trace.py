"""What was recorded comes back as one trace, from either database."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from time import sleep
from uuid import uuid4

import pytest

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.analytics import Analytics, Trace
from asp_telemetry.cli.app import run
from asp_telemetry.errors import NotRecordedError, StoreUnavailableError
from databases import AnyDatabase


@pytest.fixture
def recorded_url(any_database: AnyDatabase) -> Iterator[str]:
    """Record a small trace into each database in turn."""
    asp.configure(any_database.url, auto_migrate=True, strict=True, replace=True)
    _record()
    assert asp.flush(timeout=20).complete
    yield any_database.url
    asp.shutdown(timeout=20)
    guard.be_strict(False)
    guard.reset()


def _record() -> None:
    """Record, with pauses that are longer than what two readings of the clock may differ by."""
    with asp.task("TASK-001"):
        sleep(0.002)
        _plan()
        sleep(0.002)


def _plan() -> None:
    with asp.span("plan", kind="agent", agent_role="Planning") as plan:
        with asp.span("model", kind="generation") as model:
            model.record_usage(input_tokens=1000, output_tokens=200, model="gpt-4o-mini", provider="openai")
        sleep(0.002)
        with asp.endpoint_call("intelligence", "POST", "/api/rag/query") as call:
            call.response(200)
        sleep(0.002)
        with pytest.raises(ValueError, match="broken"), asp.span("search", kind="tool"):
            raise ValueError("broken")
        sleep(0.002)
        plan.set(metadata={"prompt_hash": "x"})
        sleep(0.002)


def ids(trace: Trace) -> dict[str, str]:
    return {execution.name: execution.id for _, execution in trace.walk()}


async def whole(url: str) -> Trace:
    """Return the trace that the fixture has recorded, by the id of its root."""
    async with Analytics(url) as ask:
        [row] = await ask._reader.fetch("SELECT DISTINCT root_id FROM execution_traces", {})
        return await ask.trace(str(row["root_id"]))


async def test_a_recorded_trace_comes_back_whole(recorded_url: str) -> None:
    """The tree, the sums to the last digit, errors, endpoint calls and facts are as they were recorded."""
    trace = await whole(recorded_url)
    assert [(depth, found.name) for depth, found in trace.walk()] == [
        (0, "task"), (1, "plan"), (2, "model"), (2, "search"),
    ]  # fmt: skip
    assert (trace.totals.executions, trace.totals.errors, trace.totals.tool_calls) == (4, 1, 1)
    assert (trace.totals.tokens_in, trace.totals.tokens_out) == (1000, 200)
    assert trace.totals.cost_usd == Decimal("0.00027")
    assert trace.missing == ()
    plan = trace.find(ids(trace)["plan"])
    assert plan is not None
    assert [event.path for event in plan.events] == ["/api/rag/query"]
    assert plan.context == {"metadata": {"prompt_hash": "x"}}
    search = plan.children[1]
    assert (search.status, search.error_type, search.error_message) == ("error", "ValueError", "broken")


async def test_any_execution_leads_to_its_trace(recorded_url: str) -> None:
    """A child's id, the root's id and the bare trace id all bring the same tree; the one asked for is marked."""
    trace = await whole(recorded_url)
    search = ids(trace)["search"]
    async with Analytics(recorded_url) as ask:
        by_child = await ask.trace(search)
        by_digits = await ask.trace(trace.root_id.replace("-", ""))
    assert by_child.asked_for == search
    assert by_child.roots == by_digits.roots == trace.roots


async def test_the_timeline_tells_what_happened_in_order(recorded_url: str) -> None:
    """Beginnings, endings and endpoint calls follow one another as they did."""
    async with Analytics(recorded_url) as ask:
        trace = await whole(recorded_url)
        moments = await ask.timeline(trace.root_id)
    assert [(moment.what, moment.name) for moment in moments] == [
        ("started", "task"), ("started", "plan"), ("started", "model"), ("ended", "model"),
        ("endpoint", "intelligence POST /api/rag/query"), ("started", "search"), ("ended", "search"),
        ("ended", "plan"), ("ended", "task"),
    ]  # fmt: skip
    assert [moment.status for moment in moments][-3:] == ["error", "success", "success"]
    assert moments.as_dicts()[0]["execution_id"] == trace.root_id


def test_notebooks_ask_without_await(recorded_url: str) -> None:
    """`Analytics.sync()` answers where no event loop is at hand, and says so when it is asked too late."""
    with (
        Analytics.sync(recorded_url) as ask,
        pytest.raises(NotRecordedError, match="no execution has the id"),
    ):
        ask.trace(uuid4())
    with pytest.raises(RuntimeError, match="ask inside"):
        ask.trace(uuid4())


async def test_what_is_no_id_is_refused_by_its_value() -> None:
    """A name instead of an id gets a sentence, not an error of the database."""
    async with Analytics("sqlite:////nowhere/at/all.db") as ask:
        with pytest.raises(NotRecordedError, match="'plan' is no id"):
            await ask.trace("plan")


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """Asking an SQLite file that does not exist creates nothing and says what to do."""
    async with Analytics(f"sqlite:///{tmp_path}/none.db") as ask:
        with pytest.raises(StoreUnavailableError, match="does not exist"):
            await ask.trace(uuid4())
    assert list(tmp_path.iterdir()) == []


async def test_asking_never_writes(recorded_url: str) -> None:
    """The connection refuses to change anything."""
    async with Analytics(recorded_url) as ask:
        with pytest.raises(StoreUnavailableError, match="read"):
            await ask._reader.fetch("DELETE FROM execution_traces", {})
    assert (await whole(recorded_url)).totals.executions == 4


def test_the_command_draws_a_waterfall(
    recorded_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`asp-telemetry trace` shows every execution with its time, tokens and cost, and what went wrong."""
    with Analytics.sync(recorded_url) as ask:
        [row] = ask._answer(ask._analytics._reader.fetch, "SELECT DISTINCT root_id FROM execution_traces", {})
    monkeypatch.setenv("COLUMNS", "120")
    assert run(["trace", str(row["root_id"]), "--database", recorded_url]) == 0
    printed = capsys.readouterr().out
    for expected in ("task TASK-001", "  plan", "    model", "1,000+200", "0.000270", "error: ValueError"):
        assert expected in printed, printed
    assert "endpoint intelligence POST" in printed


def test_the_command_says_what_it_cannot_find(recorded_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown id, of whatever kind, ends the command with 1 and one line."""
    assert run(["trace", "TASK-404", "--database", recorded_url]) == 1
    assert "no execution and no task has the id 'TASK-404'" in capsys.readouterr().err
    assert run(["trace", str(uuid4()), "--database", recorded_url]) == 1
    assert "no execution has the id" in capsys.readouterr().err


def test_a_task_leads_to_its_newest_trace(
    recorded_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has the id of a task sees its newest trace, and who has none sees which there are."""
    monkeypatch.setenv("COLUMNS", "200")  # pytest-xdist says 80, where ids take two lines
    with asp.task("TASK-001") as again:
        pass
    assert asp.flush(timeout=20).complete
    assert run(["trace", "TASK-001", "--database", recorded_url]) == 0
    assert f"trace {again.id}," in capsys.readouterr().out
    with Analytics.sync(recorded_url) as ask:
        assert ask.newest_trace_id("TASK-001") == str(again.id)
    assert run(["trace", "--database", recorded_url]) == 0
    listed = capsys.readouterr().out
    newest = next(line for line in listed.splitlines() if str(again.id) in line)
    assert "TASK-001" in newest
    assert "success" in newest
    assert "the newest 2 traces" in listed
    assert run(["trace", "--json", "--database", recorded_url]) == 0
    assert json.loads(capsys.readouterr().out)[0]["id"] == str(again.id)
