"""Stops the clocks that executions read, so that start times and durations are the same in every run."""

import importlib
import pkgutil
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock
from types import ModuleType, TracebackType
from typing import Any, Self

import asp_telemetry.capture
from asp_telemetry.errors import AspTelemetryError

_START = datetime(2026, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Whose readings date what users do. The journal and the writer keep the true time: they have deadlines to meet.
_READERS = ("asp_telemetry.capture.", "asp_telemetry.integrations.")
_BACKGROUND = ("asp_telemetry.clock", "asp_telemetry.recorder.recorder")
_NANOSECONDS = 1_000_000_000
_active: "FixedClock | None" = None


class FixedClock:
    """Stop the time of executions in the whole process, with `with` or `async with`; it moves only when told to.

    Start and end of executions and their durations come from it; created_at and updated_at of a row are the moment that it
    shows when the writer comes to the record. The time of the program itself, of the journal and of the writer's deadlines
    goes on. An execution should begin and end on the same side.

    Args:
        start: The first moment: a datetime with time zone, or text in ISO 8601 with an offset.
        tick: By how much each reading of an execution's start or end moves the clock on, in seconds.

    Raises:
        ValueError: If the start has no time zone, or the tick is negative.

    Example:
        >>> import asp_telemetry as asp
        >>> from asp_telemetry.testing import capture
        >>> with capture() as recorded, FixedClock("2026-01-15T09:00:00Z") as clock:
        ...     with asp.span("plan"):
        ...         clock.advance(0.25)
        >>> [plan] = recorded.executions
        >>> str(plan.started_at), str(plan.completed_at), plan.duration_ms
        ('2026-01-15 09:00:00+00:00', '2026-01-15 09:00:00.250000+00:00', Decimal('250.000000'))
    """

    def __init__(self, start: datetime | str = _START, *, tick: float = 0.0) -> None:
        moment = datetime.fromisoformat(start) if isinstance(start, str) else start
        if moment.tzinfo is None:
            raise ValueError(
                f"start={start!r} has no time zone; write 2026-01-15T09:00:00Z or pass tzinfo=UTC"
            )
        self._wall = (moment - _EPOCH) // timedelta(microseconds=1) * 1000
        self._tick = _nanoseconds("tick", tick)
        self._elapsed = 0
        self._steady = 0
        self._lock = Lock()
        self._replaced: list[tuple[ModuleType, str, Any]] = []

    def advance(self, seconds: float) -> None:
        """Move the time on.

        Args:
            seconds: By how much, to the nanosecond.

        Raises:
            ValueError: If it would go back.
        """
        with self._lock:
            self._elapsed += _nanoseconds("seconds", seconds)

    @property
    def now(self) -> datetime:
        """The moment that the clock shows, in UTC."""
        return _EPOCH + timedelta(microseconds=self._time_ns() // 1000)

    def __enter__(self) -> Self:
        global _active
        if _active is not None:
            raise AspTelemetryError(
                "another FixedClock is in force; advance() that one, or leave its block first"
            )
        self._steady = time.perf_counter_ns() - self._elapsed
        for found in pkgutil.iter_modules(asp_telemetry.capture.__path__, "asp_telemetry.capture."):
            # What is imported later would read the true time.
            importlib.import_module(found.name)
        self._replace(
            _READERS, {time.time_ns: self._read_time_ns, time.perf_counter_ns: self._read_perf_counter_ns}
        )
        self._replace(_BACKGROUND, {time.time_ns: self._time_ns, time.perf_counter_ns: self._perf_counter_ns})
        _active = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        global _active
        for module, name, value in reversed(self._replaced):
            setattr(module, name, value)
        self._replaced.clear()
        _active = None

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _replace(self, modules: tuple[str, ...], clocks: dict[Callable[[], int], Callable[[], int]]) -> None:
        """Put our clock where modules have imported a true one: so nobody pays for it when it is not in use."""
        # Copied at once: the writer may be importing, and a dict that changes cannot be walked.
        for name, module in sys.modules.copy().items():
            if not name.startswith(modules):
                continue
            for variable, value in vars(module).copy().items():
                for true, ours in clocks.items():
                    if value is true:
                        self._replaced.append((module, variable, value))
                        setattr(module, variable, ours)

    def _time_ns(self) -> int:
        return self._wall + self._elapsed

    def _perf_counter_ns(self) -> int:
        return self._steady + self._elapsed

    def _read_time_ns(self) -> int:
        self._step()
        return self._time_ns()

    def _read_perf_counter_ns(self) -> int:
        self._step()
        return self._perf_counter_ns()

    def _step(self) -> None:
        if self._tick:
            with self._lock:
                self._elapsed += self._tick


def _nanoseconds(name: str, seconds: float) -> int:
    if not seconds >= 0:
        raise ValueError(f"{name}={seconds!r} would turn the time back; use 0 or more")
    return round(seconds * _NANOSECONDS)
