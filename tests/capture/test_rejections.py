"""Facts that the database refuses are put aside with the reason, and everything around them is stored."""

import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest

import asp_telemetry as asp

BOOTSTRAP = {
    "mode": "Shadow", "tasks_completed": 15, "tasks_required": 20, "metric": "MAPE", "value": 18.2, "target": 20,
    "direction": "lower_is_better",
}  # fmt: skip
DEFECT = {
    "task_id": "T", "defect_type": "x", "phase_injected": "Code", "phase_removed": "Test", "description": "d",
}  # fmt: skip


@asp.track_agent("Code")
def work():
    asp.current_span().record_metric("Tool_Calls", 3, "count")


def rejected(recorded):
    """Return what was refused, with the record parsed."""
    rows = recorded.rows("SELECT record, reason FROM rejected_records ORDER BY id")
    return [(json.loads(row["record"]), row["reason"]) for row in rows]


def test_a_bootstrap_metric_is_stored(recorded):
    """`record_bootstrap` stores a measurement, with the moment as its period if none is given."""
    asp.record_bootstrap(
        "PROBE_AI", **BOOTSTRAP, secondary_metrics={"bias": 0.1}, graduation_criteria_met=True,
        graduation_notes="soon", metadata={"by": "ana"},
    )  # fmt: skip
    (row,) = recorded.rows("SELECT * FROM bootstrap_metrics")
    assert row.items() >= {
        "capability_name": "PROBE_AI", "capability_mode": "Shadow", "tasks_completed": 15,
        "tasks_required_for_graduation": 20, "primary_metric_name": "MAPE", "primary_metric_value": 18.2,
        "primary_metric_target": 20.0, "metric_direction": "lower_is_better", "graduation_criteria_met": 1,
        "graduation_notes": "soon", "secondary_metrics_json": '{"bias":0.1}', "metadata": '{"by":"ana"}',
    }.items()  # fmt: skip
    assert row["measured_at"] == row["measurement_period_start"] == row["measurement_period_end"]


def test_a_bootstrap_period_is_stored_in_utc(recorded):
    """Times of any zone are stored as UTC."""
    start = datetime(2026, 1, 15, 9, 30, tzinfo=timezone(timedelta(hours=2)))
    asp.record_bootstrap(
        "PROBE_AI", **BOOTSTRAP, period_start=start, period_end=datetime(2026, 2, 1, tzinfo=UTC)
    )
    (row,) = recorded.rows("SELECT * FROM bootstrap_metrics")
    assert row["measurement_period_start"] == "2026-01-15 07:30:00.000000"
    assert row["measurement_period_end"] == "2026-02-01 00:00:00.000000"


def test_wrong_arguments_of_record_bootstrap_are_counted_and_harmless(recorded):
    """A period that is no time does not raise in the caller; it is counted."""
    asp.configure(recorded.url, replace=True)
    asp.record_bootstrap("PROBE_AI", **BOOTSTRAP, period_start="last week")
    work()
    assert len(recorded.traces()) == 1
    assert sum(asp.stats()["troubles"].values()) == 1


def record_task(**facts):
    asp.update_task("T", **facts)


def record_defect(**facts):
    asp.log_defect(**DEFECT | facts)


def record_bootstrap(**facts):
    asp.record_bootstrap("PROBE_AI", **BOOTSTRAP | facts)


@pytest.mark.parametrize(
    ("record", "facts", "named"),
    [
        (record_task, {"bootstrap_phase": "learning"}, "bootstrap_phase"),
        (record_task, {"status": "done"}, "status"),
        (record_task, {"estimated_complexity": "high"}, "estimated_complexity"),
        (record_task, {"actual_complexity": 2**40}, "actual_complexity"),
        (record_task, {"components_affected": "src/a.py"}, "components_affected"),
        (record_task, {"human_reviewed": 2}, "human_reviewed"),
        (record_defect, {"severity": "urgent"}, "severity"),
        (record_defect, {"phase_removed": "Code"}, "phase_injected <> phase_removed"),
        (record_defect, {"line_number": "top"}, "line_number"),
        (record_defect, {"description": None}, "description"),
        (record_bootstrap, {"mode": "shadow"}, "capability_mode"),
        (record_bootstrap, {"tasks_completed": -1}, "tasks_completed"),
        (record_bootstrap, {"tasks_required": 0}, "tasks_required_for_graduation"),
        (record_bootstrap, {"value": math.nan}, "primary_metric_value"),
        (record_bootstrap, {"value": 1e9}, "primary_metric_value"),
        (record_bootstrap, {"direction": "down"}, "metric_direction"),
    ],
)
def test_invalid_facts_are_put_aside_with_the_reason(recorded, record, facts, named):
    """A fact outside its list or range stands in `rejected_records` with the column's name; the rest is stored."""
    work()
    record(**facts)
    work()
    record()
    ((_, reason),) = rejected(recorded)
    assert named in reason
    assert len(recorded.traces()) == 2
    assert len(recorded.metrics("Tool_Calls")) == 2
    table = {
        record_task: "task_metadata",
        record_defect: "defect_log",
        record_bootstrap: "bootstrap_metrics",
    }[record]
    expected = 0 if record is record_task else 1  # the second call of record_task says nothing
    assert len(recorded.rows(f"SELECT * FROM {table}")) == expected
    figures = asp.stats()
    assert figures["rejected"] == 1
    assert figures["accepted"] == figures["stored"] + figures["rejected"]


def test_a_rejected_record_shows_what_was_refused(recorded):
    """What was put aside holds the refused values, so that nothing is lost."""
    record_defect(severity="urgent", defect_id="D-7")
    ((record, _),) = rejected(recorded)
    assert record["change"] == "DEFECT"
    assert (record["row"]["defect_id"], record["row"]["severity"]) == ("D-7", "urgent")


def test_an_invalid_fact_does_not_cost_the_task(recorded):
    """A task that is entered with a fact that is refused still has its row, its status and its costs."""
    with asp.task("T", bootstrap_phase="learning", project_id="P"):
        work()
    (row,) = recorded.rows("SELECT * FROM task_metadata")
    assert (row["task_id"], row["status"], row["project_id"]) == ("T", "completed", "P")
    assert {trace["name"] for trace in recorded.traces()} == {"task", "work"}
    ((_, reason),) = rejected(recorded)
    assert "bootstrap_phase" in reason


def test_many_invalid_facts_among_many_valid_ones(recorded):
    """Each refused record stands alone in `rejected_records`, however many there are in one batch."""
    for number in range(300):
        asp.update_task(f"T-{number}", bootstrap_phase="Learning" if number % 50 else "wrong")
    assert len(rejected(recorded)) == 6
    (row,) = recorded.rows("SELECT count(*) AS number FROM task_metadata")
    assert row["number"] == 294


@pytest.mark.parametrize("name", ["project_id", "task_type", "user_id"])
def test_over_long_identifiers_of_a_task_are_shortened(recorded, name):
    """An identifier that does not fit its column is shortened with a digest, not refused."""
    with asp.task("T", **{name: "x" * 500}):
        pass
    asp.update_task("T2", **{name: "x" * 500})
    rows = recorded.rows(f"SELECT {name} AS value FROM task_metadata")
    assert len({row["value"] for row in rows}) == 1
    assert "~" in rows[0]["value"]
    assert rejected(recorded) == []


@pytest.mark.parametrize(
    "name",
    ["task_id", "defect_id", "project_id", "defect_type", "phase_injected", "phase_removed", "function_name"],
)
def test_over_long_identifiers_of_a_defect_are_shortened(recorded, name):
    """The same holds for a defect, whose id is returned as it is stored."""
    defect = asp.log_defect(**DEFECT | {name: "x" * 500})
    (row,) = recorded.rows(f"SELECT defect_id, {name} AS value FROM defect_log")
    assert row["defect_id"] == defect
    assert "~" in row["value"]
    assert rejected(recorded) == []


def test_over_long_names_of_a_bootstrap_metric_are_shortened(recorded):
    """The same holds for the names of a capability and its metric."""
    asp.record_bootstrap("c" * 500, **BOOTSTRAP | {"metric": "m" * 500})
    (row,) = recorded.rows("SELECT capability_name AS c, primary_metric_name AS m FROM bootstrap_metrics")
    assert "~" in row["c"]
    assert "~" in row["m"]
