"""What the faces for notebooks and scripts share: an event loop in a thread of its own, between `with` and its end."""

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, ExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

T = TypeVar("T")


class Blocking:
    """Open something asynchronous with `with`, and ask it without `await`.

    Args:
        door: What is opened.
    """

    def __init__(self, door: AbstractAsyncContextManager[Any]) -> None:
        self._door = door
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> Self:
        """Begin."""
        self._portal = self._stack.enter_context(start_blocking_portal())
        self._stack.enter_context(self._portal.wrap_async_context_manager(self._door))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect, and end the thread."""
        self._portal = None
        self._stack.close()

    def _answer(self, question: Callable[..., Coroutine[Any, Any, T]], *values: Any) -> T:
        if self._portal is None:
            name = type(self._door).__name__
            raise RuntimeError(f"{name}.sync() was asked outside of its `with` block; ask inside it")
        answer: T = self._portal.call(question, *values)
        return answer
