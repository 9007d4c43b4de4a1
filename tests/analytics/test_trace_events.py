"""Routing decisions, hooks, endpoint calls and transformations in their trace, and how the waterfall shows them."""

from collections.abc import Iterator
from contextlib import suppress
from time import sleep
from typing import Any

import pytest

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.analytics import Analytics, Trace
from asp_telemetry.analytics.events import Endpoint, Hook, Routing, Transformation
from asp_telemetry.analytics.timeline import timeline
from asp_telemetry.cli.app import run
from databases import AnyDatabase


@pytest.fixture
def recording(any_database: AnyDatabase) -> Iterator[AnyDatabase]:
    """Record into each database in turn."""
    asp.configure(any_database.url, auto_migrate=True, strict=True, replace=True)
    yield any_database
    asp.shutdown(timeout=20)
    guard.be_strict(False)
    guard.reset()


def record() -> str:
    """Record an agent with one of everything, most of it failed; return the id of its execution."""
    with asp.span("coordinator", kind="agent") as span:
        with asp.routing("fix the login") as routing:
            sleep(0.005)
            with asp.endpoint_call("router", "GET", "/agents") as asked:
                asked.response(200)
            sleep(0.005)
            routing.choose("debugger", confidence=0.9)
        asp.validate_routing(routing.id, success=False, quality=0.25)
        with asp.transformation("coordinator", "debugger"):
            pass
        with suppress(ValueError), asp.transformation("debugger", "coder\n\x1b[2J"):
            raise ValueError("broken")
        with asp.hook("UserPromptSubmit"), asp.hook("PreToolUse", tool_name="Write") as hook:
            hook.gate("SV-001", passed=False)
            with asp.endpoint_call("rag", "POST", "/answered") as call:
                call.response(500)
            with suppress(TimeoutError), asp.endpoint_call("rag", "POST", "/silent"):
                raise TimeoutError
    assert asp.flush(timeout=20).complete
    return str(span.id)


def read(database: AnyDatabase, execution_id: str) -> Trace:
    with Analytics.sync(database.url) as ask:
        return ask.trace(execution_id)


def events_of(trace: Trace, kind: type[Any]) -> list[Any]:
    return [event for event in trace.roots[0].events if isinstance(event, kind)]


def test_events_say_how_they_ended_and_what_they_were_in(recording: AnyDatabase) -> None:
    """A decision knows its outcome, a call and a hook know the hook around them, a transformation how long it took."""
    trace = read(recording, record())
    [routing] = events_of(trace, Routing)
    assert (routing.actual_success, routing.actual_quality, routing.prediction_error) == (False, 0.25, 0.65)
    prompt, tool = events_of(trace, Hook)
    assert (prompt.parent_id, tool.parent_id) == (None, prompt.id)
    assert [call.hook_id for call in events_of(trace, Endpoint)] == [None, tool.id, tool.id]
    assert None not in [event.duration_ms for event in events_of(trace, Transformation)]
    assert [type(event) for event in trace.roots[0].events[:2]] == [Routing, Endpoint]
    statuses = {moment.name: moment.status for moment in timeline(trace)}
    assert statuses["rag POST /answered"] == "500"
    assert statuses["rag POST /silent"] == "timeout"


def test_events_of_an_agent_that_still_runs_are_there(recording: AnyDatabase) -> None:
    """Before an agent has ended, what it has done so far is shown, and that the agent itself is not known yet."""
    with asp.task("TASK-001") as task, asp.span("agent", kind="agent") as agent:
        with asp.span("model", kind="generation"):
            pass
        with asp.endpoint_call("rag", "POST", "/query") as call:
            call.response(200)
        assert asp.flush(timeout=20).complete
        trace = read(recording, str(task.id))
    assert [type(event) for event in trace.unattached] == [Endpoint]
    assert any(str(agent.id) in sentence for sentence in trace.missing)


def test_an_archived_trace_is_still_there(recording: AnyDatabase) -> None:
    """What retention has moved away comes back as it was, by the root's id and by any other."""
    with asp.task("TASK-001") as task:
        record()
        with asp.span("model", kind="generation") as model:
            model.record_usage(input_tokens=10, output_tokens=2, model="gpt-4o-mini", provider="openai")
    assert asp.flush(timeout=20).complete
    before = read(recording, str(task.id))
    recording.run("INSERT INTO execution_traces_archive SELECT * FROM execution_traces")
    assert read(recording, str(task.id)) == before  # a move that was interrupted doubles nothing
    recording.run("DELETE FROM execution_traces")
    assert read(recording, str(task.id)) == before
    assert read(recording, str(model.id)).roots == before.roots


@pytest.mark.parametrize("columns", ["50", "80", "160"])
def test_the_waterfall_fits_its_terminal(
    recording: AnyDatabase,
    columns: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line per execution and event, however narrow it gets; what has ended is not called running."""
    execution = record()
    monkeypatch.setenv("COLUMNS", columns)
    assert run(["trace", execution, "--database", recording.url]) == 0
    table = capsys.readouterr().out.partition("1 execution,")[0]
    assert len(table[table.index("coordinator") :].splitlines()) == 9
    assert "running" not in table
    assert "\x1b" not in table
    if int(columns) >= 80:
        for expected in ("error: ValueError", "timeout", "500", "error: not passed: SV-001"):
            assert expected in table, table
