"""What timeouts and cancellations inside one another, in task groups and behind shields are recorded as."""

import asyncio

import pytest

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
