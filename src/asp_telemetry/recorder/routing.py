"""Tells whose a record is: the program's, or that of a block which records apart from it, as tests do.

A block is known by a mark among the facts of its scope. It goes wherever the scope goes: to child executions, into tasks
of an event loop, into threads by `propagate`. As long as no block has ever been opened, nothing here is on the way of a
record.
"""

from typing import TYPE_CHECKING, Any

from asp_telemetry.capture import state
from asp_telemetry.journal.layout import SCOPE

if TYPE_CHECKING:
    from asp_telemetry.recorder.diversion import Diversion

BLOCK = "recording_block"
"""The fact of a scope that names the block; rows have no column for it."""

program: state.Append = state.unconnected
"""Where the program's own records go."""

diversions: "dict[str, Diversion]" = {}
"""The open blocks by their marks, the newest last."""

_in_use = False


def connect(append: state.Append) -> None:
    """Send the program's own records there from now on."""
    global program
    program = append
    if not _in_use:
        state.append = append


def divert(diversion: "Diversion") -> None:
    """Give a block the records that bear its mark.

    What bears the mark and ends after the block must not reach the program's database: so records are looked at for
    the rest of the process's life.
    """
    global _in_use
    diversions[diversion.mark] = diversion
    _in_use = True
    state.append = _route


def undivert(diversion: "Diversion") -> None:
    """Let records that bear the mark of a block go nowhere from now on."""
    diversions.pop(diversion.mark, None)


def newest() -> "Diversion | None":
    """Return the block that was opened last, of those that are still open."""
    return next(reversed(diversions.values()), None)


def here() -> "Diversion | None":
    """Return the block that the calling code is in."""
    if not diversions:
        return None
    span = state.get_current()
    mark = state.default_scope.facts.get(BLOCK) if span is None else mark_of(span)
    return None if mark is None else diversions.get(mark)


def mark_of(span: state.SpanList) -> str | None:
    """Return the mark of the block that an execution belongs to; None if it is the program's."""
    scope = span[SCOPE]
    mark: str | None = None if scope is None else scope.facts.get(BLOCK)
    return mark


def _route(kind: int, status: int, duration: int, span: list[Any], payload: bytes | None) -> bool:
    mark = span[SCOPE].facts.get(BLOCK)
    if mark is None:
        return program(kind, status, duration, span, payload)
    diversion = diversions.get(mark)
    return diversion is not None and diversion.recorder.append(kind, status, duration, span, payload)
