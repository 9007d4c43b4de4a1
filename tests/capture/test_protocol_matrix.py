"""Every kind of function, ended in every way, is to its caller with the decorator what it is without."""

import asyncio
import concurrent.futures
import inspect
import signal
from types import SimpleNamespace

import pytest
import trio

import asp_telemetry as asp
from garbage import collect_garbage

KINDS = ["plain", "async", "generator", "async generator"]
ENDS = ["return", "raise", "break early", "close", "throw", "cancel", "timeout inside", "never iterated"]
# A plain function cannot be left by its caller: nobody can break it off or close it.
IMPOSSIBLE = {("plain", "break early"), ("plain", "close")}
ROWS = {
    "return": ("success", None, True),
    "raise": ("error", "Oops", True),
    "break early": ("success", None, False),
    "close": ("success", None, False),
    "throw": ("error", "Oops", True),
    "cancel": ("cancelled", "CancelledError", True),
    "timeout inside": ("timeout", "TimeoutError", True),
    "never iterated": None,
}
TRIO_ROWS = {
    **ROWS,
    "cancel": ("cancelled", "Cancelled", True),
    "timeout inside": ("error", "TooSlowError", True),
}


class Oops(Exception):  # noqa: N818 - a user's own
    """Be an exception of the user's own."""


class Log(list):
    """Note what happens in a cell, in an order and a form that can be compared."""

    def __init__(self, end, library):
        super().__init__()
        self.end = end
        self.library = library
        self.thrown = Oops("the one")

    def failed(self, where, error):
        """Note an exception: its type, whether it is the very one that was raised, and what hangs on it."""
        context, cause = type(error.__context__).__name__, type(error.__cause__).__name__
        self.append((where, type(error).__name__, error is self.thrown, str(error), context, cause))
        self.count(where)

    def count(self, where):
        """Note how often the running asyncio task has been asked to stop."""
        if self.library == "asyncio":
            task = asyncio.current_task()
            self.append((where, "cancelling", task.cancelling() if task else None))


class AsyncBlock:
    """Make `async with` of `with`, so that both libraries' timeouts are written alike."""

    def __init__(self, block):
        self.block = block

    async def __aenter__(self):
        return self.block.__enter__()

    async def __aexit__(self, *error):
        return self.block.__exit__(*error)


ASYNCIO = SimpleNamespace(
    name="asyncio",
    run=asyncio.run,
    pause=lambda: asyncio.sleep(0),
    forever=lambda: asyncio.Event().wait(),
    timeout=asyncio.timeout,
    row=ROWS.get,
)
TRIO = SimpleNamespace(
    name="trio",
    run=trio.run,
    pause=trio.lowlevel.checkpoint,
    forever=trio.sleep_forever,
    timeout=lambda seconds: AsyncBlock(trio.fail_after(seconds)),
    row=TRIO_ROWS.get,
)


# The functions: each notes how it is entered, what reaches it from outside, and that it cleans up.


def plain(log, _library):
    log.append("entered")
    try:
        if log.end == "raise":
            raise log.thrown  # noqa: TRY301 - what is tested
        if log.end == "throw":
            signal.raise_signal(signal.SIGUSR1)
        future = concurrent.futures.Future()
        if log.end == "cancel":
            future.cancel()
        if log.end in {"cancel", "timeout inside"}:
            future.result(timeout=0.01)
    except BaseException as error:
        log.failed("inside", error)
        raise
    else:
        return "value"
    finally:
        log.append("finally")


async def coroutine(log, library):
    log.append("entered")
    try:
        await library.pause()
        log.append("resumed")
        if log.end == "raise":
            raise log.thrown  # noqa: TRY301 - what is tested
        if log.end == "timeout inside":
            async with library.timeout(0.01):
                await library.forever()
        if log.end != "return":
            await library.forever()
    except BaseException as error:
        log.failed("inside", error)
        raise
    else:
        return "value"
    finally:
        if library is ASYNCIO:
            await library.pause()  # also a cancelled task may clean up at leisure
        log.append("finally")


def generator(log, _library):
    log.append("entered")
    try:
        log.append(("sent", (yield 1)))
        if log.end == "raise":
            raise log.thrown  # noqa: TRY301 - what is tested
        if log.end == "timeout inside":
            concurrent.futures.Future().result(timeout=0.01)
        log.append(("sent", (yield 2)))
    except BaseException as error:
        log.failed("inside", error)
        raise
    else:
        return "value"
    finally:
        log.append("finally")


async def async_generator(log, library):
    log.append("entered")
    try:
        await library.pause()
        log.append(("sent", (yield 1)))
        if log.end == "raise":
            raise log.thrown  # noqa: TRY301 - what is tested
        if log.end == "timeout inside":
            async with library.timeout(0.01):
                await library.forever()
        if log.end == "cancel":
            await library.forever()
        log.append(("sent", (yield 2)))
    except BaseException as error:
        log.failed("inside", error)
        raise
    finally:
        if library is ASYNCIO:
            await library.pause()
        log.append("finally")


FUNCTIONS = {"plain": plain, "async": coroutine, "generator": generator, "async generator": async_generator}


# The callers: each does to a function what its cell says, and notes all that it gets to see.


def told(log, action, *values):
    """Note what an action returns or raises."""
    try:
        log.append(("returned", action(*values)))
    except BaseException as error:
        log.failed("outside", error)


def call_plain(function, log):
    def throw(*_):
        raise log.thrown

    before = signal.signal(signal.SIGUSR1, throw)
    try:
        told(log, function, log, None)
    finally:
        signal.signal(signal.SIGUSR1, before)


def call_generator(function, log):
    running = function(log, None)
    log.append(inspect.getgeneratorstate(running))
    if log.end == "break early":
        for item in running:
            log.append(item)
            break
    else:
        told(log, next, running)
        log.append(inspect.getgeneratorstate(running))
        if log.end == "close":
            told(log, running.close)
        elif log.end in {"throw", "cancel"}:
            thrown = log.thrown if log.end == "throw" else asyncio.CancelledError("enough")
            told(log, running.throw, thrown)
        else:
            told(log, running.send, "word")
        if log.end == "return":
            told(log, running.send, "more")
        log.append(inspect.getgeneratorstate(running))
    del running
    collect_garbage()
    log.append("gone")


class Step:
    """Be awaited by whoever drives a coroutine by hand, as an event loop does."""

    def __await__(self):
        yield


BY_HAND = SimpleNamespace(name="by hand", pause=Step, forever=Step)


def drive_coroutine(function, log):
    running = function(log, BY_HAND)
    log.append(inspect.getcoroutinestate(running))
    running.send(None)
    log.append(inspect.getcoroutinestate(running))
    if log.end == "close":
        told(log, running.close)
        log.append(inspect.getcoroutinestate(running))
    elif log.end == "throw":
        told(log, running.throw, log.thrown)
        log.append(inspect.getcoroutinestate(running))
    del running
    collect_garbage()
    log.append("gone")


async def call_coroutine(function, log, library):
    await awaited(log, library, lambda: function(log, library))


async def awaited(log, library, make):
    """Await something, cancelled in its middle where the cell says so."""
    if library is TRIO:
        await _awaited_in_trio(log, make)
        return

    async def consume():
        try:
            log.append(("returned", await make()))
        except BaseException as error:
            log.failed("outside", error)
            raise

    task = asyncio.create_task(consume())
    if log.end == "cancel":
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel("enough")
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    log.append((type(outcome).__name__, task.cancelled(), task.cancelling()))


async def _awaited_in_trio(log, make):
    with trio.move_on_after(0.02 if log.end == "cancel" else 10) as scope:
        try:
            log.append(("returned", await make()))
        except BaseException as error:
            log.failed("outside", error)
            if isinstance(error, trio.Cancelled):
                raise
    log.append(scope.cancelled_caught)


async def call_async_generator(function, log, library):
    kept = [function(log, library)]
    log.append((kept[0].ag_running, kept[0].ag_frame is None))

    async def consume():
        running = kept[0]
        try:
            if log.end == "break early":
                async for item in running:
                    log.append(item)
                    break
                return
            log.append(await anext(running))
            if log.end == "close":
                log.append(await running.aclose())
            elif log.end == "throw":
                log.append(await running.athrow(log.thrown))
            else:
                log.append(await running.asend("word"))
                log.append(await running.asend("more"))
        except BaseException as error:
            log.failed("consumer", error)
            raise
        finally:
            log.append((running.ag_running, running.ag_frame is None))

    await awaited(log, library, consume)
    kept.clear()
    collect_garbage()
    for _ in range(5):
        await library.pause()  # the event loop closes what was dropped
    log.append("gone")


def played(function, kind, end, library):
    """Play one cell; return all that its caller and the function itself could see."""
    by_hand = kind == "async" and end in {"break early", "close", "throw"}
    is_sync = by_hand or kind in {"plain", "generator"}
    log = Log(end, BY_HAND.name if is_sync else library.name)
    if end == "never iterated":
        if kind != "plain":
            running = function(log, library)
            if kind == "async":
                running.close()  # else Python warns
            del running
    elif by_hand:
        drive_coroutine(function, log)
    elif kind == "plain":
        call_plain(function, log)
    elif kind == "generator":
        call_generator(function, log)
    else:
        call = call_coroutine if kind == "async" else call_async_generator

        async def main():
            await call(function, log, library)

        library.run(main()) if library is ASYNCIO else library.run(main)
    return list(log)


CELLS = [
    pytest.param(kind, end, library, id=f"{kind}, {end}, {library.name}")
    for kind in KINDS
    for end in ENDS
    for library in (ASYNCIO, TRIO)
    if (kind, end) not in IMPOSSIBLE and (library is ASYNCIO or "async" in kind)
]


# Neither library closes what is dropped as quietly as it could: trio warns that it had to.
@pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")
@pytest.mark.parametrize(("kind", "end", "library"), CELLS)
def test_nothing_changes_for_the_caller_and_the_row_says_how_it_ended(recorded, kind, end, library):
    """Values, exceptions, the order of events, cleaning up and cancellation counts are the same; the status is right."""
    function = FUNCTIONS[kind]
    expected = played(function, kind, end, library)
    assert played(asp.track(function, name="cell"), kind, end, library) == expected
    assert not asp.current_span().is_recording
    with asp.span("after"):
        pass
    rows = [
        (row["status"], row["error_type"], '"completed":false' not in (row["context"] or ""))
        for row in recorded.traces()
        if row["name"] == "cell"
    ]
    row = library.row(end) if "async" in kind and kind != "generator" else ROWS[end]
    assert rows == ([] if row is None else [row])
    if end != "never iterated":
        assert "finally" in expected, "the cell has to be worth comparing"


def test_the_matrix_is_whole():
    """Every kind meets every end, but for a plain function that its caller cannot leave."""
    cells = {(cell.values[0], cell.values[1]) for cell in CELLS}
    assert cells == {(kind, end) for kind in KINDS for end in ENDS} - IMPOSSIBLE
