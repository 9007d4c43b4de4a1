"""A whole trace: its tree, its sums, its critical path, and what is missing in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from asp_telemetry.analytics.critical_path import Step
from asp_telemetry.analytics.events import Event
from asp_telemetry.analytics.execution import Figures, TracedExecution


@dataclass(frozen=True)
class Trace:
    """Be one trace, from its root to its leaves.

    Attributes:
        root_id: The id that all its executions share.
        asked_for: The execution that was asked for; None where the root's id was given.
        roots: The executions without a parent here, in the order of their start; one, if the trace is whole.
        totals: What all executions took together.
        started_at: When its first execution began.
        completed_at: When its last one ended; None while one is running.
        duration_ms: From the first begin to the last known end, in ms.
        critical_path: What the trace has waited for, moment by moment, in order.
        coordination_ms: How long no execution without children was running: the time that handing work around took.
        unattached: Events whose execution is not known.
        missing: What is missing, in sentences; empty if nothing is.
    """

    root_id: str
    asked_for: str | None
    roots: tuple[TracedExecution, ...]
    totals: Figures
    started_at: datetime
    completed_at: datetime | None
    duration_ms: float
    critical_path: tuple[Step, ...]
    coordination_ms: float
    unattached: tuple[Event, ...]
    missing: tuple[str, ...]

    @property
    def coordination_share(self) -> float:
        """The part of the trace's time that handing work around took, from 0 to 1."""
        return self.coordination_ms / self.duration_ms if self.duration_ms else 0.0

    def walk(self) -> Iterator[tuple[int, TracedExecution]]:
        """Yield every execution with its depth, parents before children, in the order of their start."""
        for depth, found in self.walk_all():
            if isinstance(found, TracedExecution):
                yield depth, found

    def walk_all(self) -> Iterator[tuple[int, TracedExecution | Event]]:
        """Yield every execution and event with its depth, parents before what is inside them, in the order of their start."""
        waiting: list[tuple[int, TracedExecution | Event]] = [(0, root) for root in reversed(self.roots)]
        while waiting:
            depth, found = waiting.pop()
            yield depth, found
            if isinstance(found, TracedExecution):
                waiting.extend((depth + 1, one) for one in reversed(found.inside))
        for event in self.unattached:
            yield 0, event

    def find(self, execution_id: str) -> TracedExecution | None:
        """Return one execution of the trace; None if it is not in it.

        Args:
            execution_id: Its id.
        """
        return next((found for _, found in self.walk() if found.id == execution_id), None)
