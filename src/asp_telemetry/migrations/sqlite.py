"""Lets the migrator work on SQLite: an immediate transaction per step, statements one by one."""

import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anyio

from asp_telemetry.clock import now_text
from asp_telemetry.errors import MigrationError
from asp_telemetry.migrations.failures import primary_code, store_errors
from asp_telemetry.migrations.target import AppliedMigration

if TYPE_CHECKING:
    import aiosqlite

    from asp_telemetry.migrations.files import Migration

_LEDGER = {"version", "name", "checksum", "applied_at", "duration_ms"}
_USER_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
_COLUMNS = (
    'SELECT t.name, c.name, c.type, c."notnull", c.pk, c.hidden FROM sqlite_schema t, pragma_table_xinfo(t.name) c '
    "WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY t.name, c.cid"
)


def split_statements(sql: str) -> Iterator[str]:
    """Cut SQL text into its statements; semicolons in triggers, strings and comments do not count.

    Args:
        sql: Any number of statements.

    Yields:
        Each statement with the comments before it.

    Raises:
        MigrationError: If the text ends in the middle of a statement.

    Example:
        >>> list(split_statements("SELECT 1; SELECT ';';"))
        ['SELECT 1;', "SELECT ';';"]
    """
    *pieces, rest = sql.split(";")
    statement = ""
    for piece in pieces:
        statement += f"{piece};"
        if sqlite3.complete_statement(statement):
            yield statement.strip()
            statement = ""
    statement += rest
    if _has_code(statement):
        raise MigrationError(
            f"the SQL ends in the middle of a statement: {statement.strip()[:80]!r}; close it with ;"
        )


def _has_code(text: str) -> bool:
    return any(line.strip() and not line.strip().startswith("--") for line in text.splitlines())


class SqliteTarget:
    """Be a SQLite database that the migrator can work on.

    Args:
        connection: An open aiosqlite connection, not inside a transaction; it stays open.

    Example:
        >>> import asyncio, aiosqlite
        >>> async def tables():
        ...     async with aiosqlite.connect(":memory:") as connection:
        ...         return await SqliteTarget(connection).unknown_tables()
        >>> asyncio.run(tables())
        ()
    """

    dialect = "sqlite"

    def __init__(self, connection: "aiosqlite.Connection") -> None:
        self._connection = connection
        self._name: str | None = None

    async def describe(self) -> str:
        """Name the database by its path."""
        if self._name is None:
            # Not through `_rows`, whose error messages need the name.
            rows = await self._connection.execute_fetchall("PRAGMA database_list")
            self._name = next(str(row[2]) for row in rows) or ":memory:"
        return self._name

    @asynccontextmanager
    async def locked(self, *, keep: bool = True) -> AsyncIterator[None]:
        """Hold the write lock for one transaction: commit at the end, roll back on an error or without `keep`."""
        try:
            await self._execute("BEGIN IMMEDIATE")
            yield
            await self._execute("COMMIT" if keep else "ROLLBACK")
        except BaseException:
            # A task that is cancelled while it waits for the lock may still get it; this queues behind the BEGIN, and
            # does nothing where there is no transaction.
            with anyio.CancelScope(shield=True):
                await self._connection.rollback()
            raise

    async def applied(self) -> tuple[AppliedMigration, ...]:
        """Read the ledger in order; empty where there is none."""
        if not await self._has_ledger():
            return ()
        rows = await self._rows(
            "SELECT version, name, checksum, applied_at, duration_ms FROM schema_migrations ORDER BY version"
        )
        return tuple(AppliedMigration(*row) for row in rows)

    async def unknown_tables(self) -> tuple[str, ...]:
        """Name the tables of a database whose ledger is missing or empty."""
        return () if await self.applied() else await self._tables()

    async def matches(self, migrations: "tuple[Migration, ...]") -> bool:
        """Tell whether the tables are just what these migrations make: someone pasted schema.sql."""
        model = sqlite3.connect(":memory:")
        try:
            for migration in migrations:
                model.executescript(migration.up)
            wanted = model.execute(_COLUMNS).fetchall()
        finally:
            model.close()
        return [tuple(row) for row in await self._rows(_COLUMNS)] == wanted

    async def run(self, migration: "Migration", sql: str) -> None:
        """Run one direction of a migration, statement by statement: `executescript` would commit first."""
        for statement in split_statements(sql):
            try:
                await self._execute(statement)
            except sqlite3.Error as error:
                raise MigrationError(
                    f"migration {migration.label} failed on {await self.describe()}: {error}, in "
                    f"{' '.join(statement.split())[:120]!r}; nothing of it was kept, correct what is named and repeat"
                ) from error

    async def record(self, migration: "Migration", duration_ms: float) -> None:
        """Write the ledger row, and the database's identity where it has none."""
        await self._execute(
            "INSERT INTO schema_migrations (version, name, checksum, applied_at, duration_ms) VALUES (?, ?, ?, ?, ?)",
            (migration.version, migration.name, migration.checksum, now_text(), round(duration_ms, 3)),
        )
        await self._execute(
            "INSERT INTO database_identity (id, created_at) SELECT ?, ? "
            "WHERE NOT EXISTS (SELECT 1 FROM database_identity)",
            (str(uuid4()), now_text()),
        )

    async def forget(self, migration: "Migration") -> None:
        """Remove the ledger row, unless the ledger itself has just gone."""
        if await self._has_ledger():
            await self._execute("DELETE FROM schema_migrations WHERE version = ?", (migration.version,))

    async def size_bytes(self) -> int:
        """Measure the pages of the database, those still in the write-ahead log included."""
        rows = await self._rows("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        return int(rows[0][0])

    async def _has_ledger(self) -> bool:
        # Other tools keep a table of this name too.
        rows = await self._rows("SELECT name FROM pragma_table_xinfo('schema_migrations')")
        return {str(row[0]) for row in rows} >= _LEDGER

    async def _tables(self) -> tuple[str, ...]:
        return tuple(str(row[0]) for row in await self._rows(_USER_TABLES))

    async def _execute(self, sql: str, parameters: tuple[object, ...] = ()) -> None:
        with self._mapped(await self.describe()):
            await (await self._connection.execute(sql, parameters)).close()

    async def _rows(self, sql: str) -> list[Any]:
        with self._mapped(await self.describe()):
            rows: Iterable[Any] = await self._connection.execute_fetchall(sql)
            return list(rows)

    @staticmethod
    @contextmanager
    def _mapped(name: str) -> Iterator[None]:
        try:
            with store_errors(name):
                yield
        except Exception as error:
            cause = error.__cause__
            if isinstance(cause, sqlite3.Error) and primary_code(cause) == sqlite3.SQLITE_NOTADB:
                raise MigrationError(
                    f"{name} is not a SQLite database; choose another file with --database or ASP_DATABASE_URL"
                ) from cause
            raise
