"""What the writer asks of a place that takes records; a sink's failure is its own."""

from typing import Protocol

from asp_telemetry.writer.batch import Batch, Checkpoint


class Sink(Protocol):
    """Take batches, exactly once each."""

    name: str

    async def open(self) -> str:
        """Connect and make ready; return the identity of what is behind the sink.

        Raises:
            StoreUnavailableError: If it cannot be reached now.
            MigrationError: If it cannot be used until somebody does something.
        """

    async def checkpoints(self, journal_id: str) -> dict[str, Checkpoint]:
        """Return the checkpoints of all lanes of a journal, by lane key."""

    async def write(self, batch: Batch) -> None:
        """Commit a batch durably.

        Raises:
            StoreUnavailableError: If it could not be written now; nothing of it was.
            RowRefusedError: If one of its rows is refused; nothing of it was written.
            PositionMovedError: If another drainer has moved one of the lanes; nothing of it was written.
        """

    async def abandon(self, journal_id: str) -> int:
        """Mark what a dead journal has opened and never finished; return how many executions those were."""

    async def forget(self, journal_id: str) -> None:
        """Fold the checkpoints of a journal whose files are gone into the totals of all such journals."""

    async def close(self) -> None:
        """Disconnect."""

    def thread_idents(self) -> set[int]:
        """Return the threads that the sink's driver runs."""
