"""A measurement as it was recorded, and since when its capability has been in its mode."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Recorded:
    """Be one row of `bootstrap_metrics`; values of the capabilities measured here are in percent."""

    measured_at: datetime
    period_start: datetime
    period_end: datetime
    capability: str
    mode: str
    tasks_completed: int
    tasks_required: int
    metric: str
    value: Decimal
    target: Decimal
    direction: str
    measures: Any
    graduation_criteria_met: bool | None
    notes: str | None
    metadata: Any

    @property
    def missed(self) -> bool:
        """Whether a target was missed: the primary one, or as it says itself one of the others."""
        if isinstance(self.metadata, dict) and self.metadata.get("missed") is not None:
            return bool(self.metadata["missed"])
        return self.value > self.target if self.direction == "lower_is_better" else self.value < self.target


def mode_since(history: Sequence[Recorded]) -> datetime | None:
    """Return since when a capability has been in its mode; None if always.

    Args:
        history: What was recorded of it, the newest first.
    """
    if not history:
        return None
    newest = history[0]
    said = newest.metadata.get("mode_since") if isinstance(newest.metadata, dict) else None
    if isinstance(said, str):
        return datetime.fromisoformat(said)
    first = newest
    for row in history:
        if row.mode != newest.mode:
            return first.period_start
        first = row
    return None if newest.mode == "Learning" else first.period_start
