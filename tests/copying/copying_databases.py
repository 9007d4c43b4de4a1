"""What the tests of copies ask of either database."""

import asyncio
import sqlite3
from collections.abc import Coroutine
from contextlib import closing
from threading import Thread
from typing import Any

import asyncpg
from copying_rows import MODELS

from asp_telemetry.copying import CHECKPOINTS, IDENTITY, TABLES
from asp_telemetry.database_url import is_sqlite, sqlite_path
from asp_telemetry.migrations import Migrator, PostgresTarget, SqliteTarget
from asp_telemetry.stores import open_store
from asp_telemetry.stores.sqlite_connection import open_database


async def make(url: str) -> str:
    """Give a database the current schema, and return its identity."""
    store = open_store(url, auto_migrate=True)
    identity = await store.open()
    await store.close()
    return identity


async def migrate_down(url: str, *, to: int) -> None:
    """Take a database's schema back."""
    if is_sqlite(url):
        connection = (await open_database(sqlite_path(url))).connection
        await Migrator(SqliteTarget(connection)).down(to=to)
    else:
        connection = await asyncpg.connect(url)
        await Migrator(PostgresTarget(connection)).down(to=to)
    await connection.close()


async def query(url: str, sql: str) -> list[dict[str, Any]]:
    """Run SQL that both databases understand; what it changes stays."""
    if is_sqlite(url):
        with closing(sqlite3.connect(sqlite_path(url))) as database, database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(sql)]
    connection = await asyncpg.connect(url)
    try:
        return [dict(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def contents(url: str) -> dict[str, list[Any]]:
    """Return all rows of all tables that are copied, as the records that users get."""
    found = {}
    for table in (*TABLES, CHECKPOINTS, IDENTITY):
        record = MODELS[table.name]
        rows = await query(url, f"SELECT {table.selected} FROM {table.name}")
        found[table.name] = sorted(
            (record.model_validate(row) for row in rows), key=lambda row: str(next(iter(row)))
        )
    return found


def meanwhile(work: Coroutine[Any, Any, Any]) -> None:
    """Do something in another thread while a copy waits in its callback."""
    thread = Thread(target=asyncio.run, args=(work,))
    thread.start()
    thread.join(20)
