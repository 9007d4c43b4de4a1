"""Reprices a PostgreSQL database."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from asp_telemetry.database_url import destination_of
from asp_telemetry.repricing.database import RepricingDatabase, Row
from asp_telemetry.stores.postgres_connection import Connection, reading, statements
from asp_telemetry.stores.postgres_work import explaining, open_current, transaction

_COMMAND_SECONDS = 300.0  # a page may meet a table whose statistics are old


class PostgresRepricing(RepricingDatabase):
    """Be an open connection to a PostgreSQL database whose costs can be computed again."""

    def __init__(self, connection: Connection, url: str) -> None:
        super().__init__("postgres")
        self._connection = connection
        self._name = destination_of(url)
        self._store = statements()

    async def rows(self, statement: str, *values: object) -> list[Row]:
        """Run a statement of `repricing.sql` by its name."""
        return [dict(row) for row in await self._fetch(self.sql[statement], *values)]

    def reading(self) -> AbstractAsyncContextManager[None]:
        """Read without keeping anybody from writing."""
        return self._explained(reading(self._connection))

    def writing(self) -> AbstractAsyncContextManager[None]:
        """Be the only one who reprices; commit at the end, roll back on an error."""
        return self._explained(transaction(self._connection, self.sql["be_the_only_one"]))

    async def before_roll_up(self, tasks: Sequence[str]) -> None:
        """Take the lock without which a writer could miss these costs in the first sum of a task that it makes just now."""
        known = await self._fetch(self._store["find_figures"], list(tasks), [])
        if len(known) < len(tasks):
            await self._fetch(self._store["own_figures"])

    async def roll_up(self, tasks: Sequence[str]) -> None:
        """Sum up finished tasks anew; their rows are locked first, in the order of their ids, as writers do."""
        await self._fetch(self._store["lock_tasks"], list(tasks), [])
        await self._fetch(self._store["roll_up_tasks"], list(tasks))

    async def _fetch(self, sql: str, *values: object) -> list[Any]:
        with explaining(self._name):
            return list(await self._connection.fetch(sql, *values))

    @asynccontextmanager
    async def _explained(self, work: AbstractAsyncContextManager[None]) -> AsyncIterator[None]:
        with explaining(self._name):
            async with work:
                yield


@asynccontextmanager
async def open_postgres(url: str) -> AsyncIterator[PostgresRepricing]:
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
        yield PostgresRepricing(connection, url)
