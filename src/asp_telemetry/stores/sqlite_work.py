"""Lets commands work on SQLite files that are there already: opens them, reads, and runs statements."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import anyio

from asp_telemetry.errors import MigrationError, StoreUnavailableError
from asp_telemetry.migrations import Migrator, SqliteTarget, store_errors
from asp_telemetry.stores.sqlite_connection import connect


@asynccontextmanager
async def open_current(path: Path, *, purpose: str, read_only: bool) -> AsyncIterator[aiosqlite.Connection]:
    """Open an existing file at the current schema.

    Args:
        path: The file.
        purpose: What it is opened for, such as "to prune", for the message where there is none.
        read_only: Whether nothing shall be changed, the journal mode included.

    Yields:
        The connection.

    Raises:
        StoreUnavailableError: If there is no such file, or it cannot be opened.
        MigrationError: If its schema is not the current one.
    """
    if not _is_there(path):
        raise StoreUnavailableError(f"{path} does not exist, so there is nothing {purpose}; check --database")
    connection = await connect(path, read_only=True)
    try:
        migrator = Migrator(SqliteTarget(connection))
        version = await migrator.check()
        if version != migrator.newest:
            raise MigrationError(
                f"{path} is at schema version {version} and this asp-telemetry needs {migrator.newest}; "
                "run `asp-telemetry migrate up`"
            )
        if not read_only:
            await connection.close()
            connection = await connect(path)
        yield connection
    finally:
        with anyio.CancelScope(shield=True):
            await connection.close()


@asynccontextmanager
async def reading(connection: aiosqlite.Connection, path: Path) -> AsyncIterator[None]:
    """Read what is of one moment, without keeping anybody from writing.

    Args:
        connection: The open connection.
        path: Its file, for messages.
    """
    with store_errors(path):
        await (await connection.execute("BEGIN")).close()
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await connection.rollback()


async def rows_of(
    connection: aiosqlite.Connection, path: Path, statement: str, values: Sequence[object]
) -> list[dict[str, Any]]:
    """Run a statement, and return its rows by the names of their columns.

    Args:
        connection: The open connection.
        path: Its file, for messages.
        statement: The SQL.
        values: Its parameters.

    Raises:
        StoreUnavailableError: If the file cannot be used now.
    """
    with store_errors(path):
        async with connection.execute(statement, values) as cursor:
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]


def _is_there(path: Path) -> bool:
    return path.exists()
