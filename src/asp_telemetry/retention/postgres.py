"""Runs the statements of the retention on a PostgreSQL database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asp_telemetry.database_url import destination_of
from asp_telemetry.retention.database import Row, sql
from asp_telemetry.stores.postgres_connection import Connection
from asp_telemetry.stores.postgres_work import explaining, open_current, transaction

# A batch may meet a table whose statistics are old; a writer never waits for this one longer than its own lock timeout.
_COMMAND_SECONDS = 900.0


class PostgresRetention:
    """Be an open connection to a PostgreSQL database whose rows can be pruned."""

    def __init__(self, connection: Connection, url: str) -> None:
        self._connection = connection
        self._name = destination_of(url)
        self._sql = sql("postgres")

    async def rows(self, statement: str, *values: object) -> list[Row]:
        """Run a statement of `retention.sql` by its name."""
        with explaining(self._name):
            return [dict(row) for row in await self._connection.fetch(self._sql[statement], *values)]

    async def move_traces(self, cutoff: str, trees: int) -> int:
        """Move at most so many trees that ended before a moment into the archive table; return the number of rows."""
        (row,) = await self.rows("move_traces", cutoff, trees)
        return int(next(iter(row.values())))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Commit at the end, roll back on an error; nobody's lock is waited for long."""
        with explaining(self._name):
            async with transaction(self._connection):
                yield


@asynccontextmanager
async def open_postgres(url: str) -> AsyncIterator[PostgresRetention]:
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
        yield PostgresRetention(connection, url)
