"""Learns from an SQLite file."""

from array import array
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiosqlite
import orjson

from asp_telemetry.learning.database import LearningDatabase, Row
from asp_telemetry.learning.embedding import import_numpy
from asp_telemetry.migrations import SqliteTarget
from asp_telemetry.stores.sqlite_work import open_current, reading, rows_of

if TYPE_CHECKING:
    from asp_telemetry.learning.embedding import Vectors


class SqliteLearning(LearningDatabase):
    """Be an open SQLite file to learn from."""

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        super().__init__("sqlite")
        self._connection = connection
        self._path = path

    async def raw(self, statement: str, *values: object) -> list[Row]:
        """Run a statement of `learning.sql` by its name."""
        return await rows_of(self._connection, self._path, self.sql[statement], values)

    def reading(self) -> AbstractAsyncContextManager[None]:
        """Read what is of one moment, without keeping anybody from writing."""
        return reading(self._connection, self._path)

    def writing(self) -> AbstractAsyncContextManager[None]:
        """Hold the write lock; commit at the end, roll back on an error."""
        return SqliteTarget(self._connection).locked()

    async def count_uses(self, changes: Sequence[Mapping[str, Any]]) -> None:
        """Bring the counters of patterns up to date."""
        for change in changes:  # one by one: of several for one pattern an UPDATE would take only one
            await self.write("count_uses", [change])

    def unpack(self, vectors: Sequence[Any], width: int) -> "tuple[list[int], Vectors]":
        """Turn JSON arrays into one matrix."""
        numpy = import_numpy()
        lists = orjson.loads(f"[{','.join(vectors)}]")
        kept = [place for place, vector in enumerate(lists) if len(vector) == width]
        flat = array("f", chain.from_iterable(lists[place] for place in kept))
        return kept, numpy.frombuffer(flat, dtype=numpy.float32).reshape(len(kept), width)


@asynccontextmanager
async def open_sqlite(path: Path, *, read_only: bool) -> AsyncIterator[SqliteLearning]:
    """Open an existing file at the current schema.

    Args:
        path: The file.
        read_only: Whether nothing shall be changed, the journal mode included.

    Yields:
        The open database.

    Raises:
        StoreUnavailableError: If there is no such file, or it cannot be opened.
        MigrationError: If its schema is not the current one.
    """
    async with open_current(path, purpose="to learn from", read_only=read_only) as connection:
        yield SqliteLearning(connection, path)
