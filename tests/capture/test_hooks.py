"""Hooks become rows with the execution they ran around and what they did, the same on both databases."""

import asyncio
import json
import os
import threading

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import asp_telemetry as asp
from anything import ANYTHING
from asp_telemetry import guard
from asp_telemetry.resources import schema_directory
from asp_telemetry.testing import capture


def parsed(value):
    return json.loads(value) if isinstance(value, str) else value


def test_a_hook_tells_what_it_did(found):
    """A hook names its type, tool and script, the execution it ran around, and all that was noted."""
    with (
        asp.span("Code", kind="agent") as agent,
        asp.hook("PreToolUse", tool_name="Write", script="check.py") as hook,
    ):
        hook.gate("SV-001")
        hook.gate("SV-002")
        hook.gathered("IC-001")
        hook.queried("who calls login?", results=3)
        hook.modified(path="src/a.py", token="abcdefgh")
        hook.note(size=7)
    assert found(
        "SELECT id, execution_id, correlation_id, parent_id, hook_type, tool_name, hook_script, status, error_message "
        "FROM hook_executions"
    ) == [(hook.id, hook.id, agent.id, None, "PreToolUse", "Write", "check.py", "success", None)]
    ((success, *values, ordered, duration),) = found(
        "SELECT success, quality_gates_validated, intelligence_functions_executed, rag_queries_executed, "
        "modifications_made, context, started_at <= completed_at, duration_ms FROM hook_executions"
    )
    assert success
    assert ordered
    assert 0 < duration < 10_000
    assert list(map(parsed, values)) == [
        ["SV-001", "SV-002"], ["IC-001"], [{"query": "who calls login?", "results": 3}],
        {"path": "src/a.py", "token": "[redacted]"}, {"size": 7},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TimeoutError("slow"), "timeout"), (asyncio.CancelledError("stop"), "cancelled"),
        (ValueError("mail ana@example.org"), "error"),
    ],
)  # fmt: skip
def test_failures_say_why(found, error, status):
    """An exception goes on to the caller; how the hook ended, and the message without secrets, stand in the row."""
    with pytest.raises(type(error)) as caught, asp.hook("Stop"):
        raise error
    assert caught.value is error
    message = str(error).replace("ana@example.org", "[redacted]")
    ((success, *rest),) = found("SELECT success, status, error_message FROM hook_executions")
    assert not success
    assert rest == [status, message]
    assert found("SELECT name, status, source FROM execution_traces") == [("Stop", status, "hook_trigger")]


def test_a_gate_that_was_not_passed_fails_the_hook(found):
    """Gates that were passed are listed; one that was not makes the hook a failed one, and so does a stated failure."""
    with asp.span("Code", kind="agent"):
        with asp.hook("PreToolUse") as hook:
            hook.gate("SV-001")
            hook.gate("SV-002", passed=False)
        with asp.hook("PostToolUse") as hook:
            hook.failed("the report has no password=hunter22")
    first, second = found(
        "SELECT status, error_message, quality_gates_validated, context FROM hook_executions ORDER BY started_at, id"
    )
    assert first[:2] == ("error", "not passed: SV-002")
    assert (parsed(first[2]), parsed(first[3])) == (["SV-001"], {"quality_gates_failed": ["SV-002"]})
    assert second[:2] == ("error", "the report has no password=[redacted]")
    assert found("SELECT name, status FROM execution_traces") == [("Code", "success")]


def test_what_happens_inside_names_its_hook(found):
    """Endpoint calls and hooks inside a hook name it, also in other threads and tasks; those behind it do not."""

    def call(path):
        with asp.endpoint_call("rag", "GET", path):
            pass

    async def work():
        await asyncio.gather(*(asyncio.to_thread(call, f"/task{number}") for number in range(2)))

    with asp.span("Code", kind="agent"):
        with asp.hook("PreToolUse") as outer:
            call("/direct")
            with asp.context(tags=["deep"]), asp.span("lookup", kind="tool"):
                call("/deep")
                with asp.hook("Inner") as inner:
                    call("/inner")
                call("/deep again")
            with asp.ThreadPoolExecutor(max_workers=1) as pool:
                pool.submit(call, "/thread").result()
            asyncio.run(work())
            later = asp.propagate(call)
        call("/after")
        later("/behind")
    rows = dict(found("SELECT endpoint_path, hook_execution_id FROM endpoint_calls"))
    assert rows == {
        **dict.fromkeys(("/direct", "/deep", "/deep again", "/thread", "/task0", "/task1"), outer.id),
        "/inner": inner.id, "/after": None, "/behind": None,
    }  # fmt: skip
    assert dict(found("SELECT id, parent_id FROM hook_executions")) == {outer.id: None, inner.id: outer.id}


def test_calls_may_be_stored_long_before_their_hook(postgres_database, monkeypatch, tmp_path):
    """What a long hook calls is stored before the hook itself, with the optional foreign keys, too."""
    monkeypatch.setenv("ASP_JOURNAL_DIR", str(tmp_path))
    asp.configure(postgres_database, strict=True, replace=True, auto_migrate=True)
    with asp.task("T-1"):
        asp.flush(timeout=20)
        _run(postgres_database, (schema_directory("postgres") / "optional" / "foreign_keys.sql").read_text())
        with asp.hook("PreToolUse") as outer, asp.hook("Inner"):
            with asp.endpoint_call("rag", "GET", "/"):
                pass
            result = asp.flush(timeout=20)
            assert (result.complete, result.rejected) == (True, 0)
    assert asp.flush(timeout=20).rejected == 0
    asp.shutdown(timeout=20)
    guard.be_strict(False)
    (row,) = _run(postgres_database, "SELECT id::text FROM hook_executions WHERE parent_id IS NULL")
    assert row["id"] == outer.id


def _run(url, script):
    async def work():
        connection = await asyncpg.connect(url)
        try:
            return await (connection.fetch if script.startswith("SELECT") else connection.execute)(script)
        finally:
            await connection.close()

    return asyncio.run(work())


def test_the_current_span_stays_the_same_inside(found):
    """A hook changes nothing about the execution that is current, neither inside nor behind it."""
    with asp.span("Code", kind="agent") as agent:
        with asp.hook("PreToolUse"):
            assert asp.current_span().id == agent.id
            asp.current_span().record_metric("Tool_Calls", 2, "count")
            with asp.span("inside"):
                pass
        assert asp.current_span().id == agent.id
    assert found("SELECT parent_id FROM execution_traces WHERE name = 'inside'") == [(agent.id,)]
    assert found("SELECT correlation_id FROM agent_cost_vector WHERE metric_type = 'Tool_Calls'") == [
        (agent.id,)
    ]


def test_hooks_may_end_in_any_order(found):
    """Hooks that overlap without being nested leave the context as it was, and are all there."""
    with asp.span("Code", kind="agent") as agent:
        first, second = asp.hook("First"), asp.hook("Second")
        first.begin()
        second.begin()
        first.end()
        with asp.endpoint_call("rag", "GET", "/"):
            pass
        second.end()
        second.end()
        assert asp.current_span().id == agent.id
        with asp.endpoint_call("rag", "GET", "/after"):
            pass
    assert dict(found("SELECT id, parent_id FROM hook_executions")) == {first.id: None, second.id: first.id}
    rows = found("SELECT endpoint_path, hook_execution_id FROM endpoint_calls ORDER BY endpoint_path")
    assert rows == [("/", second.id), ("/after", None)]


async def test_hooks_of_tasks_and_threads_are_all_there(found):
    """Each hook of every task and thread has a row of its own, under its own execution."""

    async def work(number):
        async with asp.hook(f"task {number}") as hook:
            await asyncio.sleep(0)
            hook.gate(str(number))

    def loop(number):
        for place in range(20):
            with asp.hook(f"thread {number}.{place}"):
                pass

    await asyncio.gather(*(work(number) for number in range(20)))
    threads = [threading.Thread(target=loop, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = await asyncio.to_thread(
        found,
        "SELECT hook_type, trace.name, parent_id IS NULL FROM hook_executions AS hook "
        "JOIN (SELECT correlation_id, name FROM execution_traces) AS trace ON trace.correlation_id = hook.correlation_id",
    )
    assert len(set(rows)) == 100
    assert all(kind == name and alone for kind, name, alone in rows)


def test_an_own_execution_holds_session_and_user(found):
    """Outside of any execution a hook begins one, so that its row has a session and a user."""
    with asp.context(user_id="ana", session_id="s-42"), asp.hook("SessionStart") as hook:
        pass
    assert found(
        "SELECT trace.name, user_id, session_id, source, hook.id FROM execution_traces AS trace "
        "JOIN hook_executions AS hook ON hook.correlation_id = trace.correlation_id"
    ) == [("SessionStart", "ana", "s-42", "hook_trigger", hook.id)]


def test_a_trace_is_left_out_with_its_hooks(found, any_database):
    """Sampling leaves out a trace with the hooks in it; without telemetry hooks are nothing at all."""
    asp.configure(any_database.url, strict=True, replace=True, auto_migrate=True, sample_rate=0.0)
    with asp.span("Code", kind="agent"), asp.hook("PreToolUse") as hook:
        hook.gate("SV-001")
    with asp.hook("SessionStart"):
        pass
    assert found("SELECT id FROM hook_executions") == []
    asp.configure(any_database.url, strict=True, replace=True, disabled=True)
    with asp.hook("PreToolUse") as hook:
        hook.gate("SV-001")
    with asp.routing("fix it") as routing:
        routing.choose("debugger", confidence=1)


def test_a_forked_child_leaves_the_hook_to_its_parent(found):
    """What was forked inside a hook does not record it a second time."""
    with asp.span("Code", kind="agent"), asp.hook("PreToolUse") as hook:
        child = os.fork()
        if not child:
            hook.end()
            asp.flush(timeout=20)
            os._exit(0)
        os.waitpid(child, 0)
    assert found("SELECT id FROM hook_executions") == [(hook.id,)]


def test_notes_behind_the_end_are_counted(found):
    """What comes outside of the block is counted, not recorded, and never raised."""
    guard.be_strict(False)
    hook = asp.hook("Stop")
    hook.gate("early")
    with hook:
        hook.gate("SV-001")
    hook.gate("late")
    ((gates,),) = found("SELECT quality_gates_validated FROM hook_executions")
    assert parsed(gates) == ["SV-001"]
    assert guard.counts() == {"gate() of a hook came outside of its block": 2}


def test_captures_show_hooks():
    """A user's test sees hooks as typed records."""
    with capture(strict=True) as recorded, asp.hook("PreToolUse", tool_name="Write") as hook:
        hook.gate("SV-001")
    (row,) = recorded.hooks
    assert (row.tool_name, row.quality_gates_validated, row.success) == ("Write", ("SV-001",), True)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_anything_may_be_handed_in(data):
    """Whatever is handed in, nothing is raised, and no hook is refused."""
    guard.reset()
    with capture(strict=False) as recorded:
        with asp.hook(data.draw(ANYTHING), tool_name=data.draw(ANYTHING), script=data.draw(ANYTHING)) as hook:
            hook.gate(data.draw(ANYTHING), passed=data.draw(ANYTHING))
            hook.gathered(data.draw(ANYTHING))
            hook.queried(data.draw(ANYTHING), **data.draw(st.dictionaries(st.text(), ANYTHING, max_size=3)))
            hook.modified(value=data.draw(ANYTHING))
            hook.note(value=data.draw(ANYTHING))
            hook.failed(data.draw(ANYTHING))
        assert len(recorded.hooks) == 1
        assert recorded.rejected == []
    guard.reset()


def test_far_too_much_costs_the_details_and_not_the_row():
    """A hook with far too many and too long notes is kept, its lists within their limits."""
    with capture(strict=False) as recorded:
        with asp.hook("PreToolUse" * 100, script="s" * 100_000) as hook:
            for number in range(2_000):
                hook.gate(f"{number}" + "g" * 1_000)
                hook.queried("q" * 1_000)
            hook.note(text=["n" * 30_000] * 30)
        (row,) = recorded.hooks
        assert row.success
        assert recorded.rejected == []
    guard.reset()
