"""Under a caller's trace, or in a pool of processes, everything works as under a span of one's own."""

import pytest
import tenacity
from capture_answers import chat, chat_chunks
from carried_work import spend_in_a_process
from opentelemetry.sdk.trace import TracerProvider

import asp_telemetry as asp
from asp_telemetry.integrations.opentelemetry import Processor

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
CALLERS = {"plain": PARENT, "with a tracestate": {**PARENT, "tracestate": "vendor=1"}}
TOOLS = [{"message": {"tool_calls": [{"id": "1", "type": "function", "function": {"name": "search"}}]}}]


@pytest.fixture(params=CALLERS)
def caller(request, recorded):
    """Continue a caller's trace for the time of a test."""
    with asp.extract(CALLERS[request.param]):
        yield


@asp.track(kind="generation")
def ask():
    return chat()


def _defect():
    return asp.log_defect(
        defect_type="Logic", phase_injected="Code", phase_removed="Test", description="wrong"
    )


def total(recorded, metric):
    """Return the sum of a metric."""
    return sum(row["metric_value"] for row in recorded.metrics(metric))


def test_budgets_hold(recorded, caller):
    """A budget inside a caller's trace, or around it, refuses what crosses it."""
    with asp.budget(tokens=130) as inner:
        ask()
        with pytest.raises(asp.BudgetExceeded):
            ask()
    with asp.budget(tokens=130), asp.extract(PARENT):
        ask()
        with pytest.raises(asp.BudgetExceeded):
            ask()
    assert inner.spent.tokens == 120
    assert {row["root_id"].replace("-", "") for row in recorded.traces()} == {TRACE}


def test_tools_count_without_an_agent(recorded, caller):
    """A tool, and an answer that asks for one, count once where the agent is the caller's."""

    @asp.track_tool
    def search(task_id):
        return task_id

    search("TASK-001")
    with asp.span("step"):
        search("TASK-001")
    with asp.span("call", kind="generation") as call:
        call.record_usage({**chat(), "choices": TOOLS})
    assert total(recorded, "Tool_Calls") == 3
    assert [row["task_id"] for row in recorded.traces() if row["kind"] == "tool"] == ["TASK-001"] * 2


def test_instrumented_calls_count_once(recorded, caller):
    """A call that an OpenTelemetry instrumentation sees under a caller's trace is there, and counts once."""
    provider = TracerProvider()
    provider.add_span_processor(Processor())
    tracer = provider.get_tracer("tests")
    tokens = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20}
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini", **tokens}
    with tracer.start_as_current_span("chat", attributes=attributes):
        pass
    with asp.span("call", kind="generation") as call:
        with tracer.start_as_current_span("chat", attributes=attributes):
            pass
        call.record_usage(input_tokens=100, output_tokens=20, model="gpt-4o-mini")
    with tracer.start_as_current_span("run", attributes={"gen_ai.operation.name": "execute_tool"}):
        pass
    assert total(recorded, "Tokens_In") == 200
    assert total(recorded, "Tool_Calls") == 1


def test_streams_attempts_and_facts_are_recorded(recorded, caller):
    """Streams, attempts, tasks, contexts, defects and endpoint calls belong to the caller's trace."""

    @asp.track_attempts
    @tenacity.retry(stop=tenacity.stop_after_attempt(2), reraise=True)
    def outside_of_a_span():
        return "done"

    assert outside_of_a_span() == "done"
    asp.current_span().set(metadata={"of": "nobody"}, tags=["a"])
    list(asp.track_stream(iter(chat_chunks())))
    with asp.context(user_id="ana"), asp.task("TASK-001"), asp.span("op", kind="generation") as op:
        with op.attempt() as attempt:
            attempt.record_usage(chat())
        with asp.endpoint_call("rag", "GET", "/") as call:
            call.response(200)
        with asp.fixing(_defect()):
            ask()
    assert total(recorded, "Tokens_In") == 300
    assert {row["root_id"].replace("-", "") for row in recorded.traces()} == {TRACE}


@pytest.mark.parametrize("headers", [None, *CALLERS.values()])
def test_budgets_of_a_process_in_a_pool_hold(recorded, headers):
    """A budget that is opened in a pool's process is enforced there, whatever the trace has come with."""
    with asp.extract(headers or {}), asp.span("root"), asp.ProcessPoolExecutor(max_workers=1) as pool:
        assert pool.submit(spend_in_a_process, 3).result(timeout=60) == 1
    assert total(recorded, "Tokens_In") == 100
