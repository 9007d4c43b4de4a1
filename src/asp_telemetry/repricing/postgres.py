"""Reprices a PostgreSQL database."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

import anyio

from asp_telemetry.database_url import destination_of
from asp_telemetry.repricing.database import RepricingDatabase, Row
from asp_telemetry.stores.postgres_connection import (
    Connection,
    connect,
    disconnect,
    prepare_schema,
    reading,
    statements,
)
from asp_telemetry.stores.postgres_failures import TROUBLE, unavailable

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
        return self._explained(self._transaction())

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
        with self._explaining():
            return list(await self._connection.fetch(sql, *values))

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        try:
            await self._connection.execute(self._store["begin"])
            await self._connection.execute(self.sql["be_the_only_one"])
            yield
            await self._connection.execute("COMMIT")
        finally:
            with anyio.CancelScope(shield=True):
                if not self._connection.is_closed() and self._connection.is_in_transaction():
                    await self._connection.execute("ROLLBACK")

    @asynccontextmanager
    async def _explained(self, transaction: AbstractAsyncContextManager[None]) -> AsyncIterator[None]:
        with self._explaining():
            async with transaction:
                yield

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except TROUBLE as error:
            raise unavailable(error, self._name) from error


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
    connection = await connect(url, command_seconds=_COMMAND_SECONDS)
    try:
        await prepare_schema(connection, url, migrate=False)
        yield PostgresRepricing(connection, url)
    finally:
        with anyio.CancelScope(shield=True):
            await disconnect(connection)
