"""Asks a PostgreSQL database what it holds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asp_telemetry.database_url import destination_of
from asp_telemetry.importing.ledger import Ledger, Row
from asp_telemetry.stores.postgres_connection import Connection, reading
from asp_telemetry.stores.postgres_work import explaining, open_current


class PostgresLedger(Ledger):
    """Be an open connection to a PostgreSQL database that is only read."""

    def __init__(self, connection: Connection, url: str) -> None:
        super().__init__("postgres")
        self._connection = connection
        self._name = destination_of(url)

    async def rows(self, statement: str, *values: object) -> list[Row]:
        """Run a statement of `importing.sql` by its name."""
        with explaining(self._name):
            async with reading(self._connection):
                return [dict(row) for row in await self._connection.fetch(self.sql[statement], *values)]


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
    async with open_current(url) as connection:
        yield PostgresLedger(connection, url)
