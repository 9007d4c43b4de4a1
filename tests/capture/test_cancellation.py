"""Timeouts and cancellations of asyncio, trio and futures keep their meaning, inside and outside."""

import asyncio
import concurrent.futures

import pytest
import trio

import asp_telemetry as asp


class Oops(Exception):  # noqa: N818 - a user's own
    """Be an exception of the user's own."""


async def statuses(recorded):
    """Return the status of every execution by its name."""
    return {row["name"]: row["status"] for row in await asyncio.to_thread(recorded.traces)}


async def test_an_asyncio_timeout_is_told_from_a_cancellation(recorded):
    """What `asyncio.timeout` cuts off inside is cancelled, and the execution that it makes fail timed out."""

    @asp.track
    async def inner():
        await asyncio.Event().wait()

    @asp.track
    async def outer():
        async with asyncio.timeout(0.01):
            await inner()

    with pytest.raises(TimeoutError):
        await outer()
    assert await statuses(recorded) == {"outer": "timeout", "inner": "cancelled"}


async def test_a_cancelled_task_is_cancelled(recorded):
    """Cancelling an asyncio task cancels what it tracks, and the task stays cancelled."""

    @asp.track_agent
    async def agent():
        begun.set()
        await asyncio.Event().wait()

    begun = asyncio.Event()
    task = asyncio.create_task(agent())
    await begun.wait()
    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError, match="enough"):
        await task
    assert task.cancelled()
    assert await statuses(recorded) == {"agent": "cancelled"}


async def test_a_shielded_task_goes_on(recorded):
    """A tracked call behind `asyncio.shield` is not cancelled with the one who waits for it."""

    @asp.track
    async def shielded():
        await release.wait()
        done.set()

    @asp.track
    async def waiting():
        await asyncio.shield(inner)

    release, done = asyncio.Event(), asyncio.Event()
    inner = asyncio.create_task(shielded())
    outer = asyncio.create_task(waiting())
    await asyncio.sleep(0)
    outer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await outer
    release.set()
    await done.wait()
    await inner
    assert await statuses(recorded) == {"waiting": "cancelled", "shielded": "success"}


async def test_a_task_group_cancels_the_siblings_of_a_failure(recorded):
    """In a task group the one that fails is an error and its siblings are cancelled."""

    @asp.track
    async def fails():
        await asyncio.sleep(0)
        raise Oops("first")

    @asp.track
    async def sibling():
        await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup):  # noqa: PT012 - what is in the block is the test
        async with asyncio.TaskGroup() as group:
            group.create_task(sibling())
            group.create_task(fails())
    assert await statuses(recorded) == {"fails": "error", "sibling": "cancelled"}


def test_trio_cancellations_are_cancelled(recorded):
    """What a trio cancel scope cuts off is cancelled, and the scope catches it as ever."""

    @asp.track
    async def sleeper():
        await trio.sleep_forever()

    async def main():
        with trio.move_on_after(0.01) as scope:
            await sleeper()
        return scope.cancelled_caught

    assert trio.run(main) is True
    assert [row["status"] for row in recorded.traces()] == ["cancelled"]


def test_a_cancelled_future_is_cancelled(recorded):
    """Waiting in a tracked function for a future that was cancelled is a cancellation, not an error."""

    @asp.track
    def collect():
        return future.result()

    future = concurrent.futures.Future()
    future.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        collect()
    assert [row["status"] for row in recorded.traces()] == ["cancelled"]


def test_a_future_that_is_late_is_a_timeout(recorded):
    """Waiting too long for a future is a timeout."""

    @asp.track
    def collect():
        return concurrent.futures.Future().result(timeout=0.01)

    with pytest.raises(TimeoutError):
        collect()
    assert [row["status"] for row in recorded.traces()] == ["timeout"]
