"""Tracks the stream that a client library returns: `track_stream`."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar, overload

from asp_telemetry.capture import state
from asp_telemetry.capture.definition import Site, site_for
from asp_telemetry.capture.lifecycle import NOTHING, begin, child_frame, suspend
from asp_telemetry.capture.stand_in import stand_in
from asp_telemetry.capture.watch import Estimate, EstimatingWatch, Watch
from asp_telemetry.errors import BudgetExceeded
from asp_telemetry.guard import trouble
from asp_telemetry.journal.layout import PARENT, SCOPE

S = TypeVar("S")

_CHUNK_METHODS: Final = ("__iter__", "__next__", "__aiter__", "__anext__")
_STREAM_METHODS: Final = (*_CHUNK_METHODS, "__enter__", "__aenter__")


@overload
def track_stream(
    stream: Awaitable[S],
    *,
    name: str = "stream",
    model: str | None = None,
    provider: str | None = None,
    estimate: Estimate | None = None,
) -> Awaitable[S]: ...
@overload
def track_stream(
    stream: Callable[[], S],
    *,
    name: str = "stream",
    model: str | None = None,
    provider: str | None = None,
    estimate: Estimate | None = None,
) -> S: ...
@overload
def track_stream(
    stream: S,
    *,
    name: str = "stream",
    model: str | None = None,
    provider: str | None = None,
    estimate: Estimate | None = None,
) -> S: ...
def track_stream(
    stream: Any,
    *,
    name: str = "stream",
    model: str | None = None,
    provider: str | None = None,
    estimate: Estimate | None = None,
) -> Any:
    """Track a model's streamed answer as a generation of its own, from this call until the stream ends.

    Needed wherever the stream itself is handed on: a decorated function that *returns* a client's stream has ended
    before its first chunk comes, and nobody else sees the chunks. A decorated generator that *yields* the chunks
    needs it not. It records the time to the first chunk, how many there were, and the usage; an answer that both
    see is counted once. A stream that is left, closed or fails keeps what was known.

    Args:
        stream: What the client returned: an iterator or async iterator, a context manager that gives one
            (`client.messages.stream(...)`), or the response of `converse_stream`. To have the request itself in
            the time to the first chunk, give what opens the stream: a function without arguments, or for an
            async client the call itself, `await asp.track_stream(client.chat.completions.create(..., stream=True))`.
        name: What is asked, as the execution's name.
        model: The model, for streams that do not name it (Bedrock's).
        provider: The provider, likewise.
        estimate: Is called with the list of all chunks if the provider told no usage, and returns counts by the
            names of `record_usage` (such as `{"output_tokens": 80}`) or None; `usage_source` is then `estimated`.

    Returns:
        The same stream to look at: its methods, attributes, `with` and `isinstance` work as before. What is no
        stream comes back as it is.

    Raises:
        BudgetExceeded: If a budget refuses what would open the stream. One that is open already is paid for, and
            counted.

    Example:
        >>> import asp_telemetry as asp
        >>> chunk = {"model": "gpt-4o-mini", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}
        >>> len(list(asp.track_stream(iter([chunk]))))
        1
    """
    watch: Watch | None = None
    try:
        span = _begin(stream, site_for(str(name), "generation", None, model, provider, None))
        # The consumer's code runs between the chunks: what it tracks is not part of this answer.
        suspend(span, span[PARENT])
        watch = Watch(span) if estimate is None else EstimatingWatch(span, estimate)
    except BudgetExceeded:
        if isinstance(stream, Coroutine):
            stream.close()  # else Python warns that nobody has awaited it
        raise
    except Exception as error:
        trouble("a stream could not be tracked", error)
    if watch is None:
        watch = Watch(NOTHING)
    return _open(stream, watch)


def _begin(stream: Any, site: Site) -> state.SpanList:
    """Begin the stream's execution; only of one that is still to be opened every budget is asked."""
    outer = state.get_current()
    is_open = any(hasattr(type(stream), method) for method in _CHUNK_METHODS)
    if not is_open or outer is None or outer[SCOPE].budget is None:
        return begin(site)
    scope = outer[SCOPE]
    state.set_current(child_frame(outer, scope.with_budget(None)))
    try:
        span = begin(site)
        span[SCOPE], span[PARENT] = scope, outer
        return span
    finally:
        state.set_current(outer)


def _open(stream: Any, watch: Watch) -> Any:
    """Take what was given for the stream that it is or opens."""
    kind = type(stream)
    if any(hasattr(kind, method) for method in _STREAM_METHODS):
        return stand_in(stream, watch)
    if hasattr(kind, "__await__"):
        return _opened(stream, watch)
    if callable(stream):
        try:
            opened = stream()
        except BaseException as error:
            watch.fail(error)
            raise
        return _opened(opened, watch) if hasattr(type(opened), "__await__") else stand_in(opened, watch)
    trouble("track_stream() was given what is no stream", remedy=f"a {kind.__name__} has no chunks")
    return stream


async def _opened(opening: Awaitable[Any], watch: Watch) -> Any:
    try:
        stream = await opening
    except BaseException as error:
        watch.fail(error)
        raise
    return stand_in(stream, watch)
