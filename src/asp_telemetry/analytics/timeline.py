"""Tells a trace in the order in which it happened."""

from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from asp_telemetry.analytics.events import Event, described
from asp_telemetry.analytics.execution import TracedExecution
from asp_telemetry.analytics.rows import Rows
from asp_telemetry.analytics.trace import Trace


@dataclass(frozen=True, slots=True)
class Moment:
    """Be one thing that happened.

    Attributes:
        at: When, in UTC.
        what: started, ended, routing, hook, endpoint or transformation.
        execution_id: The execution that it happened to, or in.
        name: What it concerns, for people.
        status: How it ended; None for a beginning.
        duration_ms: How long it took, in ms, where that is known.
        depth: How deep in the trace's tree, from 0.
    """

    at: datetime
    what: str
    execution_id: str
    name: str
    status: str | None
    duration_ms: float | None
    depth: int


def timeline(trace: Trace) -> Rows[Moment]:
    """Return everything that happened in a trace, in order.

    Args:
        trace: The trace.
    """
    moments: list[Moment] = []
    # Depth first, so that what bears the same microsecond stays in the order of cause and effect when it is sorted.
    waiting: list[tuple[int, TracedExecution | Event | Moment]] = [
        (0, root) for root in reversed(trace.roots)
    ]
    while waiting:
        depth, found = waiting.pop()
        if isinstance(found, Moment):
            moments.append(found)
        elif not isinstance(found, TracedExecution):
            moments.append(_told(found, depth))
        else:
            moments.append(Moment(found.started_at, "started", found.id, found.name, None, None, depth))
            if found.completed_at is not None:
                waiting.append((depth, _ended(found, found.completed_at, depth)))
            waiting.extend((depth + 1, one) for one in reversed(found.inside))
    moments.extend(_told(event, 0) for event in trace.unattached)
    return Rows(sorted(moments, key=attrgetter("at")))


def _ended(execution: TracedExecution, at: datetime, depth: int) -> Moment:
    return Moment(at, "ended", execution.id, execution.name, execution.status, execution.duration_ms, depth)


def _told(event: Event, depth: int) -> Moment:
    kind, name, status = described(event)
    return Moment(event.started_at, kind, event.execution_id, name, status, event.duration_ms, depth)
