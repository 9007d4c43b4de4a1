"""Runs the statements of the retention on an SQLite file."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path

import aiosqlite

from asp_telemetry.migrations import SqliteTarget
from asp_telemetry.retention.database import Row, ids_of, sql
from asp_telemetry.stores.sqlite_work import open_current, rows_of


class SqliteRetention:
    """Be an open SQLite file whose rows can be pruned."""

    def __init__(self, connection: aiosqlite.Connection, path: Path, *, read_only: bool) -> None:
        self._connection = connection
        self._path = path
        self._read_only = read_only
        self._sql = sql("sqlite")

    async def rows(self, statement: str, *values: object) -> list[Row]:
        """Run a statement of `retention.sql` by its name."""
        return await self._rows(self._sql[statement], *values)

    async def move_traces(self, cutoff: str, trees: int) -> int:
        """Move at most so many trees that ended before a moment into the archive table; return the number of rows."""
        due = f"SELECT correlation_id FROM ({self._sql['due_traces'].rstrip(';')})"  # noqa: S608 - our own statement
        rows = await self._rows(due, cutoff, trees)
        ids = ids_of(rows)
        await self.rows("archive_traces", ids)
        await self.rows("delete_traces", ids)
        return len(rows)

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Hold the write lock, unless nothing shall be written; commit at the end, roll back on an error."""
        return nullcontext() if self._read_only else SqliteTarget(self._connection).locked()

    async def _rows(self, statement: str, *values: object) -> list[Row]:
        return await rows_of(self._connection, self._path, statement, values)


@asynccontextmanager
async def open_sqlite(path: Path, *, read_only: bool) -> AsyncIterator[SqliteRetention]:
    """Open an existing file at the current schema.

    Args:
        path: The file.
        read_only: Whether nothing shall be changed, the journal mode included.

    Yields:
        The open database.

    Raises:
        StoreUnavailableError: If there is no such file, or it cannot be opened.
        MigrationError: If its schema is not the current one.
    """
    async with open_current(path, purpose="to prune", read_only=read_only) as connection:
        yield SqliteRetention(connection, path, read_only=read_only)
