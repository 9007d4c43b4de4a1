"""Changes the registry of agents in a PostgreSQL database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asp_telemetry.agents.database import RegistryDatabase, Row
from asp_telemetry.database_url import destination_of
from asp_telemetry.stores.postgres_connection import Connection
from asp_telemetry.stores.postgres_work import explaining, open_current, transaction

_COMMAND_SECONDS = 300.0  # the figures of a month of executions


class PostgresRegistry(RegistryDatabase):
    """Be an open connection to a PostgreSQL database."""

    def __init__(self, connection: Connection, url: str) -> None:
        super().__init__("postgres")
        self._connection = connection
        self._name = destination_of(url)

    async def rows(self, statement: str, *values: object) -> list[Row]:
        """Run a statement of `agents.sql` by its name."""
        with explaining(self._name):
            return [dict(row) for row in await self._connection.fetch(self.sql[statement], *values)]

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Be the only one who changes the registry; commit at the end, roll back on an error."""
        with explaining(self._name):
            async with transaction(self._connection, self.sql["be_the_only_one"]):
                yield


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
    async with open_current(url, command_seconds=_COMMAND_SECONDS) as connection:
        yield PostgresRegistry(connection, url)
