"""OpenTelemetry spans stand where they belong: under our executions, in the order in which they began."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
from opentelemetry_tracing import CHAT, TOKENS, link_of, model_call, sums

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.errors import AspTelemetryError, ConfigurationError
from asp_telemetry.integrations.opentelemetry import Exporter, Processor, attach
from asp_telemetry.integrations.opentelemetry.tree import Bounded

AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "Planner", "gen_ai.agent.version": "2"}
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}


def named(recorded):
    """Return the executions by name."""
    return {row["name"]: row for row in recorded.traces()}


def test_a_model_call_belongs_to_the_agent_that_is_current(recorded, tracer):
    """A span that begins inside an agent of ours is an execution under it: its trace, its task, its role."""
    with asp.task("T-1", project_id="P"), asp.span("Design", kind="agent"), asp.context(tags=["inner"]):
        span = model_call(tracer, number=1)
    rows = named(recorded)
    design, call = rows["Design"], rows["chat gpt-4o-mini"]
    assert (call["kind"], call["status"], call["task_id"]) == ("generation", "success", "T-1")
    assert (call["root_id"], call["parent_id"]) == (design["root_id"], design["correlation_id"])
    assert (call["agent_role"], call["tags"]) == ("Design", '["inner"]')
    link = link_of(call)
    assert link["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert link["span_id"] == f"{span.get_span_context().span_id:016x}"
    assert {row["agent_role"] for row in recorded.metrics("Tokens_In")} == {"Design"}
    assert sums(recorded) == {"Tokens_In": 100, "Tokens_Out": 20, "API_Cost": 0.000027}


def test_times_are_those_of_the_span(recorded, tracer):
    """Start, end and duration are the ones that the span bears, to the microsecond, also long afterwards."""
    start = 1_700_000_000_123_456_000
    tracer.start_span("chat", attributes=CHAT, start_time=start).end(end_time=start + 1_234_567_000)
    (row,) = recorded.traces()
    assert row["started_at"] == "2023-11-14 22:13:20.123456"
    assert row["completed_at"] == "2023-11-14 22:13:21.358023"
    assert row["duration_ms"] == pytest.approx(1234.567)


def test_without_an_execution_of_ours_the_trace_is_that_of_opentelemetry(recorded, tracer):
    """Where nothing of ours is current, trace id and span id name the row, and so they do for its children."""
    with tracer.start_as_current_span("invoke_agent Planner", attributes=AGENT) as outer:
        inner = model_call(tracer, number=1)
    rows = named(recorded)
    agent, call = rows["Planner"], rows["chat gpt-4o-mini"]
    trace_id = f"{outer.get_span_context().trace_id:032x}"
    assert agent["root_id"].replace("-", "") == call["root_id"].replace("-", "") == trace_id
    assert (
        call["correlation_id"].replace("-", "") == trace_id[:16] + f"{inner.get_span_context().span_id:016x}"
    )
    assert (call["parent_id"], agent["parent_id"]) == (agent["correlation_id"], None)
    assert (call["agent_role"], agent["agent_role"]) == ("Planner", "Planner")


def test_spans_of_other_things_are_passed_through(recorded, tracer):
    """HTTP and database spans are no executions, and what is inside them belongs to what is around them."""
    with (
        asp.span("ours", kind="agent"),
        tracer.start_as_current_span("POST /plan", attributes={"http.request.method": "POST"}),
        tracer.start_as_current_span("execute_tool search", attributes=TOOL),
        tracer.start_as_current_span("SELECT", attributes={"db.system": "sqlite"}),
    ):
        model_call(tracer, number=1)
    rows = named(recorded)
    assert set(rows) == {"ours", "search", "chat gpt-4o-mini"}
    assert rows["chat gpt-4o-mini"]["parent_id"] == rows["search"]["correlation_id"]
    assert rows["search"]["parent_id"] == rows["ours"]["correlation_id"]
    assert [row["agent_role"] for row in recorded.metrics("Tool_Calls")] == ["ours"]


def test_whatever_began_last_is_the_parent(recorded, tracer):
    """Ours inside theirs inside ours: each call belongs to the innermost execution, whoever made it."""
    with asp.span("outer", kind="agent"):
        with tracer.start_as_current_span("invoke_agent Planner", attributes=AGENT):
            with asp.span("inner", kind="agent"):
                model_call(tracer, number=1)
            with tracer.start_as_current_span("execute_tool search", attributes=TOOL):
                pass
        model_call(tracer, number=2, tokens={"gen_ai.usage.input_tokens": 7})
    rows = recorded.traces()
    ids = {row["correlation_id"]: row["name"] for row in rows}
    parents = [(row["name"], ids.get(row["parent_id"])) for row in rows]
    assert sorted(parents, key=str) == sorted(
        [
            ("outer", None),
            ("Planner", "outer"),
            ("inner", "outer"),  # ours know nothing of OpenTelemetry's
            ("chat gpt-4o-mini", "inner"),
            ("search", "Planner"),
            ("chat gpt-4o-mini", "outer"),
        ],
        key=str,
    )
    nested = {row["agent_role"]: row["nested"] for row in recorded.metrics("Latency")}
    assert nested == {"outer": 0, "Planner": 1, "inner": 1}


def test_a_span_that_ends_late_and_elsewhere_stays_where_it_began(recorded, tracer):
    """A stream that is read to its end after its agent has returned, in another thread, still belongs to it."""
    with asp.span("ours", kind="agent"):
        span = tracer.start_span("chat", attributes=CHAT)
    span.set_attributes(TOKENS)
    thread = threading.Thread(target=span.end)
    thread.start()
    thread.join()
    rows = named(recorded)
    assert rows["chat"]["parent_id"] == rows["ours"]["correlation_id"]
    assert sums(recorded)["Tokens_In"] == 100


def test_a_child_that_begins_after_its_parent_has_ended_is_under_it(recorded, tracer):
    """Background work that an agent's span leaves behind belongs to that span's execution."""
    with tracer.start_as_current_span("invoke_agent Planner", attributes=AGENT) as agent:
        context = set_span_in_context(agent)
    tracer.start_span("chat", attributes=CHAT, context=context).end()
    rows = named(recorded)
    assert rows["chat"]["parent_id"] == rows["Planner"]["correlation_id"]


def test_a_remote_parent_is_kept(recorded, tracer):
    """A call below a span of another process is a row in that span's trace, and names it as its parent."""
    remote = SpanContext(0xABC << 64 | 0xDEF, 0x123, is_remote=True, trace_flags=TraceFlags(1))
    with tracer.start_as_current_span(
        "chat", attributes=CHAT, context=set_span_in_context(NonRecordingSpan(remote))
    ):
        pass
    (row,) = recorded.traces()
    assert row["root_id"] == "00000000-0000-0abc-0000-000000000def"
    assert row["parent_id"] == "00000000-0000-0abc-0000-000000000123"


def test_a_conversation_is_a_session(recorded, tracer):
    """`gen_ai.conversation.id` and `user.id` are session and user of the call, unless `context()` has named others."""
    names = {"gen_ai.conversation.id": "c-1", "user.id": "ana"}
    with tracer.start_as_current_span("invoke_agent Planner", attributes={**AGENT, **names}):
        model_call(tracer, number=1)
    with asp.context(session_id="s-1"):
        model_call(tracer, number=2, **names)
    rows = recorded.traces()
    assert [(row["session_id"], row["user_id"]) for row in rows] == [
        ("c-1", "ana"),
        ("c-1", "ana"),
        ("s-1", "ana"),
    ]


def test_openinference_agents_that_name_themselves_last_keep_their_children(recorded, provider):
    """A span that says what it is only at its end is the parent of what ended before."""
    tracer = provider.get_tracer("openinference.instrumentation.langchain")
    with tracer.start_as_current_span("RunnableSequence") as chain:
        model_call(tracer, number=1)
        chain.set_attribute("openinference.span.kind", "AGENT")
    rows = named(recorded)
    assert rows["RunnableSequence"]["kind"] == "agent"
    assert rows["chat gpt-4o-mini"]["parent_id"] == rows["RunnableSequence"]["correlation_id"]


@pytest.mark.parametrize("name", ["gen_ai.usage", "gen_ai.aggregated_usage"])
def test_what_an_agent_adds_up_is_not_counted_again(recorded, tracer, name):
    """An agent's span that repeats the tokens of the calls inside adds nothing."""
    with tracer.start_as_current_span("invoke_agent Planner", attributes=AGENT) as agent:
        for number in (1, 2):
            with tracer.start_as_current_span("execute_tool search", attributes=TOOL):
                model_call(tracer, number=number)
        agent.set_attributes({f"{name}.input_tokens": 200, f"{name}.output_tokens": 40})
    assert sums(recorded) == {"Tokens_In": 200, "Tokens_Out": 40, "API_Cost": 0.000054}


def test_an_agent_elsewhere_is_counted_itself(recorded, tracer):
    """An agent's span with usage and no calls inside, as of a hosted agent, is counted."""
    with tracer.start_as_current_span("invoke_agent Planner", attributes={**AGENT, **TOKENS}):
        pass
    assert sums(recorded)["Tokens_In"] == 100


def test_a_framework_around_a_client_counts_one_call(recorded, tracer):
    """Two instrumentations that see one call, one inside the other, count it once; a call made by its tool counts."""
    with tracer.start_as_current_span("ChatOpenAI", attributes=CHAT) as outer:
        model_call(tracer, number=1)
        outer.set_attributes(TOKENS)
    with tracer.start_as_current_span("generate_content", attributes=CHAT) as outer:
        with tracer.start_as_current_span("execute_tool search", attributes=TOOL):
            model_call(tracer, number=2)
        outer.set_attributes(TOKENS)
    assert sums(recorded)["Tokens_In"] == 300


def test_a_tool_inside_the_tool_of_its_name_is_one_call(recorded, tracer):
    """A decorated tool that is instrumented further in, or instrumented twice, counts as one call of a tool."""

    @asp.track_tool("search")
    def search():
        with (
            tracer.start_as_current_span("execute_tool search", attributes=TOOL),
            tracer.start_as_current_span("tools/call search", attributes=TOOL),
        ):
            pass

    search()
    assert len(recorded.metrics("Tool_Calls")) == 1
    assert len(recorded.traces()) == 3


@pytest.mark.parametrize("inside", [lambda: asp.context(user_id="ana"), lambda: asp.span("step")])
def test_a_tool_that_an_answer_asked_for_is_one_call(recorded, tracer, inside):
    """What an answer asks for and an instrumentation sees run counts once; what nobody sees run is added."""
    with asp.span("agent", kind="agent"):
        call = {"id": "call-1", "type": "function", "function": {"name": "search", "arguments": "{}"}}
        usage = {"prompt_tokens": 3, "completion_tokens": 1}
        answer = {"id": "asks-for-tools", "object": "chat.completion", "model": "gpt-4o-mini", "usage": usage}
        answer["choices"] = [{"message": {"role": "assistant", "tool_calls": [call, call, call]}}]
        asp.current_span().record_usage(answer)
        with inside():
            for _ in range(2):
                with tracer.start_as_current_span("execute_tool search", attributes=TOOL):
                    pass
    assert [row["metric_value"] for row in recorded.metrics("Tool_Calls")] == [1, 1, 1]


def test_two_processors_record_once(recorded, provider, tracer):
    """Adding the processor twice, or to a provider that has it, changes nothing."""
    provider.add_span_processor(Processor())
    model_call(tracer, number=1)
    assert len(recorded.traces()) == 1


def test_nothing_is_recorded_when_switched_off(recorded, tracer):
    """With recording disabled, spans leave no trace."""
    model_call(tracer, number=1)
    assert asp.flush(timeout=20).complete
    asp.configure(recorded.url, disabled=True, replace=True)
    model_call(tracer, number=2)
    asp.configure(recorded.url, strict=True, replace=True)
    assert len(recorded.traces()) == 1


def test_unsampled_traces_stay_out(recorded, tracer):
    """A sample rate of zero leaves OpenTelemetry's traces out as it does ours."""
    model_call(tracer, number=1)
    assert asp.flush(timeout=20).complete
    asp.configure(recorded.url, strict=True, sample_rate=0.0, replace=True)
    model_call(tracer, number=2)
    with asp.span("ours"):
        model_call(tracer, number=3)
    assert len(recorded.traces()) == 1


def test_the_process_global_provider_is_left_alone(recorded, provider):
    """Neither importing nor attaching sets a global provider; without one `attach()` says what to do."""
    with pytest.raises(ConfigurationError, match=r"attach\(provider\)"):
        attach()
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)


def test_force_flush_means_committed(recorded, provider, tracer):
    """`provider.force_flush()` returns once the rows are in the database."""
    model_call(tracer, number=1)
    assert provider.force_flush(20_000)
    assert asp.stats()["pending"] == 0


@pytest.mark.crash
def test_a_forked_child_leaves_open_spans_to_its_parent(recorded, tracer):
    """A span that is open at a fork is recorded once, by the parent, although the child ends it too."""
    span = tracer.start_span("chat", attributes={**CHAT, **TOKENS})
    child = os.fork()
    if not child:
        span.end()
        os._exit(0 if asp.flush(timeout=20).complete else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    span.end()
    assert len(recorded.traces()) == 1
    assert sums(recorded)["Tokens_In"] == 100


def test_a_span_that_cannot_be_read_harms_nobody(recorded, tracer):
    """A count that is none is told and refused; the program goes on, and the execution is there."""
    guard.be_strict(False)
    model_call(tracer, number=1, tokens={"gen_ai.usage.input_tokens": -5})
    assert [row["name"] for row in recorded.traces()] == ["chat gpt-4o-mini"]
    assert recorded.metrics("Tokens_In") == []
    assert asp.stats()["troubles"]["a span's usage could not be read"] == 1


def test_strict_raises_what_is_wrong(recorded, tracer):
    """In strict mode, for tests, an impossible count raises where the span ends."""
    with pytest.raises(Exception, match="whole number") as raised:
        model_call(tracer, number=1, tokens={"gen_ai.usage.input_tokens": 1.5})
    assert not isinstance(raised.value, AspTelemetryError)


@pytest.mark.parametrize("make", [SimpleSpanProcessor, BatchSpanProcessor])
def test_the_exporter_records_whole_traces(recorded, make):
    """Behind any of the SDK's processors the exporter keeps parents, and counts each call once."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(make(Exporter()))
    tracer = provider.get_tracer("tests")
    with tracer.start_as_current_span("invoke_agent Planner", attributes=AGENT) as agent:
        model_call(tracer, number=1)
        agent.set_attributes(TOKENS)
    assert provider.force_flush(20_000)
    provider.shutdown()
    rows = named(recorded)
    assert rows["chat gpt-4o-mini"]["parent_id"] == rows["Planner"]["correlation_id"]
    assert sums(recorded)["Tokens_In"] == 100


def test_an_exported_span_is_recorded_once(recorded, tracer, provider):
    """A batch that is exported again, after a time-out say, adds nothing."""
    model_call(tracer, number=1)
    exporter = Exporter()
    other = TracerProvider(shutdown_on_exit=False)
    other.add_span_processor(SimpleSpanProcessor(exporter))
    span = model_call(other.get_tracer("tests"), number=2)
    exporter.export([span])
    assert len(recorded.traces()) == 2
    other.shutdown()


def test_calls_of_many_threads_are_all_there(recorded, tracer):
    """Calls made in a pool of threads at once belong each to the agent that made it, and none is lost or doubled."""

    @asp.track_agent("Worker", name="agent")
    def agent(number):
        for call in range(20):
            model_call(tracer, number=f"{number}-{call}")

    with asp.span("ours"), asp.ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(agent, range(8)))
    assert sums(recorded)["Tokens_In"] == 8 * 20 * 100
    calls = recorded.rows(
        "SELECT count(*) AS calls FROM execution_traces WHERE kind = 'generation' GROUP BY parent_id"
    )
    assert [row["calls"] for row in calls] == [20] * 8


def test_spans_that_never_end_do_not_fill_the_memory():
    """What is remembered of open spans is bounded; the oldest are forgotten first."""
    kept = Bounded(3)
    for number in range(10):
        kept[number, number] = number
    assert list(kept.values()) == [7, 8, 9]


def test_a_missing_extra_is_named():
    """Without opentelemetry-sdk the import says what to install."""
    code = (
        "import sys; sys.modules['opentelemetry.sdk'] = None; import asp_telemetry.integrations.opentelemetry"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'pip install "asp-telemetry[opentelemetry]"' in done.stderr


@pytest.mark.crash
def test_a_killed_process_loses_no_span_that_had_ended(recorded):
    """A span that has ended is kept although its process is killed at once, inside an agent that never ends."""
    code = f"""
import os, signal
from opentelemetry.sdk.trace import TracerProvider
import asp_telemetry as asp
from asp_telemetry.integrations.opentelemetry import attach
asp.configure({recorded.url!r}, writer=False)
provider = TracerProvider()
attach(provider)
with asp.span("agent", kind="agent"):
    with provider.get_tracer("x").start_as_current_span("chat", attributes={ {**CHAT, **TOKENS}!r}):
        pass
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    command = [sys.executable, "-m", "asp_telemetry", "drain", "--database", recorded.url]
    subprocess.run(command, check=True, capture_output=True)
    connection = sqlite3.connect(recorded.path)
    names = [name for (name,) in connection.execute("SELECT name FROM execution_traces")]
    connection.close()
    assert names == ["chat"]
