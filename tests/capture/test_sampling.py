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
    assert len(recorded.metrics("Quality")) == found["code"]


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
