"""Opens a budget around each call of a function; the four kinds of functions stand side by side.

As with tracking, the budget of a generator is in force only while the generator's own code runs, and what its consumer
sends or throws goes through unchanged.
"""

from collections.abc import AsyncGenerator, Callable, Generator
from functools import wraps
from typing import TYPE_CHECKING, Any

from asp_telemetry.capture.lifecycle import resume, suspend

if TYPE_CHECKING:
    from asp_telemetry.budgets.budget import Budget


def decorate(function: Any, budget: "Budget") -> Any:
    """Return a function that runs inside a budget.

    Args:
        function: A function or method, plain, `async`, generator or async generator; a static or class method.
        budget: What is opened at each call; for a generator when its first item is asked for.

    Returns:
        A function of the same signature and kind.

    Raises:
        TypeError: If it is no function.
    """
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(decorate(function.__func__, budget))
    if isinstance(function, type) or not callable(function):
        raise TypeError(f"only functions can have a budget, not {function!r}; decorate its methods")
    import inspect  # noqa: PLC0415 - costs 8 ms; a program that uses `with` alone does not need it

    call = function if inspect.isroutine(function) else getattr(function, "func", type(function).__call__)
    if inspect.isasyncgenfunction(function) or inspect.isasyncgenfunction(call):
        return _async_generator(function, budget)
    if inspect.isgeneratorfunction(function) or inspect.isgeneratorfunction(call):
        return _generator(function, budget)
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call):
        return _coroutine(function, budget)
    return _plain(function, budget)


def _plain(function: Callable[..., Any], budget: "Budget") -> Callable[..., Any]:
    @wraps(function)
    def budgeted(*args: Any, **kwargs: Any) -> Any:
        entry = budget.enter()
        try:
            return function(*args, **kwargs)
        finally:
            entry.leave()

    return budgeted


def _coroutine(function: Callable[..., Any], budget: "Budget") -> Callable[..., Any]:
    @wraps(function)
    async def budgeted(*args: Any, **kwargs: Any) -> Any:
        entry = await budget.aenter()
        try:
            return await function(*args, **kwargs)
        finally:
            entry.leave()

    return budgeted


def _generator(function: Callable[..., Any], budget: "Budget") -> Callable[..., Any]:
    @wraps(function)
    def budgeted(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        entry = budget.enter()
        frame, consumer = entry.frame, entry.outer
        try:
            generator = function(*args, **kwargs)
            step, value = generator.send, None
            while True:
                item = step(value)
                inside = suspend(frame, consumer)
                try:
                    value = yield item
                    step = generator.send
                except BaseException as thrown:
                    value, step = thrown, generator.throw
                consumer = resume(frame, inside)
        except StopIteration as end:
            return end.value
        finally:
            suspend(frame, consumer)
            value = None  # an exception that was thrown in would keep this frame alive

    return budgeted


def _async_generator(function: Callable[..., Any], budget: "Budget") -> Callable[..., Any]:
    @wraps(function)
    async def budgeted(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        entry = await budget.aenter()
        frame, consumer = entry.frame, entry.outer
        try:
            generator = function(*args, **kwargs)
            step, value = generator.asend, None
            while True:
                item = await step(value)
                inside = suspend(frame, consumer)
                try:
                    value = yield item
                    step = generator.asend
                except BaseException as thrown:
                    value, step = thrown, generator.athrow
                consumer = resume(frame, inside)
        except StopAsyncIteration:
            pass
        finally:
            suspend(frame, consumer)
            value = None

    return budgeted
