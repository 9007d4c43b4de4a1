"""Bootstrap metrics: how far a capability of the agents has learned to do without a person."""

from typing import TYPE_CHECKING, Any

from asp_telemetry.capture.facts import send, stated
from asp_telemetry.guard import trouble
from asp_telemetry.journal.layout import Kind

if TYPE_CHECKING:
    from datetime import datetime


def record_bootstrap(
    capability: str,
    *,
    mode: str,
    tasks_completed: int,
    tasks_required: int,
    metric: str,
    value: float,
    target: float,
    direction: str,
    period_start: "datetime | None" = None,
    period_end: "datetime | None" = None,
    secondary_metrics: dict[str, Any] | None = None,
    graduation_criteria_met: bool | None = None,
    graduation_notes: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> None:
    """Record one measurement of a capability.

    Args:
        capability: Such as `"PROBE_AI"` or `"ReviewAgent_Code"`.
        mode: Learning, Shadow or Autonomous.
        tasks_completed: How many tasks it has been measured on.
        tasks_required: How many it needs to graduate, at least 1.
        metric: The name of its primary metric, such as `"MAPE"`.
        value: The metric's value.
        target: The value to reach.
        direction: lower_is_better or higher_is_better.
        period_start: Begin of the period measured, with time zone; now if left out.
        period_end: End of the period measured, with time zone; now if left out.
        secondary_metrics: More measures by name.
        graduation_criteria_met: Whether it may graduate.
        graduation_notes: Why, or what is missing.
        metadata: Any values by name.

    Example:
        >>> import asp_telemetry as asp
        >>> asp.record_bootstrap("PROBE_AI", mode="Shadow", tasks_completed=15, tasks_required=20, metric="MAPE",
        ...     value=18.2, target=20, direction="lower_is_better")
    """
    facts: dict[str, Any] = {
        "capability_name": capability, "capability_mode": mode, "tasks_completed": tasks_completed,
        "tasks_required_for_graduation": tasks_required, "primary_metric_name": metric,
        "primary_metric_value": value, "primary_metric_target": target, "metric_direction": direction,
        "secondary_metrics_json": secondary_metrics, "graduation_criteria_met": graduation_criteria_met,
        "graduation_notes": graduation_notes, "metadata": metadata,
    }  # fmt: skip
    try:
        for name, moment in (
            ("measurement_period_start", period_start),
            ("measurement_period_end", period_end),
        ):
            facts[name] = None if moment is None else moment.isoformat()
        send(Kind.BOOTSTRAP, stated(facts))
    except Exception as error:
        trouble("record_bootstrap() was called with wrong arguments", error)
