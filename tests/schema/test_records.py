"""The records: what they refuse, and how they read what the database holds."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from pydantic import ValidationError

from asp_telemetry.records import AgentCostVector, BootstrapMetrics, DefectLog, TaskMetadata

NOW = datetime(2026, 1, 15, 9, tzinfo=UTC)
METRIC = {
    "timestamp": NOW, "task_id": "T", "agent_role": "Code", "metric_type": "API_Cost", "metric_value": "0.00003",
    "metric_unit": "USD",
}  # fmt: skip
DEFECT = {
    "defect_id": "D", "created_at": NOW, "task_id": "T", "defect_type": "x", "phase_injected": "Code",
    "phase_removed": "Test", "description": "d",
}  # fmt: skip


def test_money_is_exact():
    """A metric value is a Decimal with the ten places of the column, whichever type it came as."""
    assert AgentCostVector(**METRIC).metric_value == Decimal("0.00003")
    assert AgentCostVector(**METRIC | {"metric_value": 0.1 + 0.2}).metric_value == Decimal("0.3000000000")


def test_times_are_utc():
    """Database text counts as UTC, other offsets are converted, and a time of nowhere is refused."""
    berlin = timezone(timedelta(hours=1))
    assert AgentCostVector(**METRIC | {"timestamp": "2026-01-15 09:00:00.000000"}).timestamp == NOW
    assert AgentCostVector(**METRIC | {"timestamp": NOW.astimezone(berlin)}).timestamp.tzinfo is UTC
    with pytest.raises(ValidationError, match="timezone"):
        AgentCostVector(**METRIC | {"timestamp": NOW.replace(tzinfo=None)})


def test_json_columns_are_parsed():
    """JSON text from the database arrives as the value it stands for; lists of text as tuples."""
    task = TaskMetadata(
        task_id="T", created_at=NOW, updated_at=NOW, metadata='{"a": [1]}', components_affected='["a.py"]'
    )
    assert (task.metadata, task.components_affected) == ({"a": [1]}, ("a.py",))


def test_facts_are_frozen():
    """A record cannot be changed after it was made."""
    with pytest.raises(ValidationError, match="frozen"):
        AgentCostVector(**METRIC).task_id = "other"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("metric_value", -1), ("metric_value", float("nan")), ("metric_value", float("inf")), ("metric_value", 1e14),
        ("task_id", "x" * 101), ("agent_iteration", 2**31), ("metadata", "{"), ("metadata", '{"a": NaN}'),
        ("metadata", "[" * 100_000), ("surprise", 1),
    ],
)  # fmt: skip
def test_bad_metrics_are_refused(name, value):
    """Values that the column cannot hold are refused before they reach it."""
    with pytest.raises(ValidationError):
        AgentCostVector(**METRIC | {name: value})


def test_a_defect_is_removed_in_another_phase():
    """A defect that would be removed where it was injected is refused with the remedy."""
    with pytest.raises(ValidationError, match="name the later phase"):
        DefectLog(**DEFECT | {"phase_removed": "Code"})


def test_a_defect_is_resolved_after_it_was_made():
    """A resolution before the creation is refused."""
    with pytest.raises(ValidationError, match="lies before created_at"):
        DefectLog(**DEFECT | {"resolved_at": NOW - timedelta(seconds=1)})


def test_capabilities_need_a_direction():
    """Nobody can record a capability without saying in which direction its metric improves."""
    with pytest.raises(ValidationError, match="metric_direction"):
        BootstrapMetrics(
            measured_at=NOW, measurement_period_start=NOW, measurement_period_end=NOW, capability_name="PROBE_AI",
            capability_mode="Shadow", tasks_completed=1, tasks_required_for_graduation=20, primary_metric_name="MAPE",
            primary_metric_value=1, primary_metric_target=2,
        )  # fmt: skip
