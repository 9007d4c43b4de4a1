"""Reprices an SQLite file."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiosqlite
import orjson

from asp_telemetry.migrations import SqliteTarget, store_errors
from asp_telemetry.repricing.database import RepricingDatabase, Row
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.sqlite_work import open_current, reading, rows_of
from asp_telemetry.stores.statements import load_statements


class SqliteRepricing(RepricingDatabase):
    """Be an open SQLite file whose costs can be computed again."""

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        super().__init__("sqlite")
        self._connection = connection
        self._path = path
        self._roll_up = load_statements(schema_directory("sqlite") / "statements.sql")["roll_up_tasks"]

    async def rows(self, statement: str, *values: object) -> list[Row]:
        """Run a statement of `repricing.sql` by its name."""
        return await rows_of(self._connection, self._path, self.sql[statement], values)

    def reading(self) -> AbstractAsyncContextManager[None]:
        """Read without keeping anybody from writing."""
        return reading(self._connection, self._path)

    def writing(self) -> AbstractAsyncContextManager[None]:
        """Hold the write lock; commit at the end, roll back on an error."""
        return SqliteTarget(self._connection).locked()

    async def before_roll_up(self, tasks: Sequence[str]) -> None:
        """Take nothing: who writes has the whole file."""

    async def roll_up(self, tasks: Sequence[str]) -> None:
        """Sum up finished tasks anew: nobody else writes meanwhile."""
        with store_errors(self._path):
            cursor = await self._connection.execute(
                self._roll_up, {"tasks": orjson.dumps(list(tasks)).decode()}
            )
            await cursor.close()


@asynccontextmanager
async def open_sqlite(path: Path, *, read_only: bool) -> AsyncIterator[SqliteRepricing]:
    """Open an existing file at the current schema.

    Args:
        path: The file.
        read_only: Whether nothing shall be changed, the journal mode included.

    Yields:
        The open database.

    Raises:
        StoreUnavailableError: If there is no such file, or it cannot be opened.
        MigrationError: If its schema is not the current one.
    """
    async with open_current(path, purpose="to reprice", read_only=read_only) as connection:
        yield SqliteRepricing(connection, path)
