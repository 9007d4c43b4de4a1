"""The database as a sink: opens the store when it is needed and again after it failed."""

from collections.abc import Awaitable
from typing import Protocol, TypeVar

from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.forks import database_calls
from asp_telemetry.writer.batch import Batch, Checkpoint

T = TypeVar("T")


class Store(Protocol):
    """Write batches into one database; what each verb does and raises says `writer.sink.Sink`."""

    async def open(self) -> str:
        """Connect, bring the schema up to date, return the identity."""

    async def close(self) -> None:
        """Disconnect."""

    async def checkpoints(self, journal_id: str) -> dict[str, Checkpoint]:
        """Return the checkpoints of a journal."""

    async def write(self, batch: Batch) -> None:
        """Commit a batch."""

    async def abandon(self, journal_id: str) -> int:
        """Mark what was never finished."""

    async def forget(self, journal_id: str) -> None:
        """Fold the checkpoints of a journal that is gone."""

    def thread_idents(self) -> set[int]:
        """Return the driver's threads."""


class DatabaseSink:
    """Feed a store, and drop its connection whenever it says that it is unavailable.

    Args:
        store: The database, not yet open.
    """

    name = "database"

    def __init__(self, store: Store) -> None:
        self._store = store
        self._identity: str | None = None

    async def open(self) -> str:
        """Open the store unless it is open; return the identity of the database."""
        if self._identity is None:
            with database_calls:
                self._identity = await self._store.open()
        return self._identity

    async def checkpoints(self, journal_id: str) -> dict[str, Checkpoint]:
        """Return the checkpoints of all lanes of a journal."""
        return await self._guarded(self._store.checkpoints(journal_id))

    async def write(self, batch: Batch) -> None:
        """Commit a batch."""
        await self._guarded(self._store.write(batch))

    async def abandon(self, journal_id: str) -> int:
        """Mark what a dead journal has opened and never finished."""
        return await self._guarded(self._store.abandon(journal_id))

    async def forget(self, journal_id: str) -> None:
        """Fold the checkpoints of a journal whose files are gone."""
        await self._guarded(self._store.forget(journal_id))

    async def close(self) -> None:
        """Close the store."""
        self._identity = None
        with database_calls:
            await self._store.close()

    def thread_idents(self) -> set[int]:
        """Return the threads that the store's driver runs."""
        return self._store.thread_idents()

    async def _guarded(self, work: Awaitable[T]) -> T:
        try:
            with database_calls:
                return await work
        except StoreUnavailableError:
            await self.close()
            raise
