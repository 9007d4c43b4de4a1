"""Wakes a task of the writer's event loop, from any thread and from signal handlers."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Bell:
    """Be rung by anybody, and heard by the one task that waits for it, also if that comes to listen later."""

    def __init__(self) -> None:
        self._rung = False
        self._tell_loop: Callable[[], None] = _nothing
        self._event: Any = None

    def hang_up(self) -> None:
        """Belong to the loop that runs here."""
        import asyncio  # noqa: PLC0415 - imported in the writer's thread, not in the host's

        self._event = event = asyncio.Event()
        loop = asyncio.get_running_loop()

        def tell_loop() -> None:
            try:
                loop.call_soon_threadsafe(event.set)
            except RuntimeError:
                return  # the loop has just ended: nobody listens any more

        self._tell_loop = tell_loop

    def ring(self) -> None:
        """Wake who waits now, or spare the next one the wait."""
        self._rung = True
        self._tell_loop()

    async def wait(self, seconds: float) -> None:
        """Wait until the bell rings; one that has rung since the last wait need not ring again.

        Args:
            seconds: How long to wait at most.
        """
        import anyio  # noqa: PLC0415 - see hang_up

        if not self._rung:
            with anyio.move_on_after(seconds):
                await self._event.wait()
        self._event.clear()
        self._rung = False


def _nothing() -> None:
    """Wake nobody: the loop has not begun, and asks whether the bell has rung when it does."""
