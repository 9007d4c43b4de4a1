"""Opens connections to PostgreSQL in a way that also works through a pooler in transaction mode."""

import asyncio
import encodings.idna  # noqa: F401 - else it is imported at the first look-up of a host, where a fork could divide it
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

import asyncpg

from asp_telemetry.database_url import destination_of, pasteable
from asp_telemetry.errors import MigrationError
from asp_telemetry.migrations import MigrationSummary, Migrator, PostgresTarget
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.postgres_failures import TROUBLE, URL_FAULTS, unavailable, unusable_url
from asp_telemetry.stores.statements import load_statements

OLDEST_SERVER = 15
CONNECT_SECONDS = 10.0
COMMAND_SECONDS = 60.0
_CLOSE_SECONDS = 1.0

Connection: TypeAlias = asyncpg.Connection


def statements() -> dict[str, str]:
    """Return the SQL of the PostgreSQL store by name."""
    return load_statements(schema_directory("postgres") / "statements.sql")


async def connect(url: str, *, command_seconds: float | None = None) -> Connection:
    """Connect, and make sure that the server is one that this code can use; the caller disconnects.

    Nothing is asked of the session that a pooler in transaction mode would not keep: no named prepared statements, no
    settings at the start but those in the URL, no locks that outlive a transaction.

    Args:
        url: `postgresql://user:password@host:port/database`, with options such as `sslmode=verify-full`, or
            `host=/var/run/postgresql` for a Unix socket.
        command_seconds: How long a statement may take before the connection counts as dead; a minute when left out.

    Returns:
        The connection.

    Raises:
        StoreUnavailableError: If the server cannot be reached or refuses the connection.
        MigrationError: If the server is older than PostgreSQL 15.
        ConfigurationError: If the URL has options that make no sense.
    """
    name = destination_of(url)
    try:
        connection = await asyncpg.connect(
            url,
            timeout=CONNECT_SECONDS,
            command_timeout=COMMAND_SECONDS if command_seconds is None else command_seconds,
            statement_cache_size=0,
        )
    except URL_FAULTS as error:
        raise unusable_url(error, name) from error
    except TROUBLE as error:
        raise unavailable(error, name) from error
    try:
        check_version(connection, name)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def disconnect(connection: Connection) -> None:
    """Close a connection, politely if the server answers at once, else by dropping it."""
    if connection.is_closed():
        return
    try:
        await connection.close(timeout=_CLOSE_SECONDS)
    except (*TROUBLE, asyncio.CancelledError):
        connection.terminate()


@asynccontextmanager
async def reading(connection: Connection) -> AsyncIterator[None]:
    """Hold a transaction that only reads: behind a pooler the statements in it share a session."""
    sql = statements()
    await connection.execute(sql["begin_to_read"])
    try:
        yield
    finally:
        with suppress(*TROUBLE):
            # Where this fails the connection is dead, and whatever failed first says so.
            await connection.execute(sql["roll_back"])


async def prepare_schema(connection: Connection, url: str, *, migrate: bool) -> MigrationSummary | None:
    """Make sure that the database has the schema that this code needs.

    Args:
        connection: The open connection, not inside a transaction.
        url: The database, for messages.
        migrate: Whether to bring an older or empty database up to date.

    Returns:
        What was done, if anything had to be.

    Raises:
        MigrationError: If the schema is not the needed one and may not be changed, or cannot be.
        StoreUnavailableError: If the database cannot be read.
    """
    migrator = Migrator(PostgresTarget(connection))
    version = await migrator.check()
    if version == migrator.newest:
        return None
    if not migrate:
        raise MigrationError(
            f"{destination_of(url)} is at schema version {version} and this asp-telemetry needs {migrator.newest}; run "
            f"`asp-telemetry migrate up --database {pasteable(url)}`, or pass auto_migrate=True to configure()"
        )
    return await migrator.up()


def check_version(connection: Connection, name: str) -> None:
    """Make sure that the server is new enough: views that respect row-level security came with version 15.

    Args:
        connection: The open connection.
        name: The database without credentials, for the message.

    Raises:
        MigrationError: If it is older.
    """
    found = connection.get_server_version()
    if found.major < OLDEST_SERVER:
        raise MigrationError(
            f"{name} is PostgreSQL {found.major}.{found.minor}, and its views need {OLDEST_SERVER} or newer to keep "
            "users' rows apart; upgrade the server, or choose another one with ASP_DATABASE_URL"
        )
