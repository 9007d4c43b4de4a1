"""Changes the registry of agents in a PostgreSQL database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from asp_telemetry.agents.database import RegistryDatabase, Row
from asp_telemetry.database_url import destination_of
from asp_telemetry.stores.postgres_connection import (
    Connection,
    connect,
    disconnect,
    prepare_schema,
    statements,
)
from asp_telemetry.stores.postgres_failures import TROUBLE, unavailable

_COMMAND_SECONDS = 300.0  # the figures of a month of executions


class PostgresRegistry(RegistryDatabase):
    """Be an open connection to a PostgreSQL database."""

    def __init__(self, connection: Connection, url: str) -> None:
        super().__init__("postgres")
        self._connection = connection
        self._name = destination_of(url)

    async def rows(self, statement: str, *values: object) -> list[Row]:
        """Run a statement of `agents.sql` by its name."""
        try:
            return [dict(row) for row in await self._connection.fetch(self.sql[statement], *values)]
        except TROUBLE as error:
            raise unavailable(error, self._name) from error

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Be the only one who changes the registry; commit at the end, roll back on an error."""
        try:
            await self._connection.execute(statements()["begin"])
            await self._connection.execute(self.sql["be_the_only_one"])
            yield
            await self._connection.execute("COMMIT")
        except TROUBLE as error:
            raise unavailable(error, self._name) from error
        finally:
            with anyio.CancelScope(shield=True):
                if not self._connection.is_closed() and self._connection.is_in_transaction():
                    await self._connection.execute("ROLLBACK")


@asynccontextmanager
async def open_postgres(url: str) -> AsyncIterator[PostgresRegistry]:
    """Connect to a database at the current schema.

    Args:
        url: The database.

    Yields:
        The open database.

    Raises:
        StoreUnavailableError: If it cannot be reached.
        MigrationError: If its schema is not the current one.
    """
    connection = await connect(url, command_seconds=_COMMAND_SECONDS)
    try:
        await prepare_schema(connection, url, migrate=False)
        yield PostgresRegistry(connection, url)
    finally:
        with anyio.CancelScope(shield=True):
            await disconnect(connection)
