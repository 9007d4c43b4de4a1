"""Finds what a trace has waited for, moment by moment: the path that has to get shorter for the whole to get shorter.

Going backwards from the end, the execution that was waited for is always the child that ended last before that moment;
where no child was running it was the parent itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from asp_telemetry.analytics.execution import TracedExecution
from asp_telemetry.analytics.intervals import milliseconds


@dataclass(frozen=True, slots=True)
class Step:
    """Be one stretch of the critical path: the execution that was waited for, from when to when, in ms how long."""

    execution_id: str
    name: str
    started_at: datetime
    completed_at: datetime
    duration_ms: float


def critical_path(
    roots: Sequence[TracedExecution], end_of: Callable[[TracedExecution], datetime]
) -> tuple[Step, ...]:
    """Return the critical path of a trace in order of time.

    Args:
        roots: The executions without a parent.
        end_of: Tells when an execution ended, also one that has not told.
    """
    if not roots:
        return ()
    begin, end = min(root.started_at for root in roots), max(end_of(root) for root in roots)
    steps: list[Step] = []
    # The latest stretch on top; a trace may be deeper than Python's own stack.
    waiting = _waited_for(None, roots, begin, end, end_of)
    while waiting:
        stretch = waiting.pop()
        execution = stretch.execution
        if execution is None:
            continue  # between two roots there is nobody to be waited for
        if stretch.is_own:
            steps.append(
                Step(
                    execution.id,
                    execution.name,
                    stretch.begin,
                    stretch.end,
                    milliseconds(stretch.end - stretch.begin),
                )
            )
        else:
            waiting.extend(_waited_for(execution, execution.children, stretch.begin, stretch.end, end_of))
    return tuple(reversed(steps))


class _Stretch(NamedTuple):
    """Be a stretch of time in which an execution was waited for: for itself, or with all that it has called."""

    execution: TracedExecution | None
    begin: datetime
    end: datetime
    is_own: bool


def _waited_for(
    owner: TracedExecution | None,
    children: Sequence[TracedExecution],
    begin: datetime,
    end: datetime,
    end_of: Callable[[TracedExecution], datetime],
) -> list[_Stretch]:
    """Divide the time of an execution among itself and the children that it waited for, in order of time."""
    found: list[_Stretch] = []
    moment = end
    for child in sorted(children, key=end_of, reverse=True):
        child_begin, child_end = max(child.started_at, begin), min(end_of(child), moment)
        if child_begin < child_end:
            if child_end < moment:
                found.append(_Stretch(owner, child_end, moment, is_own=True))
            found.append(_Stretch(child, child_begin, child_end, is_own=False))
            moment = child_begin
    if begin < moment:
        found.append(_Stretch(owner, begin, moment, is_own=True))
    return found[::-1]
