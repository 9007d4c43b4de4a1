"""Wraps the four kinds of functions; their differences stand side by side.

A generator's span is current only while the generator's own code runs. What the consumer sends or throws goes through
unchanged, without an extra task per item, so that timeouts and cancel scopes inside keep working.
"""

from collections.abc import AsyncGenerator, Callable, Generator
from functools import wraps
from typing import Any

from asp_telemetry.capture.definition import Site
from asp_telemetry.capture.lifecycle import NOTHING, begin, fail, finish, suspend
from asp_telemetry.capture.state import get_current, set_current
from asp_telemetry.capture.stream import Stream


def wrap_function(function: Callable[..., Any], site: Site) -> Callable[..., Any]:
    """Track a plain function."""

    @wraps(function)
    def tracked(*args: Any, **kwargs: Any) -> Any:
        span = begin(site, args, kwargs)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            fail(span, error)
            raise
        finish(span, result)
        return result

    return tracked


def wrap_coroutine(function: Callable[..., Any], site: Site) -> Callable[..., Any]:
    """Track an `async def`."""

    @wraps(function)
    async def tracked(*args: Any, **kwargs: Any) -> Any:
        span = begin(site, args, kwargs)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            fail(span, error)
            raise
        finish(span, result)
        return result

    return tracked


def wrap_generator(function: Callable[..., Any], site: Site) -> Callable[..., Any]:
    """Track a generator: from the first item asked for to its end, its failure, or its consumer's leaving."""

    @wraps(function)
    def tracked(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        span = begin(site, args, kwargs)
        consumer = span[11]
        stream = Stream(span)
        add, is_live = stream.add, span is not NOTHING
        try:
            generator = function(*args, **kwargs)
            step, value = generator.send, None
            while True:
                item = step(value)
                inside = get_current()  # suspend() and resume(), written out: they run for each item
                if is_live:
                    set_current(consumer)
                add(item)
                try:
                    value = yield item
                    step = generator.send
                except BaseException as thrown:
                    value, step = thrown, generator.throw
                consumer = get_current()
                if span[13] == 0:
                    set_current(inside)
        except StopIteration as end:
            suspend(span, consumer)
            stream.finish(end.value, left=isinstance(value, GeneratorExit))
            return end.value
        except BaseException as error:
            suspend(span, consumer)
            stream.fail(error)
            raise
        finally:
            value = None  # an exception that was thrown in would keep this frame alive

    return tracked


def wrap_async_generator(function: Callable[..., Any], site: Site) -> Callable[..., Any]:
    """Track an async generator, as `wrap_generator` does."""

    @wraps(function)
    async def tracked(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        span = begin(site, args, kwargs)
        consumer = span[11]
        stream = Stream(span)
        add, is_live = stream.add, span is not NOTHING
        try:
            generator = function(*args, **kwargs)
            step, value = generator.asend, None
            while True:
                item = await step(value)
                inside = get_current()  # suspend() and resume(), written out: they run for each item
                if is_live:
                    set_current(consumer)
                add(item)
                try:
                    value = yield item
                    step = generator.asend
                except BaseException as thrown:
                    value, step = thrown, generator.athrow
                consumer = get_current()
                if span[13] == 0:
                    set_current(inside)
        except StopAsyncIteration:
            suspend(span, consumer)
            stream.finish(None, left=isinstance(value, GeneratorExit))
        except BaseException as error:
            suspend(span, consumer)
            stream.fail(error)
            raise
        finally:
            value = None

    return tracked
