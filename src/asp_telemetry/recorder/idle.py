"""Stands in where there is no recorder: before the first record, when recording is off, when it cannot be set up."""

from typing import Any

from asp_telemetry.recorder.recorder import FlushResult


class Idle:
    """Answer for a process that records nothing, and count what it therefore loses."""

    def __init__(self) -> None:
        self._lost = 0
        self._error: str | None = None

    def refuse(self, error: Exception) -> None:
        """Take note of why nothing can be recorded."""
        self._error = f"{type(error).__name__}: {error}"

    def append(
        self, _kind: int, _status: int, _duration: int, _span: list[Any], _payload: bytes | None
    ) -> bool:
        """Count a record that is lost."""
        self._lost += 1
        return False

    def result(self) -> FlushResult:
        """Return what a flush finds: all is well only if nothing was lost."""
        return FlushResult(complete=self._error is None, pending=0, rejected=0, dropped=self._lost, sinks={})

    def figures(self) -> dict[str, Any]:
        """Return the figures that a recorder would, as they are without one."""
        return {
            "accepted": self._lost,
            "stored": 0,
            "pending": 0,
            "rejected": 0,
            "dropped": self._lost,
            "sinks": {},
            "drop_reasons": {"configuration": self._lost} if self._lost else {},
            "queue_bytes": 0,
            "lag_seconds": 0.0,
            "unavailable_seconds": None,
            "last_error": self._error,
            "heartbeat_seconds": None,
            "writer_alive": False,
            "journal": None,
            "journal_trouble": None,
            "destination": None,
        }
