"""Measures what would have been recorded if somebody had measured all along, each time on what was known by then."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from asp_telemetry.bootstrap.capability import CAPABILITIES, Capability, Mode
from asp_telemetry.bootstrap.decision import decide
from asp_telemetry.bootstrap.measurement import columns, measured, moved
from asp_telemetry.bootstrap.reading import Evidence, read_capability
from asp_telemetry.bootstrap.recorded import Recorded, mode_since

_TICK = timedelta(microseconds=1)


def course(
    evidence: Evidence,
    moments: Iterable[datetime],
    *,
    is_wanted: Callable[[str], bool],
    note: str,
    capabilities: Sequence[Capability] = CAPABILITIES,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of `bootstrap_metrics`, in the order of time; whoever may graduate does, and alarms are followed.

    What follows from the last measurement is left to be decided.

    Args:
        evidence: What was measured on.
        moments: When to measure, the earliest first; with a time zone.
        is_wanted: Tells of a task id whether the task counts.
        note: Why somebody takes the step back that an alarm suggests.
        capabilities: What is measured.
    """
    histories: dict[str, list[Recorded]] = {capability.name: [] for capability in capabilities}
    all_moments = tuple(moments)
    for moment in all_moments:
        known = evidence.narrowed(is_wanted, moment)
        for capability in capabilities:
            history = histories[capability.name]
            decides = note if moment != all_moments[-1] else None
            for row in _rows(capability, known, history, moment, decides):
                history.insert(0, _recorded(row))
                yield row


def _rows(
    capability: Capability, known: Evidence, history: Sequence[Recorded], moment: datetime, note: str | None
) -> Iterator[dict[str, Any]]:
    reading = read_capability(capability, known)
    found = measured(capability, reading, decide(capability, reading, history))
    if found.value is None or found.says_nothing_new(history[0] if history else None):
        return
    yield columns(found, capability, reading, moment, mode_since(history))
    mode: Mode | None = found.suggested_mode
    if mode is not None and note is not None:
        reason = None if found.alarm is None else note
        yield moved(found, capability, reading, moment + _TICK, mode, reason)


def _recorded(row: dict[str, Any]) -> Recorded:
    """Return a row as it will be read."""
    return Recorded(
        measured_at=_moment(row["measured_at"]),
        period_start=_moment(row["measurement_period_start"]),
        period_end=_moment(row["measurement_period_end"]),
        capability=row["capability_name"],
        mode=row["capability_mode"],
        tasks_completed=row["tasks_completed"],
        tasks_required=row["tasks_required_for_graduation"],
        metric=row["primary_metric_name"],
        value=row["primary_metric_value"],
        target=row["primary_metric_target"],
        direction=row["metric_direction"],
        measures=orjson.loads(row["secondary_metrics_json"]),
        graduation_criteria_met=row["graduation_criteria_met"],
        notes=row["graduation_notes"],
        metadata=orjson.loads(row["metadata"]),
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
