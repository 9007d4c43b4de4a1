"""The read pool: connections to PostgreSQL for those who ask, apart from the one that the writer has."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import asyncpg

from asp_telemetry.database_url import absolute_database, destination_of, is_sqlite
from asp_telemetry.errors import ConfigurationError, StoreUnavailableError
from asp_telemetry.stores.postgres_connection import CONNECT_SECONDS, Connection, check_version, reading
from asp_telemetry.stores.postgres_failures import TROUBLE, URL_FAULTS, unavailable, unusable_url


@dataclass(frozen=True)
class PoolHealth:
    """Say whether the database answers: how long it took in ms, which version it is, or what is wrong."""

    ok: bool
    milliseconds: float
    server_version: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class PoolStats:
    """Count the connections of a pool: those that are open, of them in use and idle, the bounds; and acquisitions."""

    size: int
    in_use: int
    idle: int
    min_size: int
    max_size: int
    acquired: int
    slowest_acquire_milliseconds: float


class ReadPool:
    """Keep connections to one PostgreSQL database for queries; `open_pool` makes it, `async with` opens it."""

    def __init__(self, url: str, pool: "asyncpg.Pool[Any]", timeout: float) -> None:
        self._name = destination_of(url)
        self._pool = pool
        self._timeout = timeout
        self._acquired = 0
        self._slowest = 0.0

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            StoreUnavailableError: If the server cannot be reached.
            MigrationError: If it is older than PostgreSQL 15.
            ConfigurationError: If the URL has options that make no sense.
        """
        try:
            await self._pool
            async with self._pool.acquire() as connection:
                check_version(connection, self._name)
        except URL_FAULTS as error:
            raise unusable_url(error, self._name) from error
        except TROUBLE as error:
            raise unavailable(error, self._name) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the pool."""
        await self.close()

    @asynccontextmanager
    async def acquire(self, *, timeout: float | None = None) -> AsyncIterator[Connection]:  # noqa: ASYNC109 - as asyncpg has it
        """Lend a connection inside a transaction that only reads: behind a pooler, too, its queries share a session.

        Args:
            timeout: How long to wait for a free connection, in seconds; the pool's own when left out.

        Yields:
            An asyncpg connection.

        Raises:
            StoreUnavailableError: If none becomes free in time, or the server cannot be reached.
        """
        begun = perf_counter()
        try:
            connection = await self._pool.acquire(timeout=self._timeout if timeout is None else timeout)
        except TimeoutError as error:
            raise StoreUnavailableError(
                f"{self._name}: no connection became free in time, {self._pool.get_size()} are in use; "
                "give them back sooner, or open the pool with a greater max_size"
            ) from error
        except TROUBLE as error:
            raise unavailable(error, self._name) from error
        self._acquired += 1
        self._slowest = max(self._slowest, (perf_counter() - begun) * 1000)
        try:
            async with reading(connection):
                yield connection
        finally:
            await self._pool.release(connection)

    async def health_check(self, *, timeout: float = 5.0) -> PoolHealth:  # noqa: ASYNC109 - as asyncpg has it
        """Ask the database for a sign of life; never raises because there is none.

        Args:
            timeout: How long it may take, in seconds.

        Returns:
            What was found.
        """
        begun = perf_counter()
        version = error = None
        try:
            async with asyncio.timeout(timeout), self.acquire(timeout=timeout) as connection:
                version = str(await connection.fetchval("SHOW server_version"))
        except (*TROUBLE, StoreUnavailableError) as trouble:
            error = str(trouble) or type(trouble).__name__
        milliseconds = round((perf_counter() - begun) * 1000, 3)
        return PoolHealth(error is None, milliseconds, version, error)

    def stats(self) -> PoolStats:
        """Count the connections at this moment."""
        size, idle = self._pool.get_size(), self._pool.get_idle_size()
        return PoolStats(
            size=size,
            in_use=size - idle,
            idle=idle,
            min_size=self._pool.get_min_size(),
            max_size=self._pool.get_max_size(),
            acquired=self._acquired,
            slowest_acquire_milliseconds=round(self._slowest, 3),
        )

    async def close(self, *, timeout: float = 5.0) -> None:  # noqa: ASYNC109 - as asyncpg has it
        """Close all connections; what has not been given back in time is cut off.

        Args:
            timeout: How long to wait for connections that are in use, in seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._pool.close()
        except (TimeoutError, asyncpg.InterfaceError):
            self._pool.terminate()


def open_pool(
    url: str,
    *,
    min_size: int = 5,
    max_size: int = 20,
    max_queries: int = 50_000,
    timeout: float = 60.0,
    command_timeout: float = 60.0,
    idle_seconds: float = 300.0,
) -> ReadPool:
    """Make a pool of connections for reading a PostgreSQL database; needs a running asyncio event loop.

    Args:
        url: `postgresql://user:password@host/database`.
        min_size: How many connections are opened at once.
        max_size: How many there may be.
        max_queries: After how many queries a connection is replaced.
        timeout: How long to wait for a free connection, in seconds.
        command_timeout: How long a query may take, in seconds.
        idle_seconds: After how many idle seconds a connection beyond min_size is closed.

    Returns:
        The pool; `async with` opens and closes it.

    Raises:
        ConfigurationError: If the URL is not one of PostgreSQL, or a number makes no sense.

    Example:
        >>> async def tasks(url):
        ...     async with open_pool(url, min_size=1) as pool, pool.acquire() as connection:
        ...         return await connection.fetch("SELECT task_id FROM task_metadata WHERE status = $1", "failed")
    """
    checked = absolute_database(url)
    if is_sqlite(checked):
        raise ConfigurationError(
            f"the database URL {url!r} is an SQLite one, which needs no pool; write postgresql://user@host/database"
        )
    if not 0 <= min_size <= max_size or max_size < 1:
        raise ConfigurationError(
            f"min_size={min_size} and max_size={max_size} make no pool; min_size must be 0 to max_size, max_size 1 or more"
        )
    pool = asyncpg.create_pool(
        checked,
        min_size=min_size,
        max_size=max_size,
        max_queries=max_queries,
        max_inactive_connection_lifetime=idle_seconds,
        timeout=min(CONNECT_SECONDS, timeout),
        command_timeout=command_timeout,
        statement_cache_size=0,
        reset=_keep,
    )
    return ReadPool(checked, pool, timeout)


async def _keep(connection: Connection) -> None:
    """Leave the session as it is: its transaction has been rolled back, and behind a pooler it is another one by now."""
