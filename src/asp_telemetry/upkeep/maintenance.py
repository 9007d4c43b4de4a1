"""Holds what maintenance measures and does: sizes, indexes, compression."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TableSize:
    """Say how large a table is, in bytes; None where the database cannot tell.

    Attributes:
        table: Its name.
        rows: How many rows it holds; estimated where counting would read them all.
        table_bytes: The rows, large values included.
        index_bytes: Its indexes.
        dead_rows: Rows that were deleted or replaced and still take space.
    """

    table: str
    rows: int
    table_bytes: int | None
    index_bytes: int | None
    dead_rows: int | None = None


@dataclass(frozen=True)
class IndexSize:
    """Say how large an index is, in bytes, and since when it has not been used, in UTC text."""

    index: str
    table: str
    index_bytes: int
    since: str | None


@dataclass(frozen=True)
class Compression:
    """Say how well a hypertable is compressed; bytes are those of its compressed chunks."""

    table: str
    chunks: int
    compressed_chunks: int
    bytes_before: int | None
    bytes_after: int | None


@dataclass(frozen=True)
class Maintenance:
    """Say what maintenance has done.

    Attributes:
        bytes_before: The size of the database before.
        bytes_after: Its size afterwards.
        milliseconds: How long it took.
        reindexed: The indexes that were rebuilt.
        compression: The state of each hypertable; None without TimescaleDB.
        warnings: What could not be done, in the database's words.
    """

    bytes_before: int
    bytes_after: int
    milliseconds: float
    reindexed: tuple[str, ...]
    compression: tuple[Compression, ...] | None
    warnings: tuple[str, ...]
