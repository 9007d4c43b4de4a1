"""What another program has sent is counted once, however often and by whatever way it arrives."""

import anyio
from batches import LATER, Lane, commit, metric, new_id, open_trace, trace

from asp_telemetry.records import AgentCostVector, ExecutionTrace
from asp_telemetry.writer.batch import Change


def received(lane, correlation_id, cost="0.5", **values):
    """Make the entry of an execution that another program has sent, with what it has cost."""
    row = trace(correlation_id=correlation_id, **values)
    return lane.entry(
        Change.RECEIVE_TRACE, row, metrics=(metric("API_Cost", cost, correlation_id=correlation_id),)
    )


async def costs(database):
    """Return the costs in the order in which they were written."""
    return [str(found.metric_value.normalize()) for found in await database.records(AgentCostVector)]


async def test_an_execution_that_is_sent_again_counts_once(store, database):
    """The row and the cost of what is sent again stay those of the first time, in one batch and in a later one."""
    lane, other, known = Lane(), Lane(), new_id()
    await commit(
        store, lane, received(lane, known, name="first"), received(lane, known, "0.7", name="second")
    )
    await commit(store, other, received(other, known, "0.9", name="third"), received(other, new_id(), "0.2"))
    found = {str(row.correlation_id): row.name for row in await database.records(ExecutionTrace)}
    assert len(found) == 2
    assert found[known] == "first"
    assert await costs(database) == ["0.5", "0.2"]


async def test_an_execution_of_our_own_is_not_counted_again_when_it_is_sent(store, database):
    """What this package has recorded itself keeps its row and its cost when a copy of it comes in, even at once."""
    lane, one, two = Lane(), new_id(), new_id()
    own = [
        lane.insert(
            metric("API_Cost", "0.1", correlation_id=each), row=trace(correlation_id=each, name="own")
        )
        for each in (one, two)
    ]
    await commit(store, lane, own[0])
    await commit(store, lane, own[1], received(lane, one), received(lane, two))
    assert [row.name for row in await database.records(ExecutionTrace)] == ["own", "own"]
    assert await costs(database) == ["0.1", "0.1"]


async def test_an_execution_that_was_only_seen_open_is_completed_by_what_is_sent(store, database):
    """An open row takes over how the execution ended, and its cost, once."""
    lane, known = Lane(), new_id()
    await commit(store, lane, lane.entry(Change.OPEN_TRACE, (open_trace("dead", correlation_id=known), None)))
    await commit(store, lane, received(lane, known, completed_at=LATER))
    await commit(store, lane, received(lane, known, completed_at=LATER))
    assert (await database.only(ExecutionTrace)).status == "success"
    assert await costs(database) == ["0.5"]


async def test_two_writers_that_get_the_same_executions_count_them_once(store, database):
    """Two processes may receive the same request, one before a time-out and one after it."""
    shared = [new_id() for _ in range(40)]
    other = database.new_store()
    await other.open()

    async def write(writer, lane):
        for start in range(0, 40, 8):
            await commit(writer, lane, *[received(lane, each) for each in shared[start : start + 8]])

    async with anyio.create_task_group() as group:
        group.start_soon(write, store, Lane())
        group.start_soon(write, other, Lane())
    await other.close()
    assert len(await database.records(ExecutionTrace)) == 40
    assert await costs(database) == ["0.5"] * 40
