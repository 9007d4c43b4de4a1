"""Positions move with the rows or not at all: exactly once, whatever two drainers do."""

import anyio
import pytest
from batches import Lane, commit, metric, new_id, open_trace, trace

from asp_telemetry.errors import PositionMovedError, RowRefusedError
from asp_telemetry.records import ExecutionTrace, JournalCheckpoint, RejectedRecord, TaskMetadata
from asp_telemetry.writer.batch import METRIC_COLUMNS, Batch, Change, Checkpoint, Move, Rejection


async def test_a_store_has_one_identity(store, database):
    """A database says the same of itself to everyone who opens it, again and again."""
    other = database.new_store()
    assert await other.open() == await other.open() == await store.open()
    await other.close()
    await other.close()


async def test_positions_are_told_per_lane(store):
    """The checkpoints of a journal are told by lane, with their figures and reasons; those of others are not."""
    first, second, stranger = Lane("one", 0), Lane("one", 1), Lane("one-more", 0)
    await commit(store, first, first.insert(), first.insert(), full=3, lost=1)
    await commit(store, second, second.insert())
    await commit(store, stranger, stranger.insert())
    assert await store.checkpoints("one") == {
        "one/0": Checkpoint(200, 2, 0, {"full": 3, "lost": 1}),
        "one/1": Checkpoint(100, 1, 0, {}),
    }
    assert await store.checkpoints("none") == {}


async def test_a_moved_position_takes_nothing(store, database):
    """A batch of records that another drainer has committed already leaves no trace, in no table."""
    lane = Lane()
    batch = lane.batch(lane.insert(metric()), lane.task("T-1"))
    await store.write(batch)
    other = database.new_store()
    await other.open()
    with pytest.raises(PositionMovedError):
        await other.write(batch)
    await other.close()
    assert len(await database.records(ExecutionTrace)) == 1
    assert len(await database.records(TaskMetadata)) == 1
    assert (await store.checkpoints(lane.journal_id))[lane.key].stored == 2


async def test_one_moved_lane_takes_the_whole_batch(store, database):
    """Of a batch of two lanes nothing is written if one of them has moved."""
    first, second = Lane("j", 0), Lane("j", 1)
    await commit(store, first, first.insert())
    stale = Batch(
        [second.insert()],
        [Move(second.key, 0, Checkpoint(100, 1)), Move(first.key, 0, Checkpoint(100, 1))],
    )
    with pytest.raises(PositionMovedError):
        await store.write(stale)
    assert len(await database.records(ExecutionTrace)) == 1
    assert set(await store.checkpoints("j")) == {"j/0"}


async def until(store, move):
    """Wait until a lane has come to where a move begins."""
    while (await store.checkpoints("race")).get(move.lane, Checkpoint()).position < move.before:  # noqa: ASYNC110 - the database cannot ring a bell
        await anyio.sleep(0.001)


async def test_two_drainers_of_one_journal_write_each_record_once(store, database):
    """Drainers that race for the same batches, lane by lane and in any order, store every record once."""
    lanes = [Lane("race", number) for number in range(4)]
    batches = []
    for _ in range(15):
        part = [lane.insert(metric()) for lane in lanes]
        moves = []
        for lane, entry in zip(lanes, part, strict=True):
            after = Checkpoint(entry.end, lane.stored + 1)
            moves.append(Move(lane.key, lane.position, after))
            lane.position, lane.stored = after.position, after.stored
        batches.append((part, moves))

    async def drain(number, moved):
        own = database.new_store()
        await own.open()
        try:
            for part, moves in batches:
                ordered = moves if number % 2 else moves[::-1]
                await until(own, moves[0])
                try:
                    await own.write(Batch(list(part), list(ordered)))
                except PositionMovedError:
                    moved.append(number)
        finally:
            await own.close()

    moved = []
    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(drain, number, moved)
    assert len(moved) == 3 * len(batches)
    assert len(await database.records(ExecutionTrace)) == 4 * len(batches)
    assert {found.stored for found in (await store.checkpoints("race")).values()} == {15}


async def test_rejections_are_kept_with_their_reason(store, database):
    """What was refused stands in rejected_records once, readable, even if a NUL was the reason."""
    lane = Lane()
    rejection = Rejection(lane.key, 7, '{"name":"a\\u0000b"}', "no good: \0")
    await commit(store, lane, rejections=(rejection,))
    found = await database.only(RejectedRecord)
    assert (found.journal_id, found.sequence) == (lane.key, 7)
    assert found.record in ({"name": "a\ufffdb"}, {"name": "a\0b"})
    assert found.reason.startswith("no good: ")
    assert (await store.checkpoints(lane.journal_id))[lane.key].rejected == 1


@pytest.mark.parametrize(
    "row",
    [
        {"kind": "nonsense"}, {"status": "nonsense"}, {"correlation_id": "no uuid"}, {"context": "{no json"},
        {"agent_iteration": 2**31}, {"started_at": "no time"}, {"duration_ms": "-1"}, {"name": None},
        {"duration_ms": "Infinity"}, {"duration_ms": "NaN"}, {"success": 7},
    ],
    ids=str,
)  # fmt: skip
async def test_a_refused_execution_takes_its_batch_and_not_the_store(store, database, row):
    """A row that the database refuses is named as the reason, nothing of its batch stays, and the store goes on."""
    lane = Lane()
    good, bad = lane.insert(metric()), lane.insert(row=trace(**row))
    for change in (Change.INSERT_TRACE, Change.FINISH_TRACE):
        with pytest.raises(RowRefusedError) as refused:
            await store.write(lane.batch(good, bad._replace(change=change)))
        assert str(refused.value)
    assert await database.records(ExecutionTrace) == []
    assert await database.records(JournalCheckpoint) == []
    await commit(store, lane, good)
    assert len(await database.records(ExecutionTrace)) == 1


@pytest.mark.parametrize(
    "row",
    [
        {"metric_value": "-1"}, {"metric_value": "NaN"}, {"metric_value": "Infinity"}, {"metric_value": "1e15"},
        {"metric_value": "lots"}, {"task_id": "x" * 101}, {"metric_unit": None}, {"metadata": "[1,"},
    ],
    ids=str,
)  # fmt: skip
async def test_a_refused_metric(store, database, row):
    """A metric that makes no sense is refused by both databases."""
    values = [*metric()]
    for name, value in row.items():
        values[METRIC_COLUMNS.index(name)] = value
    lane = Lane()
    with pytest.raises(RowRefusedError):
        await store.write(lane.batch(lane.insert(tuple(values))))
    assert await database.records(ExecutionTrace) == []


async def test_the_same_execution_twice_is_refused(store):
    """An execution that was stored as final cannot be inserted a second time."""
    lane, correlation_id = Lane(), new_id()
    await commit(store, lane, lane.insert(row=trace(correlation_id=correlation_id)))
    with pytest.raises(RowRefusedError):
        await store.write(lane.batch(lane.insert(row=trace(correlation_id=correlation_id))))


async def test_forgotten_journals_stay_in_the_account(store, database):
    """The checkpoints of journals that are gone become part of one row, so that totals stay whole."""
    for name in ("one", "two", "two-and-more"):
        lane = Lane(name)
        await commit(store, lane, lane.insert(), lane.insert(), full=2)
        await commit(store, lane, rejections=(Rejection(lane.key, 9, "{}", "why"),), full=2)
    await store.forget("one")
    await store.forget("two")
    await store.forget("unknown")
    kept = {row.journal_id: row for row in await database.records(JournalCheckpoint)}
    assert set(kept) == {"retired", "two-and-more/0"}
    assert (kept["retired"].stored, kept["retired"].rejected, kept["retired"].dropped) == (4, 2, 4)


async def test_the_abandoned_are_marked(store, database):
    """What a dead journal opened and never finished is abandoned, and its task failed; others stay as they are."""
    dead, alive = Lane("dead"), Lane("alive")
    run = open_trace("dead", kind="task", task_id="T-1")
    facts = {**dead.task("T-1").row, "status": "in_progress"}
    await commit(
        store, dead, dead.entry(Change.OPEN_TRACE, (run, facts), task_id="T-1", task_run=True),
        dead.entry(Change.OPEN_TRACE, (open_trace("dead"), None)), dead.insert(),
    )  # fmt: skip
    await commit(store, alive, alive.entry(Change.OPEN_TRACE, (open_trace("alive"), None)))
    assert (await database.only(TaskMetadata)).status == "in_progress"
    assert await store.abandon("dead") == 2
    assert await store.abandon("dead") == 0
    statuses = sorted(row.status for row in await database.records(ExecutionTrace))
    assert statuses == ["abandoned", "abandoned", "in_progress", "success"]
    failed = await database.only(TaskMetadata)
    assert failed.status == "failed"
    assert failed.metadata == {"failure": "abandoned: its process ended before the task did"}
    assert failed.completed_at is not None
    await commit(
        store,
        alive,
        alive.run("T-1", started_at="2027-01-01 00:00:00.000000", completed_at="2027-01-01 00:00:01.000000"),
    )
    reopened = await database.only(TaskMetadata)
    assert (reopened.status, reopened.metadata) == ("completed", None)
