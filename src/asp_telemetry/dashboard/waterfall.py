"""Lays a trace out as a waterfall: a line for each execution and event, with a bar from its begin to its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Final

from asp_telemetry.analytics import Trace, TracedExecution
from asp_telemetry.analytics.events import Endpoint, Event, Hook, Transformation, described
from asp_telemetry.capture.endpoints import HTTP_ERROR

_LEAST_WIDTH: Final = 0.4
"""In percent: what took no time is seen all the same."""
_LOOKS: Final = {
    "success": "good",
    "in_progress": "running",
    "error": "bad",
    "timeout": "bad",
    "abandoned": "stopped",
    "cancelled": "stopped",
}
_STEPS: Final = (
    *(size * digit for size in (0.01, 0.1, 1, 10, 100) for digit in (1, 2, 5)),
    *(seconds * 1_000 for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800)),
    *(hours * 3_600_000 for hours in (1, 2, 4, 6, 12, 24)),
)
"""Between marks of the time, in ms."""
_MOST_MARKS: Final = 6
_LAST_MARK: Final = 86.0
"""In percent: behind it there is no room for the words of a mark."""


@dataclass(frozen=True, slots=True)
class Line:
    """Be one line of a waterfall.

    Attributes:
        depth: How deep in the tree, from 0.
        id: The execution; of an event the one that it happened in.
        is_event: Whether it is an event within an execution.
        kind: task, agent, generation, tool, ..., or routing, hook, endpoint, transformation.
        name: What it is called.
        status: How it ended; None where that is not told.
        error: What went wrong, in a word; None if nothing did.
        look: How its bar is drawn: good, bad, stopped, running or event.
        waited_for: Whether the trace has waited for it at some moment.
        begins_ms: How long after the begin of the trace it began, in ms.
        duration_ms: How long it took, in ms; None while it runs, or where that is not known.
        left: Where its bar begins, in percent of the whole width.
        width: How wide its bar is, in percent.
        tokens_in: Its own input tokens.
        tokens_out: Its own output tokens.
        cost_usd: Its own cost in USD; None where it has none.
    """

    depth: int
    id: str
    is_event: bool
    kind: str
    name: str
    status: str | None
    error: str | None
    look: str
    waited_for: bool
    begins_ms: float
    duration_ms: float | None
    left: str
    width: str
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: Decimal | None = None


def waterfall(trace: Trace) -> Sequence[Line]:
    """Return the lines of a trace, parents before what is inside them, in the order of their start.

    Args:
        trace: The trace.
    """
    waited_for = {step.execution_id for step in trace.critical_path}
    return [
        _of_execution(trace, depth, found, found.id in waited_for)
        if isinstance(found, TracedExecution)
        else _of_event(trace, depth, found)
        for depth, found in trace.walk_all()
    ]


def scale(trace: Trace) -> Sequence[tuple[str, float]]:
    """Return where marks of the time stand, the first at the begin: percent of the width, and ms since the begin.

    Args:
        trace: The trace.
    """
    whole = trace.duration_ms
    if not whole:
        return [("0", 0.0)]
    days = whole / _STEPS[-1]
    step = next(
        (step for step in _STEPS if whole / step <= _MOST_MARKS), ceil(days / _MOST_MARKS) * _STEPS[-1]
    )
    marks = [count * step for count in range(_MOST_MARKS + 1)]
    return [(f"{at / whole * 100:.3f}", at) for at in marks if at / whole * 100 <= _LAST_MARK]


def _of_execution(trace: Trace, depth: int, found: TracedExecution, waited_for: bool) -> Line:
    error = found.error_type if found.status not in {"success", "in_progress"} else None
    left, width = _place(trace, found.started_at, found.duration_ms, runs=found.status == "in_progress")
    return Line(
        depth, found.id, False, found.kind or "span", found.name, found.status, error, _LOOKS[found.status],
        waited_for, _since(trace, found.started_at), found.duration_ms, left, width, found.own.tokens_in,
        found.own.tokens_out, found.own.cost_usd or None,
    )  # fmt: skip


def _of_event(trace: Trace, depth: int, event: Event) -> Line:
    kind, name, status = described(event)
    failed = isinstance(event, Endpoint | Transformation) and event.success is False
    error = event.error_message if isinstance(event, Hook) else getattr(event, "error_type", None)
    if isinstance(event, Hook):
        failed = _LOOKS.get(event.status) == "bad"
    left, width = _place(trace, event.started_at, event.duration_ms, runs=False)
    return Line(
        depth, event.execution_id, True, kind, name, status, None if error in {status, HTTP_ERROR} else error,
        "bad" if failed else "event", False, _since(trace, event.started_at), event.duration_ms, left, width,
    )  # fmt: skip


def _since(trace: Trace, moment: datetime) -> float:
    return (moment - trace.started_at) / timedelta(milliseconds=1)


def _place(trace: Trace, started_at: datetime, duration_ms: float | None, *, runs: bool) -> tuple[str, str]:
    whole = trace.duration_ms or 1.0
    # An event that the clock of another machine has dated stays in the picture.
    left = min(max(_since(trace, started_at) / whole * 100, 0.0), 100 - _LEAST_WIDTH)
    width = 100.0 if runs else (duration_ms or 0.0) / whole * 100
    return f"{left:.3f}%", f"{min(max(width, _LEAST_WIDTH), 100 - left):.3f}%"
