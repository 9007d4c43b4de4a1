"""Blocks that become rows of their own beside the executions: when they begin and end, and what they belong to."""

from collections.abc import Callable
from os import getpid
from time import perf_counter_ns, time_ns
from types import TracebackType
from typing import Any, ClassVar, Self

from asp_telemetry.capture import state
from asp_telemetry.capture.definition import Site
from asp_telemetry.capture.facts import begin_where_none_is, send
from asp_telemetry.capture.lifecycle import fail, finish
from asp_telemetry.guard import trouble
from asp_telemetry.ids import execution_uuid
from asp_telemetry.journal.layout import FLAGS, Flag, Kind

_UNSAMPLED = int(Flag.UNSAMPLED)
_WAITING, _OPEN, _ENDED, _IGNORED = range(4)


class Block:
    """Be a block of code that becomes one record at its end; usable with `with` and `async with`.

    Outside of any execution it begins one of its own, without which its row had no session and no user, and nobody but
    the service role might see it.

    Attributes:
        id: The id of the row, a UUID; of a block that is not recorded, one that begins with zeros.
    """

    __slots__ = ("_clock", "_own", "_phase", "_process", "_recording", "_span", "_started", "id")

    kind: ClassVar[Kind]
    what: ClassVar[str]

    def __init__(self) -> None:
        self.id = execution_uuid(0, 0)
        self._clock = 0
        self._phase = _WAITING
        self._recording = 0
        self._own: state.SpanList | None = None
        self._span: state.SpanList | None = None

    def _site(self) -> Site:
        """Say what is executed, if the block has to begin an execution."""
        raise NotImplementedError

    def _facts(self, error: BaseException | None) -> dict[str, Any]:
        """Return what is known at the end, by column."""
        raise NotImplementedError

    def _enter(self, span: state.SpanList) -> None:
        """Do what else is due when the block begins."""

    def _leave(self) -> None:
        """Undo that."""

    def _note(self, what: str, add: Callable[[], object]) -> None:
        """Take a note while the block is open; never raises but when strict, and takes none of the block's time."""
        if self._phase == _OPEN:
            begun = perf_counter_ns()
            try:
                add()
            except Exception as error:
                trouble(f"{what}() of {self.what} failed", error)
            finally:
                self._recording += perf_counter_ns() - begun
        elif self._phase != _IGNORED:
            trouble(
                f"{what}() of {self.what} came outside of its block", remedy="call it inside the with block"
            )

    def elapsed(self) -> int:
        """Return how long the block has run, in ns, without what recording in it took."""
        # Never below zero, which no column takes: some virtual machines set their clock back by a millisecond or two.
        return max(perf_counter_ns() - self._clock - self._recording, 0)

    def begin(self) -> None:
        """Begin the block."""
        if not state.enabled:
            self._phase = _IGNORED
            return
        self._own = begin_where_none_is(self._site())
        span = self._span = state.get_current()
        self._started = time_ns()
        is_left_out = span is None or span[FLAGS] & _UNSAMPLED
        self.id = execution_uuid(0 if is_left_out else self._started, state.next_id())
        if span is not None:
            self._enter(span)
        self._process = getpid()
        self._recording = 0
        self._phase = _OPEN
        self._clock = perf_counter_ns()

    def end(self, error: BaseException | None = None) -> None:
        """End the block, by itself or because of an exception; what comes later is not recorded."""
        if self._phase != _OPEN:
            return
        duration = self.elapsed()
        span, own, self._span, self._own = self._span, self._own, None, None
        self._phase = _ENDED
        try:
            self._leave()
            # A child forked inside the block leaves it, too; and a trace is left out with everything in it.
            if span is not None and self._process == getpid() and not span[FLAGS] & _UNSAMPLED:
                facts = {"id": self.id, "started_ns": self._started, "duration_ns": duration}
                send(self.kind, facts | self._facts(error), span)
        except Exception as failure:
            trouble(f"{self.what} could not be recorded", failure)
        finally:
            if own is not None and error is None:
                finish(own)
            elif own is not None and error is not None:
                fail(own, error)

    def __enter__(self) -> Self:
        try:
            self.begin()
        except Exception as error:
            trouble(f"{self.what} could not begin", error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end(error)


def add_bounded(items: list[Any], item: Any, limit: int = 1_000) -> None:
    """Append an item to a list that has not reached its limit."""
    if len(items) < limit:
        items.append(item)
