"""A finished task knows what it cost and how many defects it has, however late the figures arrive."""

import json
import threading

import pytest

import asp_telemetry as asp


@asp.track_agent("Code")
def code(tokens=100, cost="0.5"):
    asp.current_span().record_usage(input_tokens=tokens, output_tokens=10, model="gpt-4o-mini")
    asp.current_span().record_cost(cost)


def defect(**facts):
    """Log a defect of task T."""
    given = {
        "task_id": "T", "defect_type": "6_Conventional_Code_Bug", "phase_injected": "Code", "phase_removed": "Test",
        "description": "off by one",
    }  # fmt: skip
    return asp.log_defect(**given | facts)


def figures(recorded):
    """Return the rolled-up figures of task T."""
    (row,) = recorded.rows("SELECT * FROM task_metadata WHERE task_id = 'T'")
    cost = row["actual_cost_vector_json"]
    return cost and json.loads(cost), row["defect_count"], row["defect_density"]


def test_costs_are_rolled_up(recorded):
    """The cost vector of a finished task adds up latency, tokens and dollars of all that it was billed for."""
    with asp.task("T"):
        code()
        code(tokens=7, cost="0.25")
    code()
    latency = sum(
        row["metric_value"]
        for row in recorded.rows(
            "SELECT * FROM agent_cost_vector WHERE task_id='T' AND metric_type='Latency'"
        )
    )
    cost, count, density = figures(recorded)
    assert cost == {"latency_ms": pytest.approx(latency), "tokens": 127, "api_cost_usd": 0.75}
    assert (count, density) == (0, None)


def test_a_failed_task_has_its_cost_too(recorded):
    """What a task cost before it failed is rolled up as well."""
    with pytest.raises(ValueError, match="no"), asp.task("T"):  # noqa: PT012 - what is in the block is the test
        code()
        raise ValueError("no")
    assert figures(recorded)[0]["tokens"] == 110


def test_nested_agents_are_counted_once(recorded):
    """The latency of an agent that runs inside another is not added to that of the other, and tokens never double."""

    @asp.track_agent("Lead")
    def lead():
        code()

    with asp.task("T"):
        lead()
    rows = {row["agent_role"]: row["metric_value"] for row in recorded.metrics("Latency")}
    cost, _, _ = figures(recorded)
    assert cost["tokens"] == 110
    assert cost["latency_ms"] == pytest.approx(rows["Lead"])


def test_a_task_without_costs_has_none(recorded):
    """A task that has recorded no price has no price, not one of zero."""
    with asp.task("T"):
        pass
    assert figures(recorded)[0] == {"latency_ms": None, "tokens": None, "api_cost_usd": None}


def test_figures_that_arrive_late_count(recorded):
    """What another thread records for a task after its end is added to its figures."""
    with asp.task("T", actual_complexity=4):
        code()
        late = asp.propagate(code)
    assert figures(recorded)[0]["tokens"] == 110
    thread = threading.Thread(target=late)
    thread.start()
    thread.join()
    defect()
    cost, count, density = figures(recorded)
    assert (cost["tokens"], cost["api_cost_usd"], count, density) == (220, 1.0, 1, 0.25)


def test_defects_are_counted_and_set_against_complexity(recorded):
    """A finished task has its number of defects, and their density per unit of actual complexity."""
    with asp.task("T", estimated_complexity=10):
        defect()
        defect()
        false_alarm = defect()
    assert figures(recorded)[1:] == (3, 0.3)
    asp.update_task("T", actual_complexity=8)
    assert figures(recorded)[1:] == (3, 0.375)
    asp.resolve_defect(false_alarm, false_positive=True)
    assert figures(recorded)[1:] == (2, 0.25)


def test_tasks_do_not_share_their_figures(recorded):
    """Each task has the figures of its own work only, also where one runs inside the other."""
    with asp.task("outer"):
        code(tokens=1)
        with asp.task("T"):
            code(tokens=100)
    assert figures(recorded)[0]["tokens"] == 110
    (outer,) = recorded.rows(
        "SELECT actual_cost_vector_json AS cost FROM task_metadata WHERE task_id = 'outer'"
    )
    assert json.loads(outer["cost"])["tokens"] == 11


def test_tasks_worked_on_by_many_threads_add_up(recorded):
    """Costs that many threads record for one task at the same time are all in its figures."""

    def work():
        for _ in range(20):
            with asp.task("T"):
                code(tokens=90, cost="0.01")

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cost, _, _ = figures(recorded)
    assert cost["tokens"] == 6 * 20 * 100
    assert cost["api_cost_usd"] == pytest.approx(1.2)
    (row,) = recorded.rows("SELECT status FROM task_metadata WHERE task_id = 'T'")
    assert row["status"] == "completed"
