"""Changes the registry of agents in an SQLite file."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiosqlite
import anyio

from asp_telemetry.agents.database import RegistryDatabase, Row
from asp_telemetry.errors import RowRefusedError, StoreUnavailableError
from asp_telemetry.migrations import SqliteTarget
from asp_telemetry.stores.sqlite_connection import open_database
from asp_telemetry.stores.sqlite_work import rows_of


class SqliteRegistry(RegistryDatabase):
    """Be an open SQLite file."""

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        super().__init__("sqlite")
        self._connection = connection
        self._path = path

    async def rows(self, statement: str, *values: object) -> list[Row]:
        """Run a statement of `agents.sql` by its name."""
        try:
            return await rows_of(self._connection, self._path, self.sql[statement], values)
        except sqlite3.IntegrityError as error:
            # Somebody's own trigger or index: what is written has been checked against ours.
            raise RowRefusedError(
                f"{self._path}: {error}; remove what refuses it, or change the definition"
            ) from error

    def writing(self) -> AbstractAsyncContextManager[None]:
        """Hold the write lock; commit at the end, roll back on an error."""
        return SqliteTarget(self._connection).locked()


def _is_there(path: Path) -> bool:
    return path.exists()


@asynccontextmanager
async def open_sqlite(path: Path, *, create: bool) -> AsyncIterator[SqliteRegistry]:
    """Open a file, and bring it to the current schema.

    Args:
        path: The file.
        create: Whether it is made where it is missing.

    Yields:
        The open database.

    Raises:
        StoreUnavailableError: If there is no such file and none may be made, or it cannot be opened.
        MigrationError: If it is not ours, or newer than this code.
    """
    if not create and not _is_there(path):
        raise StoreUnavailableError(
            f"{path} does not exist, so it has no agents; load some first, or check --database"
        )
    opened = await open_database(path)
    try:
        yield SqliteRegistry(opened.connection, path)
    finally:
        with anyio.CancelScope(shield=True):
            await opened.connection.close()
