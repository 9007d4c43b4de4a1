"""A generator may be finished, closed or freed elsewhere than it was begun, and disturbs neither place."""

import asyncio
import contextvars
import threading

import pytest

import asp_telemetry as asp
from garbage import collect_garbage


def tree(recorded):
    """Return the parent's name of every execution, by name."""
    rows = recorded.traces()
    names = {row["correlation_id"]: row["name"] for row in rows}
    return {row["name"]: names.get(row["parent_id"]) for row in rows}


@asp.track_tool
def helper():
    """Be tracked inside or outside of a generator."""


@asp.track
def stream(seen):
    """Note what is current inside."""
    for number in range(2):
        seen.append(asp.current_span().id)
        yield number
    seen.append(asp.current_span().id)


def run_in_thread(action):
    """Run an action in a thread of its own, and raise here what it raises there."""
    caught = []

    def run():
        try:
            action()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if caught:
        raise caught[0]


def run_in_context(action):
    """Run an action in an empty context of its own."""
    contextvars.Context().run(action)


@pytest.mark.parametrize("elsewhere", [run_in_thread, run_in_context])
def test_a_generator_may_end_elsewhere_than_it_began(recorded, elsewhere):
    """A generator that is finished in another thread or context is recorded, and disturbs neither place."""
    seen = []

    def finish():
        with asp.span("other consumer") as other:
            assert list(running) == [1]
            assert asp.current_span().id == other.id
        assert not asp.current_span().is_recording

    with asp.span("consumer") as consumer:
        running = stream(seen)
        next(running)
        elsewhere(finish)
        assert asp.current_span().id == consumer.id
    assert not asp.current_span().is_recording
    assert len(set(seen)) == 1
    assert tree(recorded) == {"consumer": None, "stream": "consumer", "other consumer": None}


@pytest.mark.parametrize("elsewhere", [run_in_thread, run_in_context])
def test_a_generator_may_be_closed_elsewhere(recorded, elsewhere):
    """A generator that is closed in another thread or context is an incomplete success."""
    running = stream([])
    next(running)
    elsewhere(running.close)
    assert not asp.current_span().is_recording
    (row,) = recorded.rows("SELECT status, context -> 'completed' AS completed FROM execution_traces")
    assert row == {"status": "success", "completed": "false"}


def test_a_generator_freed_inside_another_span_leaves_that_span_current(recorded):
    """When the garbage collector closes a generator, whatever is current at that moment stays current."""
    holder = [stream([])]
    next(holder[0])
    holder.append(holder)
    with asp.span("elsewhere") as span:
        del holder
        collect_garbage()
        assert asp.current_span().id == span.id
    assert tree(recorded) == {"stream": None, "elsewhere": None}


def test_a_generator_outlives_the_span_that_began_it(recorded):
    """A generator may go on after its parent has ended, and is still that one's child."""
    with asp.span("parent"):
        running = stream([])
        next(running)
    assert list(running) == [1]
    assert not asp.current_span().is_recording
    assert tree(recorded) == {"parent": None, "stream": "parent"}


async def test_an_async_generator_may_be_finished_by_another_task(recorded):
    """An async generator that is passed on to another task keeps its parent and disturbs neither task."""

    @asp.track
    async def astream():
        yield 1
        helper()
        yield 2

    async def finish(running):
        async with asp.span("other consumer") as other:
            assert [item async for item in running] == [2]
            assert asp.current_span().id == other.id

    async with asp.span("consumer") as consumer:
        running = astream()
        await anext(running)
        await asyncio.create_task(finish(running))
        assert asp.current_span().id == consumer.id
    assert await asyncio.to_thread(tree, recorded) == {
        "consumer": None,
        "astream": "consumer",
        "other consumer": "consumer",
        "helper": "astream",
    }
