"""Sampling keeps whole traces or none of them, and never touches what the user's code does."""

import random

import pytest

import asp_telemetry as asp


@asp.track_agent("Code")
def code():
    asp.current_span().record_metric("Quality", 1, "score")
    return asp.current_span().id


@pytest.mark.parametrize(("rate", "kept"), [(0.0, 0), (1.0, 300)])
def test_all_or_nothing(recorded, rate, kept):
    """A rate of 0 records no trace and one of 1 all of them; functions return what they return either way."""
    asp.configure(recorded.url, replace=True, strict=True, sample_rate=rate)
    assert len({code() for _ in range(300)}) == 300
    asp.configure(recorded.url, replace=True, strict=True)
    asp.track(abs)(1)
    assert len([row for row in recorded.traces() if row["name"] == "code"]) == kept


def test_traces_are_whole(recorded):
    """A trace is kept with everything in it, or left out with everything in it, failures included."""
    asp.configure(recorded.url, replace=True, strict=True, sample_rate=0.5)
    for number in range(200):
        with asp.task(f"T-{number}") as task, asp.span("inner"):
            code()
            task.set(task_type="t")
        with pytest.raises(ValueError, match="no"), asp.span("failing"):
            raise ValueError("no")
    rows = recorded.rows("SELECT name, count(*) AS number FROM execution_traces GROUP BY name")
    found = {row["name"]: row["number"] for row in rows}
    assert found["task"] == 200  # tasks are facts: they are never left out
    assert found["inner"] == found["code"]
    assert 50 < found["inner"] < 150
    assert 50 < found["failing"] < 150
    assert len(recorded.metrics("Quality")) == 200  # metrics are costs: see below


def unsampled_tasks(recorded):
    """Work on tasks none of whose traces is kept."""
    asp.configure(recorded.url, replace=True, strict=True, sample_rate=0.0)
    with asp.task("T") as task:
        task.set(task_type="t")
        asp.log_defect(defect_type="x", phase_injected="Code", phase_removed="Test", description="d")
    return recorded.rows("SELECT task_type, status FROM task_metadata")


def test_facts_are_not_sampled(recorded):
    """Facts of tasks and defects are kept, also where the trace that they were told in is not."""
    assert [row["task_type"] for row in unsampled_tasks(recorded)] == ["t"]
    assert [row["task_id"] for row in recorded.rows("SELECT task_id FROM defect_log")] == ["T"]
    assert [row["kind"] for row in recorded.traces()] == ["task"]


def test_a_task_whose_trace_is_left_out_is_completed(recorded):
    """A task that has ended says so, also where its trace is not kept."""
    assert [row["status"] for row in unsampled_tasks(recorded)] == ["completed"]


def test_the_host_s_random_numbers_are_left_alone(recorded):
    """A program that has seeded `random` gets the same numbers with sampling as without."""
    asp.configure(recorded.url, replace=True, strict=True, sample_rate=0.5)
    random.seed(7)
    expected = [random.random() for _ in range(3)]
    random.seed(7)
    found = []
    for _ in range(3):
        code()
        found.append(random.random())
    assert found == expected


@asp.track(kind="generation", model="gpt-4o-mini")
def generate(fails=False):
    asp.current_span().record_usage(
        input_tokens=1000, output_tokens=100, model="gpt-4o-mini", provider="openai"
    )
    asp.current_span().attempt()
    if fails:
        raise ValueError("no")


def work(number):
    """Do the work of one task: a model call that succeeds, one that fails, a tool, a fix."""
    with asp.task(f"T-{number}"), asp.span("Code", kind="agent", metadata={"a": 1}):
        generate()
        with pytest.raises(ValueError, match="no"):
            generate(fails=True)
        asp.track_tool(abs)(1)
        defect = asp.log_defect(defect_type="x", phase_injected="Code", phase_removed="Test", description="d")
        with asp.fixing(defect):
            generate()
    return defect


SUMS = (
    "SELECT metric_type, count(*) AS rows, sum(metric_value) AS total FROM agent_cost_vector "
    "WHERE metric_type <> 'Latency' GROUP BY 1 ORDER BY 1"
)


@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_sums_of_money_are_true_at_any_rate(recorded, rate):
    """Tokens, cost, tool calls and retries add up to the same whatever the sample rate is, exactly once."""
    asp.configure(recorded.url, replace=True, strict=True, sample_rate=rate)
    for number in range(20):
        work(number)
    totals = {row["metric_type"]: (row["rows"], round(row["total"], 10)) for row in recorded.rows(SUMS)}
    assert totals == {
        "API_Cost": (60, 0.0126), "Retries": (60, 60.0), "Tokens_In": (60, 60_000.0), "Tokens_Out": (60, 6_000.0),
        "Tool_Calls": (20, 20.0),
    }  # fmt: skip
    assert len(recorded.metrics("Latency")) == 20
    kept = recorded.rows("SELECT count(*) AS n FROM execution_traces WHERE kind <> 'task'")[0]["n"]
    assert kept % 6 == 0
    assert kept == {0.0: 0, 1.0: 120}.get(rate, kept)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_roll_ups_of_tasks_and_fixes_are_true_at_any_rate(recorded, rate):
    """The actual cost of a task, and the effort of a fix, do not depend on the sample rate."""
    asp.configure(recorded.url, replace=True, strict=True, sample_rate=rate)
    work(1)
    (task,) = recorded.rows(
        "SELECT status, json_extract(actual_cost_vector_json, '$.tokens') AS tokens, "
        "json_extract(actual_cost_vector_json, '$.api_cost_usd') AS usd, "
        "json_extract(actual_cost_vector_json, '$.latency_ms') AS latency FROM task_metadata"
    )
    assert (task["status"], task["tokens"], task["usd"]) == ("completed", 3300, 0.00063)
    assert task["latency"] > 0
    (defect,) = recorded.rows(
        "SELECT json_extract(effort_to_fix_json, '$.tokens') AS tokens, "
        "json_extract(effort_to_fix_json, '$.latency_ms') AS latency FROM defect_log"
    )
    assert defect["tokens"] == 1100
    assert defect["latency"] > 0


def test_costs_of_traces_left_out_can_be_left_out_too(recorded):
    """With `sample_costs=False` a trace that is left out leaves nothing but the facts of its tasks and defects."""
    asp.configure(recorded.url, replace=True, strict=True, sample_rate=0.0, sample_costs=False)
    work(1)
    assert recorded.metrics() == []
    assert [row["kind"] for row in recorded.traces()] == ["task"]


def test_the_contents_of_traces_left_out_stay_out(recorded):
    """Of a trace that is left out only numbers are kept: no arguments, results, metadata, errors or calls."""
    asp.configure(recorded.url, replace=True, strict=True, sample_rate=0.0, capture_content=True)

    @asp.track_agent("Code")
    def secret(prompt):
        asp.current_span().set(metadata={"private": prompt}, output="private")
        with asp.endpoint_call("private", "GET", "/private") as call:
            call.response(200)
        generate()
        raise ValueError("private")

    with pytest.raises(ValueError, match="private"):
        secret("private")
    assert len(recorded.metrics("API_Cost")) == 1
    assert b"private" not in recorded.path.read_bytes()


def test_the_decision_follows_from_the_trace_id(recorded):
    """Whether a trace is kept can be worked out anew from its id, so every process comes to the same decision."""
    asp.configure(recorded.url, replace=True, strict=True, sample_rate=0.5)
    decided = {}
    for _ in range(200):
        with asp.span("root") as span:
            headers = asp.inject()
            decided[span.root_id] = headers["traceparent"].endswith("-01")
    kept = {row["root_id"] for row in recorded.traces()}
    assert kept == {root for root, is_kept in decided.items() if is_kept}
    for root, is_kept in decided.items():
        number = int(root.replace("-", ""), 16)
        high, low = number >> 64, number & (1 << 64) - 1
        assert ((high ^ low) * 0x9E3779B97F4A7C15 % 2**64 < 2**63) == is_kept
