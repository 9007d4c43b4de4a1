"""A tracked generator behaves to its consumer, to the letter, as the untracked one does."""

import asyncio
import inspect

import pytest

import asp_telemetry as asp
from garbage import collect_garbage


class Oops(Exception):  # noqa: N818 - a user's own
    """Be an exception of the user's own."""


def told(log, action):
    """Note what an action returns or raises, in a form that can be compared."""
    try:
        log.append(("returned", action()))
    except BaseException as error:
        log.append((type(error).__name__, str(error), getattr(error, "value", None)))


def echo(log):
    """Yield what is sent, note what is thrown, and return how often it was resumed."""
    value, count = "first", 0
    try:
        while value != "stop":
            count += 1
            try:
                value = yield value
            except Oops as error:
                log.append(("caught", str(error)))
                value = "after throw"
    except GeneratorExit:
        log.append(("closed", count))
        raise
    finally:
        log.append(("finally", count))
    return count


def stubborn(log):
    """Answer to `close` with another item."""
    try:
        yield 1
    except GeneratorExit:
        yield 2


def obliging(log):
    """Answer to `close` with a return value."""
    try:
        yield 1
    except GeneratorExit:
        log.append("left")
        return 7


def failing(log):
    """Fail after its first item."""
    yield 1
    raise Oops("inside")


def failing_at_close(log):
    """Fail while it cleans up."""
    try:
        yield 1
    finally:
        raise Oops("while closing")


def empty(log):
    """Return without an item."""
    return 5
    yield


def leaking(log):
    """Let a StopIteration out, which Python turns into a RuntimeError."""
    yield 1
    raise StopIteration(3)


def delegating(log):
    """Hand everything to another generator, and yield its return value."""
    yield (yield from echo(log))


GENERATORS = [echo, stubborn, obliging, failing, failing_at_close, empty, leaking, delegating]
ACTIONS = {
    "to the end": [("next",), ("next",), ("send", "stop"), ("next",), ("next",)],
    "send": [("next",), ("send", "x"), ("send", None), ("send", "stop")],
    "send too early": [("send", "x"), ("next",)],
    "throw": [("next",), ("throw", Oops("t")), ("next",), ("next",)],
    "throw an unknown one": [("next",), ("throw", KeyError("k")), ("next",)],
    "throw too early": [("throw", Oops("t")), ("next",)],
    "throw StopIteration": [("next",), ("throw", StopIteration(4)), ("next",)],
    "throw GeneratorExit": [("next",), ("throw", GeneratorExit()), ("next",)],
    "close": [("next",), ("close",), ("close",), ("next",)],
    "close at once": [("close",), ("next",)],
    "close after the end": [("next",), ("send", "stop"), ("next",), ("close",)],
}


def played(function, steps):
    """Play steps on a generator; return all that its consumer could see."""
    log = []
    running = function(log)
    for name, *values in steps:
        action = (lambda: next(running)) if name == "next" else getattr(running, name)
        told(log, lambda action=action, values=values: action(*values))
        log.append(inspect.getgeneratorstate(running))
    while inspect.getgeneratorstate(running) != inspect.GEN_CLOSED:
        told(log, running.close)
    return log


@pytest.mark.parametrize("steps", ACTIONS.values(), ids=ACTIONS)
@pytest.mark.parametrize("function", GENERATORS, ids=lambda function: function.__name__)
def test_the_protocol_is_that_of_the_undecorated_generator(recorded, function, steps):
    """send, throw, close, return values and errors are the same with the decorator as without."""
    assert played(asp.track(function), steps) == played(function, steps)


@pytest.mark.parametrize("function", GENERATORS, ids=lambda function: function.__name__)
def test_yield_from_gets_the_return_value(recorded, function):
    """`yield from` a tracked generator gives the value or the error that it gives without the decorator."""

    def around(inner, log):
        log.append((yield from inner(log)))

    logs = []
    for inner in (asp.track(function), function):
        log = []
        running = around(inner, log)
        told(log, lambda running=running: [next(running), running.send("stop"), next(running, None)])
        told(log, running.close)
        told(log, running.close)
        logs.append(log)
    assert logs[0] == logs[1]


def test_a_for_loop_to_the_end_is_a_complete_success(recorded):
    """A generator that is iterated to its end is a success, not marked incomplete, with its items counted."""

    @asp.track
    def count():
        yield from range(3)

    assert list(count()) == [0, 1, 2]
    (row,) = recorded.rows("SELECT status, context ->> 'completed' AS completed, context ->> 'chunks' AS chunks "
                           "FROM execution_traces")  # fmt: skip
    assert row == {"status": "success", "completed": None, "chunks": 3}


def test_being_thrown_out_is_an_incomplete_success(recorded):
    """A consumer that throws the generator out has left early, as one that breaks off or closes."""

    @asp.track
    def count():
        yield from range(10)

    running = count()
    next(running)
    with pytest.raises(GeneratorExit):
        running.throw(GeneratorExit)
    (row,) = recorded.rows(
        "SELECT status, success, context -> 'completed' AS completed FROM execution_traces"
    )
    assert row == {"status": "success", "success": 1, "completed": "false"}


def test_leaving_a_generator_that_returns_on_close_is_incomplete(recorded):
    """Also a generator that catches the consumer's leaving and returns was left before its end."""
    running = asp.track(obliging)([])
    next(running)
    running.close()
    (row,) = recorded.rows("SELECT status, context -> 'completed' AS completed FROM execution_traces")
    assert row == {"status": "success", "completed": "false"}


def test_a_generator_without_items_is_a_success(recorded):
    """A generator that ends before its first item has an execution, and no time to its first token."""
    assert list(asp.track_agent("Code")(empty)([])) == []
    assert [row["status"] for row in recorded.traces()] == ["success"]
    assert recorded.metrics("Time_To_First_Token") == []


@pytest.mark.parametrize(
    ("function", "steps", "status", "error"),
    [
        (failing, [("next",), ("next",)], "error", "Oops"),
        (failing_at_close, [("next",), ("close",)], "error", "Oops"),
        (echo, [("next",), ("throw", KeyError("k"))], "error", "KeyError"),
        (echo, [("next",), ("throw", TimeoutError("slow"))], "timeout", "TimeoutError"),
        (echo, [("next",), ("throw", asyncio.CancelledError())], "cancelled", "CancelledError"),
        (echo, [("next",), ("throw", KeyboardInterrupt())], "error", "KeyboardInterrupt"),
        (leaking, [("next",), ("next",)], "error", "RuntimeError"),
    ],
)
def test_failures_have_their_status(recorded, function, steps, status, error):
    """A generator that fails by itself or by what is thrown in has the status that a function would have."""
    played(asp.track(function), steps)
    (row,) = recorded.traces()
    assert (row["status"], row["error_type"]) == (status, error)


def test_the_very_exception_passes_through(recorded):
    """What is thrown in arrives inside as the same object, and what comes out is the same object, too."""
    thrown, raised, arrived = Oops("in"), Oops("out"), []

    @asp.track
    def swap():
        try:
            yield
        except Oops as caught:
            arrived.append(caught)
            raise raised from caught

    running = swap()
    next(running)
    with pytest.raises(Oops) as caught:
        running.throw(thrown)
    assert caught.value is raised
    assert raised.__cause__ is arrived[0] is thrown


def test_a_generator_may_fail_before_it_is_made(recorded):
    """Arguments that do not fit raise their TypeError when the first item is asked for, as an error."""
    running = asp.track(failing)("one", "too many")
    with pytest.raises(TypeError, match="positional"):
        next(running)
    assert [row["status"] for row in recorded.traces()] == ["error"]


def test_many_half_consumed_generators_are_all_recorded(recorded):
    """Generators that are forgotten in the middle, also in reference cycles, are recorded when they are freed."""

    @asp.track
    def count(holder):
        holder.append(holder)
        yield from range(10)

    for _ in range(20):
        holder = []
        running = count(holder)
        holder.append(running)
        next(running)
        del running, holder
    collect_garbage()
    (row,) = recorded.rows("SELECT count(*) AS number, min(status) AS status FROM execution_traces")
    assert row == {"number": 20, "status": "success"}


def test_only_what_speaks_has_a_time_to_its_first_token(recorded):
    """A retriever that yields documents measures no tokens; an agent that yields its answer does."""

    def items():
        yield "one"
        yield "two"

    list(asp.track(items, kind="retriever")())
    assert recorded.metrics("Time_To_First_Token") == []
    list(asp.track_agent("Code")(items)())
    assert len(recorded.metrics("Time_To_First_Token")) == 1
