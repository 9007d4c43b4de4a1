"""Lets commands work on PostgreSQL databases at the current schema: connects, explains faults, and holds transactions."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio

from asp_telemetry.stores.postgres_connection import (
    Connection,
    connect,
    disconnect,
    prepare_schema,
    statements,
)
from asp_telemetry.stores.postgres_failures import TROUBLE, unavailable


@asynccontextmanager
async def open_current(url: str, *, command_seconds: float | None = None) -> AsyncIterator[Connection]:
    """Connect to a database at the current schema.

    Args:
        url: The database.
        command_seconds: How long a statement may take before the connection counts as dead.

    Yields:
        The connection.

    Raises:
        StoreUnavailableError: If it cannot be reached.
        MigrationError: If its schema is not the current one.
    """
    connection = await connect(url, command_seconds=command_seconds)
    try:
        await prepare_schema(connection, url, migrate=False)
        yield connection
    finally:
        with anyio.CancelScope(shield=True):
            await disconnect(connection)


@asynccontextmanager
async def transaction(connection: Connection, lock: str | None = None) -> AsyncIterator[None]:
    """Commit at the end, roll back on an error; nobody's lock is waited for long.

    Args:
        connection: The open connection.
        lock: What is run first, to be the only one who does such work.
    """
    try:
        await connection.execute(statements()["begin"])
        if lock is not None:
            await connection.execute(lock)
        yield
        await connection.execute("COMMIT")
    finally:
        with anyio.CancelScope(shield=True):
            if not connection.is_closed() and connection.is_in_transaction():
                await connection.execute("ROLLBACK")


@contextmanager
def explaining(name: str) -> Iterator[None]:
    """Say of a database that it cannot be used now, instead of what its driver says.

    Args:
        name: The database without credentials.

    Raises:
        StoreUnavailableError: If the driver reports that the server or the connection fails.
    """
    try:
        yield
    except TROUBLE as error:
        raise unavailable(error, name) from error
