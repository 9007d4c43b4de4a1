"""Asks a PostgreSQL database what it holds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from asp_telemetry.database_url import destination_of
from asp_telemetry.importing.ledger import Ledger, Row
from asp_telemetry.stores.postgres_connection import (
    Connection,
    connect,
    disconnect,
    prepare_schema,
    reading,
)
from asp_telemetry.stores.postgres_failures import TROUBLE, unavailable


class PostgresLedger(Ledger):
    """Be an open connection to a PostgreSQL database that is only read."""

    def __init__(self, connection: Connection, url: str) -> None:
        super().__init__("postgres")
        self._connection = connection
        self._name = destination_of(url)

    async def rows(self, statement: str, *values: object) -> list[Row]:
        """Run a statement of `importing.sql` by its name."""
        try:
            async with reading(self._connection):
                return [dict(row) for row in await self._connection.fetch(self.sql[statement], *values)]
        except TROUBLE as error:
            raise unavailable(error, self._name) from error


@asynccontextmanager
async def open_postgres(url: str) -> AsyncIterator[PostgresLedger]:
    """Connect to a database to read.

    Args:
        url: The database.

    Yields:
        The ledger.

    Raises:
        StoreUnavailableError: If it cannot be reached.
        MigrationError: If its schema is not the current one.
    """
    connection = await connect(url)
    try:
        await prepare_schema(connection, url, migrate=False)
        yield PostgresLedger(connection, url)
    finally:
        with anyio.CancelScope(shield=True):
            await disconnect(connection)
