"""What a capability was measured to be, with the decision that follows: what is shown and recorded."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from asp_telemetry.bootstrap.capability import Capability, Mode
from asp_telemetry.bootstrap.decision import Decision, missed_targets
from asp_telemetry.bootstrap.evidence import Reading
from asp_telemetry.bootstrap.recorded import Recorded

_GREATEST = 999_999.0
"""The column holds numbers below a million."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Be one measurement of one capability.

    Attributes:
        capability: Its name.
        mode: Learning, Shadow or Autonomous.
        tasks_completed: On how many tasks it could be measured in this mode.
        tasks_required: How many it takes to graduate.
        tasks_measured: How many it was measured on now, the newest.
        metric: The primary measure's name.
        value: Its value in percent; None where there is nothing to measure yet.
        target: The value to reach, in percent.
        direction: lower_is_better or higher_is_better.
        measures: More measures by name: those with targets in percent, others as they are.
        graduation_criteria_met: Whether it may graduate; in Autonomous, whether it may stay.
        missing: What is missing for that: sentences.
        alarm: Why it should take a step back; else None.
        suggested_mode: The mode that it should go to; None if it should stay.
        notes: The decision in words.
        period_start: The end of the first task measured; None where there is none.
        period_end: The end of the last.
        recorded: Whether this measurement was recorded; one that says nothing new is not.
        unit: The unit of the value and the target.
        basis: What the measures rest on, in words; empty where the tasks say it.
    """

    capability: str
    mode: Mode
    tasks_completed: int
    tasks_required: int
    tasks_measured: int
    metric: str
    value: float | None
    target: float
    direction: str
    measures: dict[str, float]
    graduation_criteria_met: bool
    missing: tuple[str, ...]
    alarm: str | None
    suggested_mode: Mode | None
    notes: str
    period_start: datetime | None
    period_end: datetime | None
    recorded: bool = False
    unit: str = "%"
    basis: str = ""

    def says_nothing_new(self, newest: Recorded | None) -> bool:
        """Tell whether the same was recorded last time.

        Args:
            newest: What was recorded last; None if nothing was.
        """
        return (
            newest is not None
            and self.value is not None
            and (newest.mode, newest.tasks_completed, newest.period_end)
            == (self.mode, self.tasks_completed, self.period_end)
            and abs(float(newest.value) - self.value) < 0.0001
        )


def measured(capability: Capability, reading: Reading, decision: Decision) -> Measurement:
    """Put together what a capability was measured to be and what follows.

    Args:
        capability: What was measured.
        reading: What it was measured to be.
        decision: What follows.
    """
    ends = [task.ended_at for task in reading.tasks]
    return Measurement(
        capability.name,
        decision.mode,
        decision.tasks,
        capability.tasks_required,
        len(reading.tasks),
        capability.primary.name,
        None if reading.value is None else round(min(reading.value, _GREATEST), 4),
        capability.primary.value,
        capability.primary.direction,
        {name: round(value, 4) for name, value in reading.measures.items()},
        decision.criteria_met,
        decision.missing,
        decision.alarm,
        decision.suggested_mode,
        decision.text,
        min(ends, default=None),
        max(ends, default=None),
        basis=decision.basis,
    )


def columns(
    found: Measurement,
    capability: Capability,
    reading: Reading,
    moment: datetime,
    mode_since: datetime | None,
) -> dict[str, Any]:
    """Return the columns of `bootstrap_metrics` for a measurement.

    Args:
        found: The measurement; it has a value.
        capability: What was measured.
        reading: What it was measured to be.
        moment: When.
        mode_since: Since when it has been in its mode; None if always.
    """
    metadata: dict[str, Any] = {
        "missed": bool(missed_targets(capability, reading)),
        "tasks_measured": found.tasks_measured,
        "suggested_mode": found.suggested_mode,
        "alarm": found.alarm is not None,
    }
    if mode_since is not None:
        metadata["mode_since"] = mode_since.isoformat()
    return {
        "measured_at": _text(moment),
        "measurement_period_start": _text(found.period_start or moment),
        "measurement_period_end": _text(found.period_end or moment),
        "capability_name": found.capability,
        "capability_mode": found.mode,
        "tasks_completed": found.tasks_completed,
        "tasks_required_for_graduation": found.tasks_required,
        "primary_metric_name": found.metric,
        "primary_metric_value": found.value,
        "primary_metric_target": found.target,
        "metric_direction": found.direction,
        "secondary_metrics_json": orjson.dumps(found.measures).decode(),
        "graduation_criteria_met": found.graduation_criteria_met,
        "graduation_notes": found.notes,
        "metadata": orjson.dumps(metadata).decode(),
    }


def moved(
    found: Measurement,
    capability: Capability,
    reading: Reading,
    moment: datetime,
    mode: Mode,
    note: str | None = None,
) -> dict[str, Any]:
    """Return the columns of the first row in another mode, in which no task has been measured yet.

    Args:
        found: The measurement that it follows from; it has a value.
        capability: What was measured.
        reading: What it was measured to be.
        moment: When.
        mode: The mode.
        note: Why, in the words of who has decided.
    """
    went = f"went from {found.mode} to {mode}"
    fresh = replace(
        found,
        mode=mode,
        tasks_completed=0,
        graduation_criteria_met=False,
        alarm=None,
        suggested_mode=None,
        notes=went if note is None else f"{went}: {note}",
    )
    return columns(fresh, capability, reading, moment, moment)


def after(moment: datetime, newest: Recorded | None) -> datetime:
    """Return the moment, or if the clock has not moved on since the newest measurement, the next after that.

    Args:
        moment: The time by the clock.
        newest: The newest measurement that is recorded; None if there is none.

    Returns:
        A microsecond after the newest at least.
    """
    if newest is None:
        return moment
    return max(moment, newest.measured_at + timedelta(microseconds=1))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
