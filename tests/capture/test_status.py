"""How an execution ended is told apart, and whatever ended it reaches the caller unchanged."""

import asyncio
import concurrent.futures
import subprocess
import sys
import threading
import weakref

import pytest
import trio

import asp_telemetry as asp


class Oops(Exception):  # noqa: N818 - a user's own
    """Be an exception of the user's own."""


class Late(TimeoutError):  # noqa: N818 - a user's own
    """Be a timeout of the user's own."""


class Silent(Exception):  # noqa: N818 - a user's own
    """Be an exception that cannot say what it is."""

    def __str__(self):
        raise RuntimeError("no words")


ENDS = [
    (Oops("why"), "error", "Oops", "why"),
    (TimeoutError("slow"), "timeout", "TimeoutError", "slow"),
    (Late("slower"), "timeout", "Late", "slower"),
    (concurrent.futures.TimeoutError(), "timeout", "TimeoutError", ""),
    (asyncio.CancelledError("stop"), "cancelled", "CancelledError", "stop"),
    (concurrent.futures.CancelledError(), "cancelled", "CancelledError", ""),
    (trio.TooSlowError(), "error", "TooSlowError", ""),
    (KeyboardInterrupt(), "error", "KeyboardInterrupt", ""),
    (SystemExit(3), "error", "SystemExit", "3"),
    (ExceptionGroup("two", [Oops("a"), Oops("b")]), "error", "ExceptionGroup", "two (2 sub-exceptions)"),
    (Silent(), "error", "Silent", "<the exception's __str__ raised RuntimeError>"),
]


def by_function(error):
    @asp.track
    def work():
        raise error

    work()


def by_coroutine(error):
    @asp.track
    async def work():
        raise error

    running = work()
    running.send(None)


def by_generator(error):
    @asp.track
    def work():
        raise error
        yield

    next(work())


def by_async_generator(error):
    @asp.track
    async def work():
        raise error
        yield

    anext(work()).send(None)


def by_block(error):
    with asp.span("work"):
        raise error


def by_async_block(error):
    async def work():
        async with asp.span("work"):
            raise error

    work().send(None)


def by_task(error):
    with asp.task("work"):
        raise error


WAYS = [by_function, by_coroutine, by_generator, by_async_generator, by_block, by_async_block, by_task]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize(
    ("error", "status", "kind", "message"), ENDS, ids=[type(end[0]).__name__ + end[1] for end in ENDS]
)
def test_what_was_raised_arrives_unchanged(recorded, way, error, status, kind, message):
    """The caller gets the same exception object with its cause, and the row says how the execution ended."""
    error.__cause__ = cause = Oops("the cause")
    with pytest.raises(type(error)) as caught:
        way(error)
    assert caught.value is error
    assert error.__cause__ is cause
    assert not asp.current_span().is_recording
    (row,) = recorded.traces()
    assert (row["status"], row["success"]) == (status, 0)
    assert (row["error_type"], row["error_message"] or "") == (kind, message)


def test_success_says_so(recorded):
    """An execution that returned is a success without an error."""
    assert asp.track(abs)(-1) == 1
    (row,) = recorded.traces()
    assert (row["status"], row["success"], row["error_type"], row["error_message"]) == (
        "success",
        1,
        None,
        None,
    )


def test_an_error_is_that_of_every_execution_it_passes(recorded):
    """An exception marks all executions it leaves, and not the one that caught it."""

    @asp.track
    def inner():
        raise Oops("deep")

    @asp.track
    def middle():
        inner()

    @asp.track
    def outer():
        try:
            middle()
        except Oops:
            return "saved"

    assert outer() == "saved"
    assert {row["name"]: row["status"] for row in recorded.traces()} == {
        "outer": "success",
        "middle": "error",
        "inner": "error",
    }


def test_system_exit_ends_the_process_with_its_code(tmp_path):
    """`sys.exit` inside a tracked function ends the process with the user's exit code."""
    program = (
        "import sys, asp_telemetry as asp\n"
        f"asp.configure('sqlite:///{tmp_path}/t.db')\n"
        "asp.track(sys.exit)(7)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, timeout=60, capture_output=True)
    assert (ended.returncode, ended.stderr) == (7, b"")


def test_errors_in_threads_are_recorded(recorded):
    """An exception that ends a thread is in the row, and still goes to `threading.excepthook`."""
    seen, old = [], threading.excepthook

    @asp.track
    def work():
        raise Oops("in a thread")

    threading.excepthook = lambda arguments: seen.append(arguments.exc_value)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        threading.excepthook = old
    assert [str(error) for error in seen] == ["in a thread"]
    assert [(row["status"], row["error_message"]) for row in recorded.traces()] == [("error", "in a thread")]


def raises():
    raise Oops("gone")


def yields():
    yield raises()


@pytest.mark.parametrize("run", [raises, lambda: next(asp.track(yields)())], ids=["function", "generator"])
def test_an_exception_is_not_kept_alive(recorded, run):
    """After the caller has handled it, nothing here holds the exception, and with it the caller's frames."""
    try:
        asp.track(run)()
    except Exception as error:
        gone = weakref.ref(error)
    assert gone() is None


def test_a_clock_that_is_set_back_costs_no_record(recorded, monkeypatch):
    """Where a virtual machine's clock goes back during a call, the call took no time, and is not lost."""
    times = iter(range(10**15, 0, -(10**6)))
    monkeypatch.setattr("asp_telemetry.capture.lifecycle.perf_counter_ns", lambda: next(times))
    with asp.span("set back") as span:
        span.set(metadata={"a": 1})
    monkeypatch.undo()
    [row] = recorded.rows("SELECT name, duration_ms FROM execution_traces")
    assert (row["name"], float(row["duration_ms"])) == ("set back", 0)
    assert asp.stats()["dropped"] == 0
