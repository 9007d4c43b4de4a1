"""Asks an SQLite file what it holds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
import anyio

from asp_telemetry.errors import MigrationError, StoreUnavailableError
from asp_telemetry.importing.ledger import Ledger, Row
from asp_telemetry.migrations import Migrator, SqliteTarget
from asp_telemetry.stores.sqlite_connection import connect
from asp_telemetry.stores.sqlite_work import rows_of
from asp_telemetry.upkeep.results import behind


class SqliteLedger(Ledger):
    """Be an open SQLite file that is only read."""

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        super().__init__("sqlite")
        self._connection = connection
        self._path = path

    async def rows(self, statement: str, *values: object) -> list[Row]:
        """Run a statement of `importing.sql` by its name."""
        return await rows_of(self._connection, self._path, self.sql[statement], values)


@asynccontextmanager
async def open_sqlite(path: Path) -> AsyncIterator[SqliteLedger]:
    """Open an existing file to read.

    Args:
        path: The file.

    Yields:
        The ledger.

    Raises:
        StoreUnavailableError: If there is no such file, or it cannot be opened.
        MigrationError: If its schema is not the current one.
    """
    if not _is_there(path):
        raise StoreUnavailableError(f"{path} does not exist; check --database")
    connection = await connect(path, read_only=True)
    try:
        migrator = Migrator(SqliteTarget(connection))
        version = await migrator.check()
        if version != migrator.newest:
            raise MigrationError(behind(str(path), f"sqlite:///{path}", version))
        yield SqliteLedger(connection, path)
    finally:
        with anyio.CancelScope(shield=True):
            await connection.close()


def _is_there(path: Path) -> bool:
    return path.exists()
