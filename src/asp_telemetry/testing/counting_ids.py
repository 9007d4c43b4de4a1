"""Makes ids count from a given number, so that a test can name the whole record it expects."""

import os
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Self

from asp_telemetry.capture import state

if TYPE_CHECKING:
    from collections.abc import Callable


class CountingIds:
    """Number executions and defects 1, 2, 3, ... in the whole process, with `with` or `async with`.

    An execution's id is the start of its trace in nanoseconds followed by its own number: together with `FixedClock` it
    is the same in every run. Use it where records are captured, since a database must not see the same ids twice.

    Args:
        start: The first number, at least 1.

    Example:
        >>> import asp_telemetry as asp
        >>> from asp_telemetry.testing import FixedClock, capture
        >>> with capture(), FixedClock("2026-01-01T00:00:00Z"), CountingIds():
        ...     with asp.span("plan") as span:
        ...         print(span.id)
        18867251-edfa-0000-0000-000000000001
    """

    def __init__(self, start: int = 1) -> None:
        if start < 1:
            raise ValueError(f"start={start!r} is no id; use 1 or more")
        self._start = start
        self._before: Callable[[], int] | None = None
        self._process = 0

    def __enter__(self) -> Self:
        self._process = os.getpid()
        self._before = state.use_ids(count(self._start).__next__)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A child that was forked inside has ids of its own by now: with the parent's it would repeat them.
        if self._before is not None and os.getpid() == self._process:
            state.use_ids(self._before)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)
