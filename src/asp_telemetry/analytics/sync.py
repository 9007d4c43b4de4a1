"""The same questions for notebooks and scripts: an event loop in a thread of its own answers them."""

from typing import TYPE_CHECKING, Any, TypeVar

from asp_telemetry.analytics.blocking import Blocking
from asp_telemetry.analytics.families import Families

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from uuid import UUID

    from asp_telemetry.analytics.analytics import Analytics
    from asp_telemetry.analytics.rows import Rows
    from asp_telemetry.analytics.timeline import Moment
    from asp_telemetry.analytics.trace import Trace

R = TypeVar("R")


class SyncAnalytics(Blocking, Families):
    """Ask a database what was recorded, with `with`; `Analytics.sync()` makes it.

    Each method does what the one of `Analytics` does, and needs no event loop: it works in a notebook, too.
    """

    def __init__(self, analytics: "Analytics") -> None:
        super().__init__(analytics)
        self._analytics = analytics

    def trace(self, execution_or_root_id: "str | UUID") -> "Trace":
        """Return the whole trace that an execution belongs to; see `Analytics.trace`.

        Args:
            execution_or_root_id: The id of any execution in it or of its root; also a trace id of 32 digits.
        """
        return self._answer(self._analytics.trace, execution_or_root_id)

    def newest_trace_id(self, task_id: str) -> str:
        """Return the id of the trace in which something has run last for a task; see `Analytics.newest_trace_id`."""
        return self._answer(self._analytics.newest_trace_id, task_id)

    def timeline(self, execution_or_root_id: "str | UUID") -> "Rows[Moment]":
        """Return everything that happened in a trace, in order; see `Analytics.timeline`.

        Args:
            execution_or_root_id: As for `trace`.
        """
        return self._answer(self._analytics.timeline, execution_or_root_id)

    def answer(self, question: "Callable[[Analytics], Coroutine[Any, Any, R]]") -> R:
        """Answer anything that can be asked of `Analytics`.

        Args:
            question: Gets the `Analytics` and returns what is to be awaited.
        """
        return self._answer(question, self._analytics)
