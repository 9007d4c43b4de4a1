"""Learns from a PostgreSQL database."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

from asp_telemetry.database_url import destination_of
from asp_telemetry.learning.database import LearningDatabase, Row, as_json
from asp_telemetry.learning.embedding import import_numpy
from asp_telemetry.stores.postgres_connection import Connection, reading
from asp_telemetry.stores.postgres_work import explaining, open_current, transaction

if TYPE_CHECKING:
    from asp_telemetry.learning.embedding import Vectors

_COMMAND_SECONDS = 300.0  # a page may meet a table whose statistics are old
# An array of one dimension as PostgreSQL sends it: dimensions, flags, type of element, length, lower bound; each element
# with its length before it (https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/arrayfuncs.c, array_send).
_HEADER_BYTES = 20


class PostgresLearning(LearningDatabase):
    """Be an open connection to a PostgreSQL database to learn from."""

    def __init__(self, connection: Connection, url: str) -> None:
        super().__init__("postgres")
        self._connection = connection
        self._name = destination_of(url)

    async def raw(self, statement: str, *values: object) -> list[Row]:
        """Run a statement of `learning.sql` by its name."""
        with explaining(self._name):
            return [dict(row) for row in await self._connection.fetch(self.sql[statement], *values)]

    def reading(self) -> AbstractAsyncContextManager[None]:
        """Read without keeping anybody from writing."""
        return self._explained(reading(self._connection))

    def writing(self) -> AbstractAsyncContextManager[None]:
        """Be the only one who learns; commit at the end, roll back on an error."""
        return self._explained(transaction(self._connection, self.sql["be_the_only_one"]))

    async def count_uses(self, changes: Sequence[Mapping[str, Any]]) -> None:
        """Do nothing: a trigger does."""

    def unpack(self, vectors: Sequence[Any], width: int) -> "tuple[list[int], Vectors]":
        """Turn arrays in their binary form into one matrix."""
        numpy = import_numpy()
        element = numpy.dtype([("length", ">i4"), ("value", ">f4")])
        size = _HEADER_BYTES + width * element.itemsize
        kept = [place for place, vector in enumerate(vectors) if len(vector) == size]
        joined = b"".join(vectors[place][_HEADER_BYTES:] for place in kept)
        flat = numpy.frombuffer(joined, dtype=element)["value"].astype(numpy.float32)
        return kept, flat.reshape(len(kept), width)

    async def has_index(self, width: int) -> bool:
        """Tell whether optional/pgvector.sql has made an index of vectors of this width."""
        (indexed,) = await self.raw("indexed_width")
        return bool(indexed["width"] == width)

    async def nearest(self, vector: Sequence[float], at_most: int) -> dict[str, float]:
        """Return the cosines of the nearest patterns by that index."""
        await self.raw("search_widely")
        found = await self.raw("nearest", as_json(list(vector)), at_most)
        return {row["id"]: float(row["similarity"]) for row in found}

    @asynccontextmanager
    async def _explained(self, work: AbstractAsyncContextManager[None]) -> AsyncIterator[None]:
        with explaining(self._name):
            async with work:
                yield


@asynccontextmanager
async def open_postgres(url: str) -> AsyncIterator[PostgresLearning]:
    """Connect to a database at the current schema.

    Args:
        url: The database.

    Yields:
        The open database.

    Raises:
        StoreUnavailableError: If it cannot be reached.
        MigrationError: If its schema is not the current one.
    """
    async with open_current(url, command_seconds=_COMMAND_SECONDS) as connection:
        yield PostgresLearning(connection, url)
