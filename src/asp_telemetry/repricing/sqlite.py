"""Reprices an SQLite file."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiosqlite
import anyio
import orjson

from asp_telemetry.errors import MigrationError, StoreUnavailableError
from asp_telemetry.migrations import Migrator, SqliteTarget, store_errors
from asp_telemetry.repricing.database import RepricingDatabase, Row
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.sqlite_connection import connect
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
        with store_errors(self._path):
            async with self._connection.execute(self.sql[statement], values) as cursor:
                names = [column[0] for column in cursor.description or ()]
                return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Read without keeping anybody from writing."""
        with store_errors(self._path):
            await (await self._connection.execute("BEGIN")).close()
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._connection.rollback()

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


def _is_there(path: Path) -> bool:
    return path.exists()


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
    if not _is_there(path):
        raise StoreUnavailableError(
            f"{path} does not exist, so there is nothing to reprice; check --database"
        )
    connection = await connect(path, read_only=True)
    try:
        migrator = Migrator(SqliteTarget(connection))
        version = await migrator.check()
        if version != migrator.newest:
            raise MigrationError(
                f"{path} is at schema version {version} and this asp-telemetry needs {migrator.newest}; "
                "run `asp-telemetry migrate up`"
            )
        if not read_only:
            await connection.close()
            connection = await connect(path)
        yield SqliteRepricing(connection, path)
    finally:
        with anyio.CancelScope(shield=True):
            await connection.close()
