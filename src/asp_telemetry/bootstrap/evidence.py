"""The rows that capabilities are measured on: finished tasks and defects, as both databases return them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

PHASES = ("Planning", "Design", "DesignReview", "Code", "CodeReview", "Test", "Postmortem")
_PLACES = {phase: place for place, phase in enumerate(PHASES)}


@dataclass(frozen=True, slots=True)
class EndedTask:
    """Be a completed task.

    Attributes:
        task_id: The task.
        begun_at: When it was begun.
        ended_at: When it was completed.
        units: Its semantic units: what it was taken apart into; None if it was not.
        reviewed: Whether a person has looked at it.
        corrections: What the person has corrected.
        components: The components that it touched.
        metadata: `error_prone_components` in it are those that an agent has warned of.
        reviews: The reviews that an agent has made of it: DesignReview, CodeReview.
    """

    task_id: str
    begun_at: datetime
    ended_at: datetime
    units: Any
    reviewed: bool | None
    corrections: Any
    components: Any
    metadata: Any
    reviews: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Defect:
    """Be a defect of a completed task.

    Attributes:
        defect_id: The defect.
        task_id: The task it was found in.
        created_at: When it was found.
        defect_type: Its type.
        phase_injected: The phase in which it was put in.
        phase_removed: The phase in which it was taken out.
        component_path: Where it was.
        flagged_by_agent: Whether an agent has found it.
        validated_by_human: Whether a person has confirmed it.
        false_positive: Whether a person has said that it is none.
        metadata: `predicted_type` in it is what an agent has predicted.
    """

    defect_id: str
    task_id: str
    created_at: datetime
    defect_type: str
    phase_injected: str
    phase_removed: str
    component_path: str | None
    flagged_by_agent: bool | None
    validated_by_human: bool | None
    false_positive: bool | None
    metadata: Any

    @property
    def is_real(self) -> bool:
        """Whether nobody has said that it is none."""
        return not self.false_positive

    def escaped(self, review: str) -> bool:
        """Tell whether it was there at a review, and was taken out only after it.

        Args:
            review: The phase of the review.
        """
        injected, removed = _PLACES.get(self.phase_injected), _PLACES.get(self.phase_removed)
        if injected is None or removed is None or not self.is_real:
            return False
        return injected < _PLACES[review] < removed


@dataclass(frozen=True, slots=True)
class Reading:
    """Be what a capability was measured to be.

    Attributes:
        value: The primary measure, in percent; None where there is nothing to measure yet.
        tasks: The tasks that it was measured on, the oldest first.
        available: The ends of all tasks that it could be measured on, the oldest first.
        measures: More measures by name: those with targets in percent, others as they are.
        finds: Of a review, how many judged finds the value rests on; None for others.
        basis: What it rests on, in words; empty where the tasks say it.
        worst_task: The task that did most to the value, where one did more than all others; else None.
    """

    value: float | None
    tasks: Sequence[EndedTask]
    available: Sequence[datetime]
    measures: dict[str, float]
    finds: int | None = None
    basis: str = ""
    worst_task: str | None = None
