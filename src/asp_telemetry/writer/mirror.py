"""What the writer asks of a mirror: a further place for finished executions, which gets what the database has got."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from asp_telemetry.journal.reader import Record
from asp_telemetry.writer.batch import Entry


class Answer(Enum):
    """Say what became of a batch that was sent."""

    OK = "ok"
    REJECT = "reject"
    """Nothing of it was taken, nor ever will be."""
    RETRY = "retry"
    """Certainly nothing of it was taken; later it may be."""
    AMBIGUOUS = "ambiguous"
    """It may have been taken, or not."""
    LATER = "later"
    """Nothing was tried: it is too early to find out what became of an earlier attempt."""


class Verdict(NamedTuple):
    """Tell what a mirror has made of a batch.

    Attributes:
        answer: The verdict.
        detail: Why, for people; never a secret.
        after: How long to wait before the next attempt, in seconds, if the mirror says so.
        rejected: How many records of a batch that was taken were refused all the same.
        divisible: Whether a part of a rejected batch may be taken by itself.
        trouble: What somebody has to mend before anything is taken, for the log; None if that is not known.
    """

    answer: Answer
    detail: str = ""
    after: float | None = None
    rejected: int = 0
    divisible: bool = False
    trouble: str | None = None


class Mirror(Protocol):
    """Take batches of finished executions, each with a verdict.

    Attributes:
        name: What the mirror is called in journals and figures.
        max_records: How many records a batch may have.
        max_bytes: How many bytes a batch may have; a single record may exceed it.
    """

    name: str
    max_records: int
    max_bytes: int

    def encode(self, record: Record, entry: Entry) -> bytes | None:
        """Turn one record into what is sent, the same bytes every time as long as the database says the same of it.

        Args:
            record: The record.
            entry: What it became in the database: the costs are those that stand there now, and the row of a defect has
                all its columns and `injected_by` (see `writer.committed`), unless they are gone.

        Returns:
            The encoded record; None if the mirror has nothing to say of it.
        """

    async def send(self, batch: Sequence[bytes], *, doubtful: bool) -> Verdict:
        """Send a batch once, without repeating anything.

        Args:
            batch: The encoded records.
            doubtful: Whether an earlier attempt with this very batch may have succeeded.
        """

    async def close(self) -> None:
        """Let go of connections."""

    def thread_idents(self) -> set[int]:
        """Return the threads that work for the mirror."""
