"""The same questions for notebooks and scripts: an event loop in a thread of its own answers them."""

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from asp_telemetry.analytics.families import Families

if TYPE_CHECKING:
    from uuid import UUID

    from asp_telemetry.analytics.analytics import Analytics
    from asp_telemetry.analytics.rows import Rows
    from asp_telemetry.analytics.timeline import Moment
    from asp_telemetry.analytics.trace import Trace

R = TypeVar("R")


class SyncAnalytics(Families):
    """Ask a database what was recorded, with `with`; `Analytics.sync()` makes it.

    Each method does what the one of `Analytics` does, and needs no event loop: it works in a notebook, too.
    """

    def __init__(self, analytics: "Analytics") -> None:
        self._analytics = analytics
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> Self:
        """Begin."""
        self._portal = self._stack.enter_context(start_blocking_portal())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect, and end the thread."""
        self._answer(self._analytics.close)
        self._portal = None
        self._stack.close()

    def trace(self, execution_or_root_id: "str | UUID") -> "Trace":
        """Return the whole trace that an execution belongs to; see `Analytics.trace`."""
        found: Trace = self._answer(self._analytics.trace, execution_or_root_id)
        return found

    def timeline(self, execution_or_root_id: "str | UUID") -> "Rows[Moment]":
        """Return everything that happened in a trace, in order; see `Analytics.timeline`."""
        found: Rows[Moment] = self._answer(self._analytics.timeline, execution_or_root_id)
        return found

    def answer(self, question: "Callable[[Analytics], Awaitable[R]]") -> R:
        """Answer anything that can be asked of `Analytics`.

        Args:
            question: Gets the `Analytics` and returns what is to be awaited.
        """
        found: R = self._answer(question, self._analytics)
        return found

    def _answer(self, question: Callable[..., Any], *values: Any) -> Any:
        if self._portal is None:
            raise RuntimeError("Analytics.sync() was asked outside of its `with` block; ask inside it")
        return self._portal.call(question, *values)
