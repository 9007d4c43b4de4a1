"""Metrics add up: whatever agents run inside whatever agents, the sums are what has happened."""

import asyncio
import threading
from collections import Counter

import pytest
from capture_answers import chat

import asp_telemetry as asp


@asp.track_tool
def tool():
    return "found"


@asp.track(kind="generation")
def generate():
    return chat()


@asp.track_agent("Worker", version="2")
def worker():
    """Spend 100 + 20 tokens, 0.25 dollars, two tool calls and one retry."""
    answer = generate()
    asp.current_span().attempt()
    asp.current_span().record_cost("0.25")
    tool()
    tool()
    return answer


@asp.track_agent("Worker", name="aworker")
async def aworker():
    await asyncio.sleep(0)
    answer = worker.__wrapped__()
    await asyncio.sleep(0)
    return answer


SPENT = {"Tokens_In": 100, "Tokens_Out": 20, "API_Cost": 0.25, "Tool_Calls": 2, "Retries": 1}


def sums(recorded, where="1"):
    """Add up each metric type, without the prices that are computed from the tokens of the stub answers."""
    rows = recorded.rows(
        f"SELECT metric_type, sum(metric_value) AS total FROM agent_cost_vector WHERE {where} "
        "AND NOT (metric_type = 'API_Cost' AND llm_model IS NOT NULL) GROUP BY 1"
    )
    return {row["metric_type"]: row["total"] for row in rows if row["metric_type"] != "Latency"}


def latencies(recorded):
    """Count the latency rows by role and by whether they are nested."""
    return Counter((row["agent_role"], row["nested"]) for row in recorded.metrics("Latency"))


def times(number):
    """Return what a number of workers has spent."""
    return {name: pytest.approx(value * number) for name, value in SPENT.items()}


def test_one_agent_is_what_it_spent(recorded):
    """The metrics of one agent and its tools and generations are what they have used, each in one place."""
    worker()
    assert sums(recorded) == times(1)
    assert latencies(recorded) == {("Worker", 0): 1}


def test_every_row_names_where_it_happened(recorded):
    """A metric names the execution that it was measured in, under role and version of the nearest agent."""
    worker()
    rows = recorded.rows(
        "SELECT t.name, c.agent_role, c.agent_version, c.metric_type, c.metric_unit FROM agent_cost_vector AS c "
        "JOIN execution_traces AS t USING (correlation_id) WHERE c.agent_role = 'Worker'"
    )
    found = sorted((row["name"], row["metric_type"], row["metric_unit"]) for row in rows)
    assert found == [
        ("generate", "API_Cost", "USD"),
        ("generate", "Tokens_In", "tokens"),
        ("generate", "Tokens_Out", "tokens"),
        ("tool", "Tool_Calls", "count"),
        ("tool", "Tool_Calls", "count"),
        ("worker", "API_Cost", "USD"),
        ("worker", "Latency", "ms"),
        ("worker", "Retries", "count"),
    ]
    by_agent = {row["agent_version"] for row in rows}
    assert by_agent == {"2"}


def test_agents_in_sequence_add_up(recorded):
    """Agents one after the other, in one task or in none, add up to what they spent together."""
    with asp.task("T"):
        worker()
        worker()
    worker()
    assert sums(recorded) == times(3)
    assert sums(recorded, "task_id = 'T'") == times(2)
    assert latencies(recorded) == {("Worker", 0): 3}


def test_agents_inside_agents_never_double(recorded):
    """An agent around other agents adds only its own latency, and theirs is marked as nested."""

    @asp.track_agent("Lead")
    def lead():
        worker()
        tool()
        return worker()

    @asp.track_agent("Boss")
    def boss():
        return lead()

    boss()
    expected = times(2)
    expected["Tool_Calls"] = 5
    assert sums(recorded) == expected
    assert sums(recorded, "agent_role = 'Lead'") == {"Tool_Calls": 1}
    assert sums(recorded, "agent_role = 'Boss'") == {}
    assert latencies(recorded) == {("Boss", 0): 1, ("Lead", 1): 1, ("Worker", 1): 2}


def test_all_rows_of_a_nested_agent_are_marked(recorded):
    """The nested mark stands on the rows of an agent inside another, and on none of the outer one's."""

    @asp.track_agent("Lead")
    def lead():
        worker()

    with asp.task("T"):
        lead()
        worker()
    rows = recorded.rows(
        "SELECT c.nested, t.name, p.name AS parent FROM agent_cost_vector AS c "
        "JOIN execution_traces AS t USING (correlation_id) "
        "LEFT JOIN execution_traces AS p ON p.correlation_id = t.parent_id WHERE t.name IN ('worker', 'lead')"
    )
    assert {(row["name"], row["parent"]): row["nested"] for row in rows} == {
        ("lead", "task"): 0,
        ("worker", "lead"): 1,
        ("worker", "task"): 0,
    }


def test_an_agent_in_another_task_is_not_nested(recorded):
    """An agent that works on another task than the agent around it is the outermost of its task."""

    @asp.track_agent("Helper")
    def helper(task_id):
        worker()

    @asp.track_agent("Lead")
    def lead(task_id):
        helper("other")
        helper(task_id)
        with asp.task("third"):
            worker()

    lead("T")
    rows = recorded.metrics("Latency")
    assert Counter((row["task_id"], row["agent_role"], row["nested"]) for row in rows) == {
        ("T", "Lead", 0): 1,
        ("T", "Helper", 1): 1,
        ("T", "Worker", 1): 1,
        ("other", "Helper", 0): 1,
        ("other", "Worker", 1): 1,
        ("third", "Worker", 0): 1,
    }


async def test_agents_in_parallel_add_up_in_asyncio(recorded):
    """Agents that an agent runs at the same time add up, all of them nested."""

    @asp.track_agent("Lead")
    async def lead():
        await asyncio.gather(*(aworker() for _ in range(10)))
        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(aworker())

    await asyncio.gather(lead(), lead())
    assert await asyncio.to_thread(sums, recorded) == times(40)
    assert await asyncio.to_thread(latencies, recorded) == {("Lead", 0): 2, ("Worker", 1): 40}


def test_agents_in_parallel_add_up_in_threads(recorded):
    """Agents in the threads of a pool add up, nested where the agent was carried along, and not where not."""

    @asp.track_agent("Lead")
    def lead():
        with asp.ThreadPoolExecutor(max_workers=4) as pool:
            for future in [pool.submit(worker) for _ in range(20)]:
                future.result()
        alone = [threading.Thread(target=worker) for _ in range(5)]
        for thread in alone:
            thread.start()
        for thread in alone:
            thread.join()

    lead()
    assert sums(recorded) == times(25)
    assert latencies(recorded) == {("Lead", 0): 1, ("Worker", 1): 20, ("Worker", 0): 5}


def test_agents_inside_generators_add_up(recorded):
    """An agent that streams adds up with what it runs between its items, and with nothing of its consumer's."""

    @asp.track_agent("Streamer")
    def stream():
        for _ in range(3):
            worker()
            yield "text"

    for _ in stream():
        tool()
    expected = times(3)
    expected["Tool_Calls"] = 9
    expected["Time_To_First_Token"] = pytest.approx(0, abs=60_000)
    assert sums(recorded) == expected
    assert sums(recorded, "agent_role = 'tool'") == {"Tool_Calls": 3}
    assert latencies(recorded) == {("Streamer", 0): 1, ("Worker", 1): 3}


def test_an_agent_that_fails_has_spent_all_the_same(recorded):
    """Retries, tokens and latency of an agent that raised are counted like those of one that returned."""

    @asp.track_agent("Worker")
    def failing():
        worker.__wrapped__()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        failing()
    assert sums(recorded) == times(1)
    assert latencies(recorded) == {("Worker", 0): 1}


def test_a_tool_outside_of_any_agent_counts_under_its_own_name(recorded):
    """A tool call without an agent is counted too, and its task is its trace."""
    tool()
    (row,) = recorded.metrics("Tool_Calls")
    assert (row["agent_role"], row["metric_value"], row["agent_version"]) == ("tool", 1, None)
    assert row["task_id"] == row["correlation_id"]


def test_iterations_keep_apart(recorded):
    """Rows carry the round of the agent that they belong to, also those of its tools."""
    for number in (1, 2):
        with asp.span("Code", kind="agent", iteration=number):
            tool()
    rows = recorded.metrics()
    assert Counter((row["metric_type"], row["agent_iteration"]) for row in rows) == {
        ("Latency", 1): 1,
        ("Latency", 2): 1,
        ("Tool_Calls", 1): 1,
        ("Tool_Calls", 2): 1,
    }
    assert [row["agent_iteration"] for row in recorded.traces()] == [1, 1, 2, 2]


def test_retries_are_counted_where_they_happen(recorded):
    """`attempt` adds to the innermost execution, any number of times, and no attempt means no row."""
    with asp.span("agent", kind="agent") as agent:
        agent.attempt()
        with asp.span("call") as call:
            for _ in range(3):
                asp.current_span().attempt()
        tool()
    rows = {row["correlation_id"]: row["metric_value"] for row in recorded.metrics("Retries")}
    assert rows == {agent.id: 1, call.id: 3}


def test_latency_is_the_wall_time(recorded):
    """An agent's latency is the duration of its execution."""
    worker()
    (latency,) = recorded.metrics("Latency")
    (trace,) = [row for row in recorded.traces() if row["name"] == "worker"]
    assert latency["metric_value"] == pytest.approx(trace["duration_ms"])
    assert (latency["correlation_id"], latency["metric_unit"]) == (trace["correlation_id"], "ms")


def test_metrics_of_one_s_own_are_stored(recorded):
    """Any metric can be recorded, several times, with the value kept to its last digit."""
    with asp.span("agent", kind="agent") as span:
        span.record_metric("Memory_Usage", 12.5, "MB")
        span.record_metric("Quality", "0.00003", "score")
        span.record_metric("Quality", 3, "score")
        span.record_metric("M" * 500, 0, "u" * 500)
    rows = [(row["metric_type"], row["metric_value"], row["metric_unit"]) for row in recorded.metrics()]
    assert rows[1:4] == [("Memory_Usage", 12.5, "MB"), ("Quality", 0.00003, "score"), ("Quality", 3, "score")]
    assert (len(rows[4][0]), len(rows[4][2])) == (50, 20)
