"""Sets facts for everything inside a block, and carries the current span into other threads."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from asp_telemetry.capture import state
from asp_telemetry.capture.encoder import identifier
from asp_telemetry.capture.lifecycle import child_frame, leave_out_of_turn
from asp_telemetry.guard import trouble
from asp_telemetry.journal.layout import SCOPE

P = ParamSpec("P")
R = TypeVar("R")


class Frame:
    """Put a stand-in for the current span around what a block tracks; usable with `with` and `async with`."""

    __slots__ = ("_frame", "_outer")

    def __init__(self) -> None:
        self._frame: state.SpanList | None = None
        self._outer: state.SpanList | None = None

    def made(self, outer: state.SpanList | None) -> state.SpanList | None:
        """Make the stand-in; None leaves the block what surrounds it."""
        raise NotImplementedError

    def __enter__(self) -> None:
        try:
            self._outer = state.get_current()
            self._frame = self.made(self._outer)
            if self._frame is not None:
                state.set_current(self._frame)
        except Exception as error:
            trouble(f"{type(self).__name__.lower()}() failed", error)

    def __exit__(self, *_: object) -> None:
        if self._frame is None:
            return
        if state.get_current() is self._frame:
            state.set_current(self._outer)
        else:
            leave_out_of_turn(self._frame)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()


class Context(Frame):
    """Put facts into the scope of what a block tracks; made by `context()`."""

    __slots__ = ("_facts",)

    def __init__(self, facts: dict[str, Any]) -> None:
        super().__init__()
        self._facts = facts

    def made(self, outer: state.SpanList | None) -> state.SpanList:
        """Make the surrounding span with other facts."""
        scope = state.default_scope if outer is None else outer[SCOPE]
        return child_frame(outer, scope.with_facts(**self._facts))


def context(
    *,
    user_id: str | None = None,
    session_id: str | None = None,
    project_id: str | None = None,
    environment: str | None = None,
    release: str | None = None,
    tags: list[str] | None = None,
) -> Context:
    """Set facts for every execution inside a block, with `with` or `async with`.

    Args:
        user_id: Whose work it is.
        session_id: Which conversation or run it belongs to; without one, the id of the trace.
        project_id: The project that pays.
        environment: Such as `"prod"`.
        release: The version of the application.
        tags: Added to those that are set further out.

    Returns:
        A context manager.

    Example:
        >>> import asp_telemetry as asp
        >>> with asp.context(user_id="ana", session_id="s-42", tags=["ab-test"]):
        ...     pass
    """
    given = {
        "user_id": user_id,
        "session_id": session_id,
        "project_id": project_id,
        "environment": environment,
        "release": release,
    }
    facts: dict[str, Any] = {name: identifier(value) for name, value in given.items() if value is not None}
    try:
        facts["tags"] = [identifier(tag) for tag in tags or ()]
    except Exception as error:
        trouble("context() was called with tags that are no list", error)
    return Context(facts)


def propagate(function: Callable[P, R]) -> Callable[P, R]:
    """Carry the current span into another thread: what the function tracks there belongs to it.

    Into other processes `ProcessPoolExecutor` carries it: what this returns cannot be pickled.

    Args:
        function: What the other thread will call, once or many times, also at the same time; plain or `async`.

    Returns:
        A function of the same signature that runs with the span that is current now.

    Example:
        >>> import threading
        >>> import asp_telemetry as asp
        >>> thread = threading.Thread(target=asp.propagate(print), args=("in the same trace",))
    """
    import inspect  # noqa: PLC0415 - costs 8 ms, and a program that only imports this package does not need it

    span = state.get_current()
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def propagated_coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
            outer = _attach(span)
            try:
                return await function(*args, **kwargs)
            finally:
                _detach(span, outer)

        return cast("Callable[P, R]", propagated_coroutine)

    @wraps(function)
    def propagated(*args: P.args, **kwargs: P.kwargs) -> R:
        outer = _attach(span)
        try:
            return function(*args, **kwargs)
        finally:
            _detach(span, outer)

    return propagated


def _attach(span: state.SpanList | None) -> state.SpanList | None:
    outer = state.get_current()
    state.set_current(span)
    return outer


def _detach(span: state.SpanList | None, outer: state.SpanList | None) -> None:
    if state.get_current() is span:
        state.set_current(outer)
