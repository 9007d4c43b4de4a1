"""Runs the statements of the retention on either database, each batch in a transaction of its own."""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from asp_telemetry.database_url import is_sqlite, require_driver, sqlite_path
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.statements import load_statements

Row = dict[str, Any]


class RetentionDatabase(Protocol):
    """Be an open database at the current schema; values and ids are text on both."""

    async def rows(self, statement: str, *values: object) -> list[Row]:
        """Run a statement of `retention.sql` by its name."""

    async def move_traces(self, cutoff: str, trees: int) -> int:
        """Move at most so many trees that ended before a moment into the archive table; return the number of rows."""

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Commit at the end, roll back on an error."""


def sql(dialect: str) -> dict[str, str]:
    """Return the statements of the retention by name.

    Example:
        >>> sql("sqlite").keys() - sql("postgres").keys(), sql("postgres").keys() - sql("sqlite").keys()
        ({'archive_traces'}, {'move_traces'})
    """
    return load_statements(schema_directory(dialect) / "retention.sql")


def ids_of(rows: list[Row]) -> str:
    """Return the keys of rows, which stand in their first column, as a JSON array.

    Example:
        >>> ids_of([{"id": "a", "used": 1}, {"id": "b", "used": 0}])
        '["a", "b"]'
    """
    return json.dumps([str(next(iter(row.values()))) for row in rows])


@asynccontextmanager
async def open_retention(url: str, *, read_only: bool) -> AsyncIterator[RetentionDatabase]:
    """Open a database for pruning.

    Args:
        url: The database, as `database_url.absolute_database` returns it.
        read_only: Whether nothing shall be changed.

    Yields:
        The database.

    Raises:
        StoreUnavailableError: If it does not exist or cannot be reached.
        MigrationError: If its schema is not the current one.
        ConfigurationError: If the driver is not installed.
    """
    if is_sqlite(url):
        from asp_telemetry.retention.sqlite import open_sqlite  # noqa: PLC0415 - imports the driver

        async with open_sqlite(sqlite_path(url), read_only=read_only) as database:
            yield database
        return
    require_driver(url)
    from asp_telemetry.retention.postgres import open_postgres  # noqa: PLC0415 - imports the driver

    async with open_postgres(url) as found:
        yield found
