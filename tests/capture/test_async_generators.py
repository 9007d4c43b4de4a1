"""A tracked async generator behaves to its consumer, to the letter, as the untracked one does."""

import asyncio

import pytest
import trio

import asp_telemetry as asp


class Oops(Exception):  # noqa: N818 - a user's own
    """Be an exception of the user's own."""


async def echo(log):
    """Yield what is sent, and note what is thrown."""
    value, count = "first", 0
    try:
        while value != "stop":
            count += 1
            await asyncio.sleep(0)
            try:
                value = yield value
            except Oops as error:
                log.append(("caught", str(error)))
                value = "after throw"
    except GeneratorExit:
        log.append(("closed", count))
        raise
    finally:
        await asyncio.sleep(0)
        log.append(("finally", count))


async def stubborn(log):
    """Answer to `aclose` with another item."""
    try:
        yield 1
    except GeneratorExit:
        yield 2


async def obliging(log):
    """Answer to `aclose` by returning."""
    try:
        yield 1
    except GeneratorExit:
        log.append("left")


async def failing(log):
    """Fail after its first item."""
    yield 1
    raise Oops("inside")


async def failing_at_close(log):
    """Fail while it cleans up."""
    try:
        yield 1
    finally:
        raise Oops("while closing")


async def empty(log):
    """End without an item."""
    return
    yield


async def leaking(log):
    """Let a StopAsyncIteration out, which Python turns into a RuntimeError."""
    yield 1
    raise StopAsyncIteration


GENERATORS = [echo, stubborn, obliging, failing, failing_at_close, empty, leaking]
ACTIONS = {
    "to the end": [("__anext__",), ("__anext__",), ("asend", "stop"), ("__anext__",), ("__anext__",)],
    "asend": [("__anext__",), ("asend", "x"), ("asend", None), ("asend", "stop")],
    "asend too early": [("asend", "x"), ("__anext__",)],
    "athrow": [("__anext__",), ("athrow", Oops("t")), ("__anext__",), ("__anext__",)],
    "athrow an unknown one": [("__anext__",), ("athrow", KeyError("k")), ("__anext__",)],
    "athrow too early": [("athrow", Oops("t")), ("__anext__",)],
    "athrow StopAsyncIteration": [("__anext__",), ("athrow", StopAsyncIteration()), ("__anext__",)],
    "athrow GeneratorExit": [("__anext__",), ("athrow", GeneratorExit()), ("__anext__",)],
    "aclose": [("__anext__",), ("aclose",), ("aclose",), ("__anext__",)],
    "aclose at once": [("aclose",), ("__anext__",)],
    "aclose after the end": [("__anext__",), ("asend", "stop"), ("__anext__",), ("aclose",)],
}


async def told(log, action, *values):
    """Note what an awaited action returns or raises, in a form that can be compared."""
    try:
        log.append(("returned", await action(*values)))
    except BaseException as error:
        log.append((type(error).__name__, str(error)))


async def played(function, steps):
    """Play steps on an async generator; return all that its consumer could see."""
    log = []
    running = function(log)
    for name, *values in steps:
        await told(log, getattr(running, name), *values)
        log.append((running.ag_running, running.ag_frame is None))
    for _ in range(3):
        await told(log, running.aclose)
    return log


@pytest.mark.parametrize("steps", ACTIONS.values(), ids=ACTIONS)
@pytest.mark.parametrize("function", GENERATORS, ids=lambda function: function.__name__)
async def test_the_protocol_is_that_of_the_undecorated_generator(recorded, function, steps):
    """asend, athrow, aclose, ends and errors are the same with the decorator as without."""
    assert await played(asp.track(function), steps) == await played(function, steps)


async def row_of(recorded):
    """Return status and completeness of the one execution."""
    query = "SELECT status, context -> 'completed' AS completed FROM execution_traces"
    (row,) = await asyncio.to_thread(recorded.rows, query)
    return row["status"], row["completed"]


@asp.track
async def count(limit=10):
    """Count, and be elsewhere in between."""
    for number in range(limit):
        await asyncio.sleep(0)
        yield number


async def test_an_async_for_to_the_end_is_a_complete_success(recorded):
    """An async generator that is iterated to its end is a success and not marked incomplete."""
    assert [number async for number in count(3)] == [0, 1, 2]
    assert await row_of(recorded) == ("success", None)


async def test_being_thrown_out_is_an_incomplete_success(recorded):
    """A consumer that throws the generator out has left early, as one that breaks off or closes."""
    running = count()
    await anext(running)
    with pytest.raises(GeneratorExit):
        await running.athrow(GeneratorExit)
    assert await row_of(recorded) == ("success", "false")


async def test_leaving_a_generator_that_returns_on_aclose_is_incomplete(recorded):
    """Also an async generator that catches the consumer's leaving and returns was left before its end."""
    running = asp.track(obliging)([])
    await anext(running)
    await running.aclose()
    assert await row_of(recorded) == ("success", "false")


async def test_timeouts_inside_keep_working(recorded):
    """`asyncio.timeout` inside a generator still ends what is too slow there, and the generator goes on."""

    @asp.track
    async def patient():
        yield "before"
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            yield "timed out"

    assert [item async for item in patient()] == ["before", "timed out"]
    assert await row_of(recorded) == ("success", None)


async def test_a_timeout_across_items_keeps_working(recorded):
    """`asyncio.timeout` that surrounds several items works: there is no task per item in which it would be lost."""

    @asp.track
    async def hasty():
        async with asyncio.timeout(0.01):
            yield "before"
            await asyncio.Event().wait()

    seen = []
    with pytest.raises(TimeoutError):  # noqa: PT012 - what is in the block is the test
        async for item in hasty():
            seen.append(item)  # noqa: PERF401 - what came before the error is needed
    assert seen == ["before"]
    assert await row_of(recorded) == ("timeout", None)


async def test_the_consumer_s_timeout_cancels_the_generator(recorded):
    """A timeout in the consumer is a cancellation inside, and a TimeoutError for the consumer."""

    @asp.track
    async def endless():
        yield 1
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):  # noqa: PT012 - what is in the block is the test
        async with asyncio.timeout(0.01):
            async for _ in endless():
                pass
    assert await row_of(recorded) == ("cancelled", None)


def test_trio_cancel_scopes_work_inside(recorded):
    """A trio cancel scope around several items of a generator works, and the cancelled one says so."""

    @asp.track
    async def slow():
        yield 1
        with trio.move_on_after(0.01):
            await trio.sleep_forever()
        yield 2
        await trio.sleep_forever()

    async def consume():
        seen = []
        with trio.move_on_after(0.05) as scope:
            running = slow()
            async for item in running:
                seen.append(item)  # noqa: PERF401 - cut short from outside
        return seen, scope.cancelled_caught

    assert trio.run(consume) == ([1, 2], True)
    (row,) = recorded.traces()
    assert (row["status"], row["error_type"]) == ("cancelled", "Cancelled")
