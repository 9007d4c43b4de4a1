"""Says what a copy is doing and what it has done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Stage = Literal["copy", "verify", "finish"]


class Progress(NamedTuple):
    """Tell how far a copy is.

    Attributes:
        stage: Whether rows are being copied, or read back from the target, or the last transaction is due.
        table: The table it is at.
        rows: How many rows are done since the last call.
        total: How many rows this stage has to go through, all tables together.
    """

    stage: Stage
    table: str
    rows: int
    total: int


class Difference(NamedTuple):
    """Name one value that is not the same on both sides; None where the row, or the value, is missing."""

    table: str
    key: str
    column: str
    source: str | None
    target: str | None


@dataclass(frozen=True)
class TableReport:
    """Say what became of one table.

    Attributes:
        name: The table.
        rows: How many rows the source has.
        target_rows: How many rows the target has.
        checksum: The sum over the source's rows, 64 hexadecimal digits.
        target_checksum: The sum over the target's rows.
        written: How many rows this run wrote; fewer than there are where it resumed.
        removed: How many rows of an interrupted copy went, because the source had changed or lost them since.
    """

    name: str
    rows: int
    target_rows: int
    checksum: str
    target_checksum: str
    written: int = 0
    removed: int = 0

    @property
    def same(self) -> bool:
        """Return whether both sides hold the same rows."""
        return (self.rows, self.checksum) == (self.target_rows, self.target_checksum)


@dataclass(frozen=True)
class CopyReport:
    """Say what a copy has done, and whether both databases hold the same.

    Attributes:
        source: The database that was read, without credentials.
        target: The database that was written, without credentials.
        identity: The identity that both have.
        state: Whether the target was empty, held an interrupted copy, or held a complete one that was only verified.
        tables: What became of each table.
        differences: The first values that are not the same, if any.
        adapted: How many values of the source neither database type could hold as they were, by column and reason.
        source_moved: Whether the source has taken in records since its snapshot, which are not in the target.
        seconds: How long it took.
    """

    source: str
    target: str
    identity: str
    state: Literal["new", "resumed", "complete"]
    tables: tuple[TableReport, ...]
    differences: tuple[Difference, ...] = ()
    adapted: Mapping[str, int] = field(default_factory=dict)
    source_moved: bool = False
    seconds: float = 0.0

    @property
    def same(self) -> bool:
        """Return whether every table holds the same rows on both sides."""
        return all(table.same for table in self.tables)

    @property
    def rows(self) -> int:
        """Return how many rows the source has in all tables."""
        return sum(table.rows for table in self.tables)
