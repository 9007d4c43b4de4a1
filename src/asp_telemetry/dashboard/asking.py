"""Lends pages the analytics: a few connections that can only read, so that questions of a page can run together."""

from itertools import cycle

import anyio.to_thread
from starlette.requests import Request

from asp_telemetry.analytics import Analytics, Rows
from asp_telemetry.bootstrap import Bootstrap, Measurement
from asp_telemetry.database_url import is_sqlite
from asp_telemetry.estimation import Estimator

# An SQLite connection answers one question at a time; the reader of PostgreSQL has a pool of its own.
_SQLITE_READERS = 3


class Readers:
    """Hold the analytics of one database, and what estimates from it.

    Args:
        url: The database, as `database_url.absolute_database` returns it.

    Attributes:
        estimator: Estimates tasks.

    Raises:
        ConfigurationError: If the URL cannot be used, or its driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self._all = [Analytics(url) for _ in range(_SQLITE_READERS if is_sqlite(url) else 1)]
        self._turns = cycle(self._all)
        self.estimator = Estimator(url)
        self._url = url

    def next(self) -> Analytics:
        """Return the analytics whose turn it is; connections are made with the first question."""
        return next(self._turns)

    async def close(self) -> None:
        """Disconnect."""
        for one in self._all:
            await one.close()
        await self.estimator.close()

    def measured(self) -> Rows[Measurement]:
        """Measure every capability, over a connection of this call's own; nothing is recorded."""
        with Bootstrap.sync(self._url) as bootstrap:
            return bootstrap.status()


def ask(request: Request) -> Analytics:
    """Return analytics for one question of a page; call it for each, and gather what can run together.

    Args:
        request: What is being answered.
    """
    readers: Readers = request.app.state.readers
    return readers.next()


def estimator(request: Request) -> Estimator:
    """Return what estimates tasks.

    Args:
        request: What is being answered.
    """
    readers: Readers = request.app.state.readers
    return readers.estimator


async def bootstrap_status(request: Request) -> Rows[Measurement]:
    """Measure every capability; nothing is recorded.

    Args:
        request: What is being answered.
    """
    readers: Readers = request.app.state.readers
    # Of thousands of tasks it takes a second: in a thread, so that others are answered meanwhile.
    return await anyio.to_thread.run_sync(readers.measured)
