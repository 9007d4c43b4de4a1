"""Answers read-only questions of either database: the same SQL, with values by name, rows by column."""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import aiosqlite
import anyio

from asp_telemetry.database_url import destination_of, is_sqlite, require_driver, sqlite_path
from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.migrations import store_errors
from asp_telemetry.stores.sqlite_connection import connect, file_identity

if TYPE_CHECKING:
    from asp_telemetry.stores.pool import ReadPool

Found = Sequence[Mapping[str, Any]]

_VALUE: Final = re.compile(r"(?<![:\w]):([a-z_]+)\b")
_MOST_CONNECTIONS: Final = 5


class Reader(Protocol):
    """Read one database."""

    is_sqlite: bool

    async def fetch(self, sql: str, values: Mapping[str, Any]) -> Found:
        """Return the rows of a query.

        Args:
            sql: The query, in which `:name` stands for a value.
            values: The values by name: texts, numbers, moments with a time zone.

        Raises:
            StoreUnavailableError: If the database cannot be read now.
        """

    async def close(self) -> None:
        """Disconnect; reading again connects again."""


def open_reader(url: str) -> Reader:
    """Return a reader of a database, which connects when it is first asked and never writes.

    Args:
        url: The database, as `database_url.absolute_database` returns it.

    Raises:
        ConfigurationError: If the driver is not installed.
    """
    if is_sqlite(url):
        return _SqliteReader(sqlite_path(url))
    require_driver(url)
    return _PostgresReader(url)


@cache
def positional(sql: str) -> tuple[str, tuple[str, ...]]:
    """Turn named values into PostgreSQL's numbered ones.

    Returns:
        The query, and the names in the order of the numbers.

    Example:
        >>> positional("SELECT :a, :b, :a")
        ('SELECT $1, $2, $1', ('a', 'b'))
    """
    names: dict[str, int] = {}

    def numbered(found: re.Match[str]) -> str:
        return f"${names.setdefault(found[1], len(names) + 1)}"

    text = _VALUE.sub(numbered, sql)
    return text, tuple(names)


class _SqliteReader:
    """Read an SQLite file over one connection."""

    is_sqlite = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: aiosqlite.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._connecting = anyio.Lock()

    async def fetch(self, sql: str, values: Mapping[str, Any]) -> Found:
        """Return the rows of a query."""
        connection = await self._connected()
        try:
            with store_errors(self._path):
                rows = await connection.execute_fetchall(
                    sql, {name: _plain(value) for name, value in values.items()}
                )
        except sqlite3.OperationalError as error:
            # SQLite has one code for all that is wrong with a statement; ours are right where the schema is.
            if not str(error).startswith("no such "):
                raise
            raise StoreUnavailableError(
                f"{self._path}: {error}; run `asp-telemetry migrate up`, or `asp-telemetry init` for a new database"
            ) from error
        return cast("Found", rows)

    async def _connected(self) -> aiosqlite.Connection:
        # Questions that are asked together must not connect twice: nobody would close the first connection.
        async with self._connecting:
            file = file_identity(self._path)
            # What was deleted or replaced would be read on for ever: an open file outlasts its name.
            if file != self._file:
                await self.close()
            if self._connection is None:
                if file is None:
                    raise StoreUnavailableError(
                        f"{self._path} does not exist; record something first, or name the database with --database "
                        "or ASP_DATABASE_URL"
                    )
                self._connection = await connect(self._path, read_only=True)
                self._connection.row_factory = aiosqlite.Row
                self._file = file
            return self._connection

    async def close(self) -> None:
        """Disconnect."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _plain(value: Any) -> Any:
    """Write a value as SQLite keeps it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return float(value) if isinstance(value, Decimal) else value


def _storable(value: Any) -> Any:
    """Write a value as PostgreSQL keeps it: the writer, too, replaces the one character that it cannot store."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


class _PostgresReader:
    """Read a PostgreSQL database over a few connections."""

    is_sqlite = False

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: ReadPool | None = None
        self._connecting = anyio.Lock()

    async def fetch(self, sql: str, values: Mapping[str, Any]) -> Found:
        """Return the rows of a query."""
        from asp_telemetry.stores.postgres_failures import TROUBLE, unavailable  # noqa: PLC0415 - imports the driver

        pool = await self._connected()
        text, names = positional(sql)
        try:
            async with pool.acquire() as connection:
                found: Found = await connection.fetch(text, *(_storable(values[name]) for name in names))
        except TROUBLE as error:
            raise unavailable(error, destination_of(self._url)) from error
        return found

    async def _connected(self) -> "ReadPool":
        from asp_telemetry.stores.pool import open_pool  # noqa: PLC0415 - imports the driver

        async with self._connecting:
            if self._pool is None:
                self._pool = await open_pool(self._url, min_size=0, max_size=_MOST_CONNECTIONS).__aenter__()
            return self._pool

    async def close(self) -> None:
        """Disconnect."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()
