"""Reads spending from PostgreSQL, over one connection of its own."""

from typing import Any

from asp_telemetry.budgets.shared_account import Question, Reading
from asp_telemetry.clock import utc_text
from asp_telemetry.database_url import destination_of
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.postgres_connection import Connection, connect, disconnect, reading
from asp_telemetry.stores.postgres_failures import TROUBLE, unavailable
from asp_telemetry.stores.spending import conditions
from asp_telemetry.stores.statements import load_statements

_SECONDS = 10.0


class PostgresSpending:
    """Read one PostgreSQL database.

    Args:
        url: `postgresql://user:password@host/database`.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None
        self._sql = load_statements(schema_directory("postgres") / "budgets.sql")

    async def read(self, question: Question) -> Reading:
        """Return what is committed, as far as this user may see it.

        Raises:
            StoreUnavailableError: If the server cannot be reached, or refuses.
        """
        sql = self._sql["spending"].format(
            **conditions(question, "(SELECT key FROM given)", "(SELECT since FROM given)")
        )
        since = None if question.since_ns is None else utc_text(question.since_ns)
        try:
            row = await self._fetch_again(sql, question.key, since, question.executions)
        except TROUBLE as error:
            await self.close()
            raise unavailable(error, destination_of(self._url)) from error
        usd, tokens, executions = row
        return Reading(usd, tokens, list(executions))

    async def _fetch_again(self, sql: str, *values: Any) -> Any:
        """Fetch, over a new connection where the old one has died meanwhile."""
        if self._connection is not None:
            try:
                return await self._fetch(self._connection, sql, *values)
            except TROUBLE:
                await self.close()
        self._connection = await connect(self._url, command_seconds=_SECONDS)
        return await self._fetch(self._connection, sql, *values)

    async def _fetch(self, connection: Connection, sql: str, *values: Any) -> Any:
        async with reading(connection):
            return await connection.fetchrow(sql, *values)

    async def close(self) -> None:
        """Disconnect."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await disconnect(connection)
