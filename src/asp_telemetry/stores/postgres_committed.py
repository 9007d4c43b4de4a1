"""Looks up what is committed in PostgreSQL, over one connection of its own."""

import asyncio
from collections.abc import Sequence
from typing import Any

from asp_telemetry.database_url import destination_of
from asp_telemetry.stores.committed import CommittedRows, Row
from asp_telemetry.stores.postgres_connection import Connection, connect, disconnect, reading
from asp_telemetry.stores.postgres_failures import TROUBLE, unavailable

_SECONDS = 10.0
_Question = tuple[str, tuple[Any, ...]]


class PostgresCommitted(CommittedRows):
    """Read one PostgreSQL database.

    Args:
        url: `postgresql://user:password@host/database`.
    """

    def __init__(self, url: str) -> None:
        super().__init__("postgres")
        self._url = url
        self._connection: Connection | None = None
        # Several mirrors may ask at the same time, and a connection answers one question at a time.
        self._turn = asyncio.Lock()

    async def cost_rows(self, names: Sequence[str], since: str, until: str) -> tuple[list[Row], list[Row]]:
        """Return the rows of `costs` and of `usage`."""
        ids = list(names)
        costs, usage = await self._answers(("costs", (ids, since, until)), ("usage", (ids,)))
        return costs, usage

    async def defect_rows(self, names: Sequence[str]) -> list[Row]:
        """Return the rows of `defects`."""
        (rows,) = await self._answers(("defects", (list(names),)))
        return rows

    async def _answers(self, *questions: _Question) -> list[list[Row]]:
        """Ask, over a new connection where the old one has died meanwhile."""
        async with self._turn:
            try:
                if self._connection is not None:
                    try:
                        return await self._ask(self._connection, questions)
                    except TROUBLE:
                        await self.close()
                self._connection = await connect(self._url, command_seconds=_SECONDS)
                return await self._ask(self._connection, questions)
            except TROUBLE as error:
                await self.close()
                raise unavailable(error, destination_of(self._url)) from error

    async def _ask(self, connection: Connection, questions: Sequence[_Question]) -> list[list[Row]]:
        async with reading(connection):
            return [
                [dict(row) for row in await connection.fetch(self.sql[name], *values)]
                for name, values in questions
            ]

    async def close(self) -> None:
        """Disconnect; closing twice does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await disconnect(connection)

    def thread_idents(self) -> set[int]:
        """Return no thread: the driver works in the caller's."""
        return set()
