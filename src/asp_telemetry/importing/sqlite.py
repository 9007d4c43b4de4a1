"""Asks an SQLite file what it holds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
import anyio

from asp_telemetry.importing.ledger import Ledger, Row
from asp_telemetry.migrations import store_errors
from asp_telemetry.stores.sqlite_connection import connect


class SqliteLedger(Ledger):
    """Be an open SQLite file that is only read."""

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        super().__init__("sqlite")
        self._connection = connection
        self._path = path

    async def rows(self, statement: str, *values: object) -> list[Row]:
        """Run a statement of `importing.sql` by its name."""
        with store_errors(self._path):
            async with self._connection.execute(self.sql[statement], values) as cursor:
                names = [column[0] for column in cursor.description or ()]
                return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]


@asynccontextmanager
async def open_sqlite(path: Path) -> AsyncIterator[SqliteLedger]:
    """Open an existing file to read.

    Args:
        path: The file.

    Yields:
        The ledger.

    Raises:
        StoreUnavailableError: If it cannot be opened.
    """
    connection = await connect(path, read_only=True)
    try:
        yield SqliteLedger(connection, path)
    finally:
        with anyio.CancelScope(shield=True):
            await connection.close()
