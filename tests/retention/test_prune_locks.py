"""Retention beside others: locks are held for a batch, and both ways of asking PostgreSQL agree."""

import sqlite3
from contextlib import closing

import anyio
import asyncpg
import pytest

from asp_telemetry.database_url import sqlite_path
from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.retention import RetentionPolicy, count_due, prune
from keeping import Kept, ago, key

INSERT = (
    "INSERT INTO execution_traces (correlation_id, root_id, session_id, source, name, started_at, status) "
    "VALUES ('{0}', '{0}', 's', 'x', 'n', '{1}', 'success')"
)


async def test_others_write_while_it_runs(new_database):
    """Someone who writes all the time is let in between the batches."""
    database = await new_database().migrate()
    await database.run(*(INSERT.format(key(number), ago(days=100)) for number in range(1, 41)))
    seen, begun = [], anyio.Event()

    async def write() -> None:
        number = 1000
        await begun.wait()
        while len(seen) < 5:
            await database.run(INSERT.format(key(number), ago(days=1)))
            seen.append(await database.count("execution_traces_archive"))
            number += 1

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        await prune(
            database.url, RetentionPolicy(), archive=None, batch=2, report=lambda rule, rows: begun.set()
        )
    assert await database.count("execution_traces_archive") == 40
    assert any(0 < count < 40 for count in seen), seen


async def test_sqlite_that_is_locked(tmp_path, monkeypatch):
    """A file that another process keeps locked is named, with the remedy, and nothing is done."""
    monkeypatch.setattr("asp_telemetry.stores.sqlite_connection.BUSY_TIMEOUT_SECONDS", 0.1)
    database = await Kept(f"sqlite:///{tmp_path}/a.db").migrate()
    with closing(sqlite3.connect(sqlite_path(database.url), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="another process is writing"):
            await prune(database.url, RetentionPolicy(), archive=None)


async def test_a_table_that_is_locked_for_long(postgres_url, tmp_path):
    """A lock on a table is not waited for longer than a writer would, and the session's end releases everything."""
    database = await Kept(postgres_url).migrate()
    await database.run(INSERT.format(key(1), ago(days=100)))
    other = await asyncpg.connect(postgres_url)
    async with other.transaction():
        await other.execute("LOCK TABLE execution_traces IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailableError, match="holds a lock"):
            await prune(postgres_url, RetentionPolicy(), archive=tmp_path)
    await other.close()
    assert (await prune(postgres_url, RetentionPolicy(), archive=tmp_path)).pruned[0].rows == 1


async def test_the_function_in_the_database_agrees(postgres_url):
    """What the command has pruned leaves nothing for asp_prune(), and the other way round."""
    database = await Kept(postgres_url).fill()
    await database.run(INSERT.format(key(1), ago(days=100)))
    due = {found.rule: found.rows for found in await count_due(postgres_url, RetentionPolicy())}
    assert due["traces"] > 0
    await prune(postgres_url, RetentionPolicy(), archive=None)
    assert {row["row_count"] for row in await database.rows("SELECT * FROM asp_prune()")} == {0}
    await database.run(INSERT.format(key(2), ago(days=100)))
    assert sum(row["row_count"] for row in await database.rows("SELECT * FROM asp_prune()")) == 1
    assert {found.rows for found in await count_due(postgres_url, RetentionPolicy())} == {0}
