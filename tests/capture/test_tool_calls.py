"""Calls of tools count once: asked for by an answer, run through `track_tool`, or both."""

import threading
from contextlib import nullcontext

import pytest

import asp_telemetry as asp
from asp_telemetry.capture.details import add_usage
from asp_telemetry.capture.span import operation_span
from asp_telemetry.usage import Usage


def answered(calls):
    """Be given an answer that asks for calls of tools."""
    add_usage(operation_span(), Usage(input_tokens=1, tool_calls=calls), None, explicit=False)


@asp.track_tool
def tool():
    return "found"


def run(times):
    for _ in range(times):
        tool()


def by_name(recorded):
    """Return the sum of tool calls by the execution that they stand at."""
    rows = recorded.rows(
        "SELECT t.name, t.kind, sum(c.metric_value) AS total FROM agent_cost_vector AS c JOIN execution_traces AS t "
        "USING (correlation_id) WHERE metric_type = 'Tool_Calls' GROUP BY 1"
    )
    return {row["name"]: row["total"] for row in rows}


@pytest.mark.parametrize(
    ("asked", "tracked", "rows"),
    [
        (0, 0, {}),
        (0, 2, {"tool": 2}),
        (2, 0, {"agent": 2}),
        (2, 2, {"tool": 2}),
        (3, 1, {"tool": 1, "agent": 2}),
        (1, 3, {"tool": 3}),
        (None, 1, {"tool": 1}),
    ],
)
@pytest.mark.parametrize("answer_first", [True, False], ids=["answer first", "answer last"])
def test_an_agent_s_calls_are_the_greater_of_asked_and_tracked(recorded, asked, tracked, rows, answer_first):
    """What was asked for and not tracked is added at the agent's end, whichever came first."""
    with asp.span("agent", kind="agent"):
        if answer_first:
            answered(asked)
        run(tracked)
        if not answer_first:
            answered(asked)
    assert by_name(recorded) == rows


def test_what_is_added_says_where_it_comes_from(recorded):
    """The added calls are a metric of the agent that names answers as its source."""
    with asp.span("agent", kind="agent", agent_role="Code"):
        answered(2)
    (row,) = recorded.metrics("Tool_Calls")
    assert (row["agent_role"], row["metric_value"], row["metric_unit"]) == ("Code", 2, "count")
    assert row["metadata"] == '{"source":"answer"}'


def test_each_agent_counts_its_own(recorded):
    """Answers and tools belong to the nearest agent, however deep inside it they are."""
    with asp.span("outer", kind="agent"):
        answered(1)
        with asp.span("inner", kind="agent"), asp.context(user_id="ana"), asp.span("step"):
            with asp.span("ask", kind="generation"):
                answered(5)
            with asp.context(tags=["x"]):
                run(2)
        with asp.span("step"):
            tool()
    assert by_name(recorded) == {"inner": 3, "tool": 3}


def test_without_an_agent_the_root_counts(recorded):
    """Outside of any agent what nobody tracked stands at the root of the trace."""
    with asp.task("T"):
        with asp.span("ask", kind="generation"):
            answered(3)
        tool()
    with asp.span("alone", kind="generation"):
        answered(4)
    assert by_name(recorded) == {"task": 2, "tool": 1, "alone": 4}


def test_a_tool_that_asks_by_itself(recorded):
    """A tool that calls a model counts as one call of its agent, and what its answer asks for comes on top."""
    with asp.span("agent", kind="agent"), asp.span("helper", kind="tool"):
        answered(3)
    with asp.span("lonely", kind="tool"):
        answered(2)
    assert by_name(recorded) == {"helper": 1, "agent": 2, "lonely": 3}


def test_reported_calls_count_as_tracked(recorded):
    """Calls that the user's own code reports as a metric are not added once more."""
    with asp.span("agent", kind="agent") as span:
        answered(3)
        span.record_metric("Tool_Calls", 3, "count")
    assert by_name(recorded) == {"agent": 3}


def test_an_answer_that_is_seen_twice_asks_once(recorded):
    """An answer with an id asks for its tools once, wherever it is met."""
    usage = Usage(response_id="chatcmpl-twice", input_tokens=1, tool_calls=2)
    with asp.span("agent", kind="agent"):
        for _ in range(2):
            with asp.span("ask"):
                add_usage(operation_span(), usage, None, explicit=False)
    assert by_name(recorded) == {"agent": 2}


def test_attempts_ask_for_their_agent(recorded):
    """An answer that an attempt got asks for the agent's tools."""
    with asp.span("agent", kind="agent"):
        with asp.span("ask", kind="generation") as ask:
            with ask.attempt():
                pass
            answered(2)
        tool()
    assert by_name(recorded) == {"tool": 1, "agent": 1}


def test_tools_in_threads_count(recorded):
    """Tools that run in a pool count at the agent that the pool was given them by."""
    with asp.span("agent", kind="agent"):
        answered(200)
        with asp.ThreadPoolExecutor(max_workers=8) as pool:
            for _ in range(200):
                pool.submit(tool)
    assert by_name(recorded) == {"tool": 200}


def test_more_tools_than_the_agent_can_count_are_never_doubled(recorded):
    """An agent that calls very many tools adds nothing to what was tracked."""
    with asp.span("agent", kind="agent"):
        answered(1500)
        run(1500)
    assert by_name(recorded) == {"tool": 1500}


@pytest.mark.parametrize("facts", [None, {"user_id": "ana"}], ids=["in itself", "in a context"])
def test_what_outlives_its_agent_counts_by_itself(recorded, facts):
    """Work that goes on after its agent has ended counts the calls it asks for once."""

    def later():
        go.wait(10)
        with asp.span("later"):
            answered(2)
            tool()

    go = threading.Event()
    with asp.span("agent", kind="agent"), asp.context(**facts) if facts else nullcontext():
        thread = threading.Thread(target=asp.propagate(later))
        thread.start()
    go.set()
    thread.join()
    assert by_name(recorded) == {"tool": 1, "later": 1}


def test_the_count_leaves_the_flags_alone(recorded):
    """Counting tools changes nothing else about the agent's rows."""
    with asp.span("outer", kind="agent"), asp.span("inner", kind="agent"):
        run(100)
        with asp.span("step"):
            tool()
    rows = recorded.metrics("Latency")
    assert {(row["agent_role"], row["nested"]) for row in rows} == {("outer", 0), ("inner", 1)}
    assert {row["nested"] for row in recorded.metrics("Tool_Calls")} == {1}
    assert {row["status"] for row in recorded.traces()} == {"success"}
    assert recorded.rows("SELECT * FROM execution_traces WHERE context ->> 'completed' IS NOT NULL") == []
