"""Says what a copy asks of a database, be it the source or the target."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from asp_telemetry.copying.canonical import Row
from asp_telemetry.copying.columns import Table
from asp_telemetry.copying.values import Adapted

MARK = "copy of "
"""What the checkpoint of an unfinished copy is called, before the identity of its source."""

PIECE_ROWS, PIECE_BYTES = 5_000, 4 << 20


@dataclass(frozen=True)
class Mark:
    """Be the row of `journal_checkpoints` that says that a copy is unfinished, and how many batches it has written.

    A batch moves it by compare-and-set: of two copies into one target, one goes on and the other stops.
    """

    source_id: str
    position: int

    @property
    def name(self) -> str:
        """Return the key of the row."""
        return f"{MARK}{self.source_id}"


@dataclass(frozen=True)
class Change:
    """Be one batch: rows to write, and keys of rows that go before."""

    table: Table
    rows: Sequence[Row] = ()
    stale: Sequence[str] = ()


@dataclass(frozen=True)
class Within:
    """Be a condition on rows: that a column lies in a span of time; an end that is None is open.

    Attributes:
        column: The column.
        since: The first moment that belongs to it.
        until: The first moment that no longer does.
    """

    column: str
    since: datetime | None
    until: datetime | None

    def sql(self, moment: Callable[[int], str]) -> tuple[str, list[str]]:
        """Return the condition and its values, which are UTC text.

        Args:
            moment: Writes the parameter of a number.

        Example:
            >>> Within("at", None, datetime(2026, 1, 15, tzinfo=UTC)).sql(lambda number: f"${number}")
            ('WHERE "at" < $1', ['2026-01-15 00:00:00.000000'])
        """
        ends = [(">=", self.since), ("<", self.until)]
        given = [(sign, end.astimezone(UTC)) for sign, end in ends if end is not None]
        parts = [
            f'"{self.column}" {sign} {moment(number)}' for number, (sign, _) in enumerate(given, start=1)
        ]
        values = [end.strftime("%Y-%m-%d %H:%M:%S.%f") for _, end in given]
        return (f"WHERE {' AND '.join(parts)}" if parts else ""), values


class Database(Protocol):
    """Be an open database; rows are tuples of text as `canonical.Row` describes them."""

    name: str
    adapted: Adapted

    async def require_current_schema(self) -> None:
        """Refuse a database whose schema is not the one that this code knows; changes nothing."""

    def snapshot(self) -> AbstractAsyncContextManager[None]:
        """See the database as it is now, however long that takes, until the block ends."""

    async def identity(self) -> Row:
        """Return the row of `database_identity`."""

    async def checkpoints(self) -> list[Row]:
        """Return the rows of `journal_checkpoints`, those of unfinished copies among them."""

    async def counts(self, tables: Iterable[Table]) -> dict[str, int]:
        """Count the rows of tables."""

    async def count(self, table: Table, within: Within | None = None) -> int:
        """Count the rows of a table, or those in a span of time."""

    def rows(self, table: Table, within: Within | None = None) -> AsyncIterator[list[Row]]:
        """Go through a table in the order of its key, a bounded piece at a time; needs a snapshot."""

    def keys(self, table: Table) -> AsyncIterator[list[str]]:
        """Go through the keys of a table; needs a snapshot."""

    async def find(self, table: Table, keys: Sequence[str]) -> list[Row]:
        """Return those of the named rows that are there."""

    async def begin(self, mark: Mark) -> None:
        """Mark an empty database as the target of a copy."""

    async def write(self, change: Change, mark: Mark) -> None:
        """Commit a batch and move the mark by one.

        Raises:
            StoreUnavailableError: If the mark is not where it was, or somebody else writes to the database.
            RowRefusedError: If the database refuses a row.
        """

    async def restart_identities(self, tables: Iterable[Table]) -> None:
        """Let generated keys begin after the greatest one that is there."""

    async def finish(self, mark: Mark, identity: Row, checkpoints: Sequence[Row]) -> list[Row]:
        """Replace the mark by the source's checkpoints, and the identity by the source's, in one transaction.

        Returns:
            The checkpoints, read back before the commit.
        """


class PieceSize:
    """Choose how many rows to ask for, so that a piece stays below a number of rows and of bytes.

    Example:
        >>> size = PieceSize()
        >>> size.seen([("x" * 2_000_000,)] * 4); size.next
        2
    """

    def __init__(self) -> None:
        self.next = 16

    def seen(self, rows: Sequence[Row]) -> None:
        """Learn from a piece how big its rows are."""
        largest = max((sum(map(len, filter(None, row))) for row in rows), default=0)
        fitting = PIECE_BYTES // max(largest, 1)
        self.next = max(1, min(fitting, self.next * 8, PIECE_ROWS))


def stray(checkpoints: Sequence[Row]) -> list[str]:
    """Name the checkpoints that no copy has made: a writer has committed to this database."""
    return [str(row[0]) for row in checkpoints if not str(row[0]).startswith(MARK)]


def occupied(counts: Mapping[str, int]) -> str:
    """Name the tables that hold rows, for a message.

    Example:
        >>> occupied({"task_metadata": 2, "defect_log": 0})
        'task_metadata 2'
    """
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count)
