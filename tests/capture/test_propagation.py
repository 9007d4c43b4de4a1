"""The current span flows through asyncio by itself, and through threads where it is carried."""

import asyncio
import concurrent.futures
import contextvars
import inspect
import threading

import pytest

import asp_telemetry as asp


@asp.track
def leaf(number=0):
    return number


@asp.track
async def aleaf(number=0):
    await asyncio.sleep(0)
    return number


def parents(recorded):
    """Count the executions called `leaf` or `aleaf` by the name of their parent."""
    rows = recorded.rows(
        "SELECT parent.name AS parent, count(*) AS number FROM execution_traces AS child "
        "LEFT JOIN execution_traces AS parent ON parent.correlation_id = child.parent_id "
        "WHERE child.name IN ('leaf', 'aleaf') GROUP BY 1"
    )
    return {row["parent"]: row["number"] for row in rows}


async def test_gather_keeps_the_parent(recorded):
    """Calls that `asyncio.gather` runs at the same time are children of the one that gathers."""
    async with asp.span("root"):
        assert await asyncio.gather(*(aleaf(number) for number in range(5))) == list(range(5))
    assert await asyncio.to_thread(parents, recorded) == {"root": 5}


async def test_task_groups_keep_the_parent(recorded):
    """Each task of a task group has the span that was current when it was made, whatever follows there."""
    async with asp.span("root"), asyncio.TaskGroup() as group:
        group.create_task(aleaf())
        with asp.span("step"):
            group.create_task(aleaf())
        group.create_task(aleaf())
    assert await asyncio.to_thread(parents, recorded) == {"root": 2, "step": 1}


async def test_interleaved_tasks_keep_apart(recorded):
    """Traces of tasks that run in turns never mix."""

    async def trace(name):
        async with asp.span(name) as span:
            for _ in range(5):
                await aleaf()
                assert asp.current_span().id == span.id

    await asyncio.gather(*(trace(f"trace {number}") for number in range(4)))
    assert await asyncio.to_thread(parents, recorded) == {f"trace {number}": 5 for number in range(4)}


async def test_to_thread_keeps_the_parent(recorded):
    """`asyncio.to_thread` carries the span by itself."""
    async with asp.span("root"):
        await asyncio.to_thread(leaf)
    assert await asyncio.to_thread(parents, recorded) == {"root": 1}


def test_plain_threads_begin_a_trace_of_their_own(recorded):
    """In a thread that nothing is carried into, a call is the root of its own trace."""
    with asp.span("root"):
        thread = threading.Thread(target=leaf)
        thread.start()
        thread.join()
    assert parents(recorded) == {None: 1}


def test_propagate_carries_the_span_into_threads(recorded):
    """`propagate` carries the span that is current when it is called, into any number of threads at once."""
    with asp.span("root"):
        carried = asp.propagate(leaf)
        with asp.span("later"):
            threads = [threading.Thread(target=carried) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert parents(recorded) == {"root": 8}


def test_propagate_carries_context_and_task(recorded):
    """User, session and task are carried along, also without any open span."""
    with asp.context(user_id="ana"):
        alone = asp.propagate(leaf)
        with asp.task("T"):
            inside = asp.propagate(leaf)
    for carried in (alone, inside):
        thread = threading.Thread(target=carried)
        thread.start()
        thread.join()
    rows = [row for row in recorded.traces() if row["name"] == "leaf"]
    assert [(row["user_id"], row["task_id"] == "T") for row in rows] == [("ana", False), ("ana", True)]


def test_propagate_leaves_the_thread_as_it_was(recorded):
    """After the carried function, whether it returns or raises, the thread has its own span again."""

    def fail():
        raise ValueError("inside")

    with asp.span("root"):
        carried, failing = asp.propagate(leaf), asp.propagate(fail)

    def work():
        with asp.span("own") as own:
            carried()
            with pytest.raises(ValueError, match="inside"):
                failing()
            seen.append(asp.current_span().id == own.id)
            leaf()
        seen.append(asp.current_span().is_recording)

    seen = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [True, False]
    assert parents(recorded) == {"root": 1, "own": 1}


async def test_propagate_carries_into_coroutines(recorded):
    """A carried `async def` runs with the span, stays a coroutine function, and leaves its task as it was."""
    with asp.span("root"):
        carried = asp.propagate(aleaf)
    assert inspect.iscoroutinefunction(carried)
    with asp.span("other") as other:
        assert await carried(3) == 3
        assert asp.current_span().id == other.id
    assert await asyncio.to_thread(parents, recorded) == {"root": 1}


def test_propagate_keeps_the_signature():
    """A carried function looks like the function that it carries."""
    carried = asp.propagate(leaf)
    assert carried.__name__ == "leaf"
    assert inspect.signature(carried) == inspect.signature(leaf)


def test_the_thread_pool_carries_the_span(recorded):
    """`ThreadPoolExecutor` is the standard one, and its calls have the span that was current at `submit` or `map`."""
    with asp.ThreadPoolExecutor(max_workers=3) as pool:
        assert isinstance(pool, concurrent.futures.ThreadPoolExecutor)
        with asp.span("submitting"):
            futures = [pool.submit(leaf, number=number) for number in range(4)]
        with asp.span("mapping"):
            assert list(pool.map(leaf, range(6))) == list(range(6))
        assert [future.result() for future in futures] == list(range(4))
        pool.submit(leaf).result()
    assert parents(recorded) == {"submitting": 4, "mapping": 6, None: 1}


async def test_the_thread_pool_serves_an_event_loop(recorded):
    """`loop.run_in_executor` with this pool carries the span, which asyncio itself does not."""
    with asp.ThreadPoolExecutor(max_workers=2) as pool:
        async with asp.span("root"):
            await asyncio.get_running_loop().run_in_executor(pool, leaf)
    assert await asyncio.to_thread(parents, recorded) == {"root": 1}


def test_a_copied_context_carries_the_span(recorded):
    """`contextvars.copy_context` carries the span like any other context variable."""
    with asp.span("root"):
        copied = contextvars.copy_context()
    copied.run(leaf)
    leaf()
    assert parents(recorded) == {"root": 1, None: 1}


def test_a_block_may_end_in_another_context(recorded):
    """A block that is left in another context than it was entered in is recorded, and raises nothing there."""
    block = asp.span("moved")
    contextvars.copy_context().run(block.__enter__)
    with asp.span("here") as here:
        block.__exit__(None, None, None)
        assert asp.current_span().id == here.id
        leaf()
    assert parents(recorded) == {"here": 1}
    assert {row["name"] for row in recorded.traces()} == {"moved", "here", "leaf"}


def test_spans_may_end_out_of_order(recorded):
    """Blocks that are left in the wrong order are all recorded, and what follows belongs to none of them."""
    with asp.span("root") as root:
        outer, inner = asp.span("outer"), asp.span("inner")
        outer.__enter__()
        inner.__enter__()
        outer.__exit__(None, None, None)
        inner.__exit__(None, None, None)
        assert asp.current_span().id == root.id
        leaf()
    leaf()
    assert parents(recorded) == {"root": 1, None: 1}
    assert {row["name"]: row["status"] for row in recorded.traces()} == {
        "root": "success",
        "outer": "success",
        "inner": "success",
        "leaf": "success",
    }
    assert not asp.current_span().is_recording
