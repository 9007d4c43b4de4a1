"""Stands in for a client's stream while it is tracked: to look at it is the stream itself, and its items are watched.

A stand-in can do just what the stream can, and nothing else: it is made of one small class for each special method
that the stream's own class has. (A web framework asks whether something is an `AsyncIterable`, to decide how to send
it.) Where the client's class iterates over an `_iterator` of its own, as those of openai and anthropic do, the items
are watched there, so that helpers such as `text_stream` and `get_final_message()` count, too.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from asp_telemetry.capture.watch import Watch
from asp_telemetry.guard import trouble


def stand_in(stream: Any, watch: Watch) -> Any:
    """Return what is to be used in the place of a stream; what is no stream comes back as it is."""
    if type(stream) is dict:
        # botocore's responses have their stream in a field.
        inner = stream.get("stream")
        if inner is None or not hasattr(type(inner), "__iter__"):
            trouble("track_stream() was given what is no stream", remedy="give the response's event stream")
            return stream
        return {**stream, "stream": stand_in(inner, watch)}
    methods = tuple(name for name in _PARTS if hasattr(type(stream), name))
    try:
        return _class_with(methods)(stream, watch)
    except Exception as error:
        trouble("a stream could not be tracked", error)
        return stream


class _Tap:
    """Iterate in the place of an iterator, and show each item to the watch."""

    __slots__ = ("_next", "_source", "_watch")

    def __init__(self, source: Any, watch: Watch) -> None:
        self._source = source
        self._next = source.__next__
        self._watch = watch

    def __iter__(self) -> "_Tap":
        return self

    def __next__(self) -> Any:
        try:
            item = self._next()
        except StopIteration:
            self._watch.finish(None, left=False)
            raise
        except BaseException as error:
            self._watch.fail(error)
            raise
        self._watch.add(item)
        return item

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


class _AsyncTap:
    """Do the same for an async iterator."""

    __slots__ = ("_next", "_source", "_watch")

    def __init__(self, source: Any, watch: Watch) -> None:
        self._source = source
        self._next = source.__anext__
        self._watch = watch

    def __aiter__(self) -> "_AsyncTap":
        return self

    async def __anext__(self) -> Any:
        try:
            item = await self._next()
        except StopAsyncIteration:
            self._watch.finish(None, left=False)
            raise
        except BaseException as error:
            self._watch.fail(error)
            raise
        self._watch.add(item)
        return item

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


class _StandIn:
    """Be the stream to all who look at it."""

    __slots__ = ("__weakref__", "_asp_is_tapped", "_asp_stream", "_asp_watch")

    def __init__(self, stream: Any, watch: Watch) -> None:
        put = object.__setattr__
        put(self, "_asp_stream", stream)
        put(self, "_asp_watch", watch)
        put(self, "_asp_is_tapped", _tap_inside(stream, watch))

    @property  # type: ignore[misc]  # so that isinstance() sees the stream
    def __class__(self) -> Any:
        return type(self._asp_stream)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._asp_stream, name)
        return _closing(value, self._asp_watch) if name in {"close", "aclose"} else value

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._asp_stream, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._asp_stream, name)

    def __repr__(self) -> str:
        return repr(self._asp_stream)

    def __dir__(self) -> Any:
        return dir(self._asp_stream)


class _Iter(_StandIn):
    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        iterator = iter(self._asp_stream)
        return iterator if self._asp_is_tapped else _Tap(iterator, self._asp_watch)


class _Next(_StandIn):
    __slots__ = ()

    def __next__(self) -> Any:
        stream = self._asp_stream
        return next(stream) if self._asp_is_tapped else _Tap(stream, self._asp_watch).__next__()


class _AsyncIter(_StandIn):
    __slots__ = ()

    def __aiter__(self) -> Any:
        iterator = type(self._asp_stream).__aiter__(self._asp_stream)
        return iterator if self._asp_is_tapped else _AsyncTap(iterator, self._asp_watch)


class _AsyncNext(_StandIn):
    __slots__ = ()

    def __anext__(self) -> Any:
        stream = self._asp_stream
        return stream.__anext__() if self._asp_is_tapped else _AsyncTap(stream, self._asp_watch).__anext__()


class _Send(_StandIn):
    """Send into a generator, and throw into one."""

    __slots__ = ()

    def send(self, value: Any) -> Any:
        return self._asp_step(self._asp_stream.send, value)

    def throw(self, *error: Any) -> Any:
        return self._asp_step(self._asp_stream.throw, *error)

    def _asp_step(self, step: Callable[..., Any], *values: Any) -> Any:
        watch = self._asp_watch
        try:
            item = step(*values)
        except StopIteration:
            watch.finish(None, left=False)
            raise
        except BaseException as error:
            watch.fail(error)
            raise
        watch.add(item)
        return item


class _Enter(_StandIn):
    __slots__ = ()

    def __enter__(self) -> Any:
        stream, watch = self._asp_stream, self._asp_watch
        try:
            entered = type(stream).__enter__(stream)
        except BaseException as error:
            watch.fail(error)
            raise
        return self if entered is stream else stand_in(entered, watch)

    def __exit__(self, *error: object) -> Any:
        try:
            return type(self._asp_stream).__exit__(self._asp_stream, *error)
        finally:
            self._asp_watch.leave()


class _AsyncEnter(_StandIn):
    __slots__ = ()

    async def __aenter__(self) -> Any:
        stream, watch = self._asp_stream, self._asp_watch
        try:
            entered = await type(stream).__aenter__(stream)
        except BaseException as error:
            watch.fail(error)
            raise
        return self if entered is stream else stand_in(entered, watch)

    async def __aexit__(self, *error: object) -> Any:
        try:
            return await type(self._asp_stream).__aexit__(self._asp_stream, *error)
        finally:
            self._asp_watch.leave()


_PARTS: Final[dict[str, type[_StandIn]]] = {
    "__iter__": _Iter,
    "__next__": _Next,
    "__aiter__": _AsyncIter,
    "__anext__": _AsyncNext,
    "send": _Send,
    "__enter__": _Enter,
    "__aenter__": _AsyncEnter,
}
_classes: dict[tuple[str, ...], type[_StandIn]] = {}


def _class_with(methods: tuple[str, ...]) -> type[_StandIn]:
    """Return the class of a stand-in with just these methods; there are few combinations."""
    found = _classes.get(methods)
    if found is None:
        bases = tuple(_PARTS[name] for name in methods)
        found = _classes[methods] = type("TrackedStream", bases or (_StandIn,), {"__slots__": ()})
    return found


def _tap_inside(stream: Any, watch: Watch) -> bool:
    """Watch the iterator that a client's stream takes its items from, if its own code says that it has one."""
    for method, tap in (("__next__", _Tap), ("__anext__", _AsyncTap)):
        code = getattr(getattr(type(stream), method, None), "__code__", None)
        inner = getattr(stream, "__dict__", {}).get("_iterator")
        if code is not None and "_iterator" in code.co_names and hasattr(type(inner), method):
            stream._iterator = tap(inner, watch)  # noqa: SLF001 - see above
            return True
    return False


def _closing(close: Any, watch: Watch) -> Any:
    """Note that a stream was closed, at once or when its closing has been awaited."""

    def closing(*args: Any, **kwargs: Any) -> Any:
        try:
            result = close(*args, **kwargs)
        except BaseException:
            watch.leave()
            raise
        if hasattr(type(result), "__await__"):
            return _closed(result, watch)
        watch.leave()
        return result

    return closing


async def _closed(closing: Awaitable[Any], watch: Watch) -> Any:
    try:
        return await closing
    finally:
        watch.leave()
