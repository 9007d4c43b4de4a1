"""Writes what an import has found into a ledger, together with how far the import has come."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import orjson

from asp_telemetry.database_url import absolute_database
from asp_telemetry.errors import PositionMovedError, RowRefusedError
from asp_telemetry.importing.item import Item, sequence_of
from asp_telemetry.importing.ledger import Ledger, open_ledger
from asp_telemetry.importing.summary import ImportSummary
from asp_telemetry.sinks.database import Store
from asp_telemetry.stores import open_store
from asp_telemetry.writer.batch import Batch, Change, Checkpoint, Move, Rejection

BATCH = 500
"""How many items a transaction is about, at most."""

Report = Callable[[ImportSummary], None]


class Importer:
    """Write into one ledger; what it holds already is left as it is.

    The position of an import is committed in the transaction of the rows, in a lane of its own as the lanes of journals
    have it: who is killed in the middle goes on from `position`, and of two imports of the same part one gives up.

    Args:
        store: The database to write, open.
        ledger: The same database to read, open.
        source: What is imported, such as `langfuse`.
        report: Called after each transaction with what was done so far.
    """

    def __init__(self, store: Store, ledger: Ledger, source: str, report: Report | None = None) -> None:
        self._store = store
        self._source = source
        self._report = report
        self._reached: dict[str, Checkpoint] = {}
        self.ledger = ledger
        self.summary = ImportSummary()
        """What was done so far."""

    async def load(self) -> None:
        """Read how far earlier imports of this source have come."""
        self._reached = await self._store.checkpoints(f"import/{self._source}")

    def position(self, part: str) -> int:
        """Return how far a part of the source was imported; 0 if it never was.

        Args:
            part: Which part: what one position is enough for, such as a file or a span of time.
        """
        found = self._reached.get(self._lane(part))
        return 0 if found is None else found.position

    async def write(self, part: str, items: Sequence[Item], position: int) -> None:
        """Write items in transactions of at most `BATCH`, the last of which moves the position.

        What the database refuses is put aside with the reason, and the rest is written.

        Args:
            part: Which part of the source they come from.
            items: What was found; may be empty where only the position moves.
            position: Where the import stands behind them; no less than where it stood.

        Raises:
            StoreUnavailableError: If the database cannot be read or written now; the import goes on when it is repeated.
            PositionMovedError: If another import is at work on the same part.
            ValueError: If the position goes back, or an item is of a kind that cannot be imported.
        """
        if position < self.position(part):
            raise ValueError(
                f"position has the value {position} and {part} has come to {self.position(part)}; it never goes back"
            )
        for item in items:
            _ = item.noun
        pieces = deque([items[start : start + BATCH] for start in range(0, len(items), BATCH)] or [items])
        while pieces:
            piece = pieces.popleft()
            absent = await self.ledger.absent(piece)
            try:
                await self._commit(part, absent, [], self.position(part) if pieces else position)
            except RowRefusedError as refusal:
                # Somebody else may have written it meanwhile; who holds it now is asked again for each half.
                if len(piece) > 1:
                    pieces.extendleft([piece[len(piece) // 2 :], piece[: len(piece) // 2]])
                    continue
                if not (absent := await self.ledger.absent(piece)):
                    pieces.appendleft(piece)
                    continue
                await self._refuse(part, absent[0], refusal, self.position(part) if pieces else position)
            else:
                self._count(piece, absent)
            if self._report is not None:
                self._report(self.summary)

    async def forget(self, part: str) -> None:
        """Forget the positions of all parts below one, which is done with; what was written stays counted.

        Args:
            part: What their names begin with, up to a slash.
        """
        await self._store.forget(self._lane(part))
        self._reached = {
            lane: found
            for lane, found in self._reached.items()
            if not lane.startswith(f"{self._lane(part)}/")
        }

    async def _commit(
        self, part: str, items: Sequence[Item], rejections: list[Rejection], position: int
    ) -> None:
        lane = self._lane(part)
        before = self._reached.get(lane, Checkpoint())
        if not items and not rejections and position == before.position:
            return
        after = Checkpoint(position, before.stored + len(items), before.rejected + len(rejections))
        entries = [item.entry(lane, position) for item in items]
        try:
            await self._store.write(Batch(entries, [Move(lane, before.position, after)], rejections))
        except PositionMovedError as error:
            raise PositionMovedError(
                f"another import of {self._source} has written the same part meanwhile; let it end, then repeat the command"
            ) from error
        self._reached[lane] = after

    async def put_aside(self, part: str, noun: str, origin: str, reason: str, record: object = None) -> None:
        """Put aside what cannot become a row, by its name, and go on; it is counted each time and written once.

        Args:
            part: Which part of the source it comes from.
            noun: What several of its kind are called.
            origin: What it is called where it comes from.
            reason: What is wrong with it.
            record: What is kept of it, without what is secret.

        Raises:
            StoreUnavailableError: If the database cannot be read or written now.
            PositionMovedError: If another import is at work on the same part.
        """
        sequence = sequence_of(f"{noun} {origin}")
        await self._reject(part, sequence, {"origin": origin, "record": record}, reason, self.position(part))
        self.summary.refuse(noun, origin, reason)

    async def _refuse(self, part: str, item: Item, refusal: RowRefusedError, position: int) -> None:
        record = {"origin": item.origin, "change": item.change.name, "row": item.row, "metrics": item.metrics}
        await self._reject(part, item.sequence, record, str(refusal), position)
        self.summary.refuse(item.noun, item.origin, str(refusal))

    async def _reject(
        self, part: str, sequence: int, record: dict[str, Any], reason: str, position: int
    ) -> None:
        lane = f"import/{self._source}"  # of all parts: what is refused is put aside once, wherever it is found again
        known = await self.ledger.refusals(lane, [sequence])
        told = orjson.dumps(record, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        await self._commit(part, [], [] if known else [Rejection(lane, sequence, told, reason)], position)

    def _count(self, items: Sequence[Item], written: Sequence[Item]) -> None:
        items, written = _without_parts(items), _without_parts(written)
        self.summary.stored.update(item.noun for item in written)
        self.summary.skipped.update(item.noun for item in items)
        self.summary.skipped.subtract(item.noun for item in written)
        self.summary.skipped = +self.summary.skipped

    def _lane(self, part: str) -> str:
        return f"import/{self._source}/{part}"


def _without_parts(items: Sequence[Item]) -> list[Item]:
    """Leave the first of a task that is told of in parts."""
    tasks: set[str] = set()
    kept = []
    for item in items:
        if item.change is Change.TASK and item.key in tasks:
            continue
        if item.change is Change.TASK:
            tasks.add(item.key)
        kept.append(item)
    return kept


@asynccontextmanager
async def open_import(
    url: str, source: str, *, auto_migrate: bool = False, report: Report | None = None
) -> AsyncIterator[Importer]:
    """Open a ledger to import into; an SQLite file is made if there is none.

    Args:
        url: The database.
        source: What is imported, such as `langfuse`; positions are kept by it.
        auto_migrate: Whether a PostgreSQL database may be brought to the current schema.
        report: Called after each transaction with what was done so far.

    Yields:
        What writes into it.

    Raises:
        StoreUnavailableError: If it cannot be reached.
        MigrationError: If its schema is not the current one and may not be changed.
        ConfigurationError: If the URL cannot be used, or its driver is not installed.

    Example:
        >>> import anyio, tempfile
        >>> async def position(folder):
        ...     async with open_import(f"sqlite:///{folder}/a.db", "example") as importer:
        ...         await importer.write("one-file", [], 120)
        ...         return importer.position("one-file")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     anyio.run(position, folder)
        120
    """
    address = absolute_database(url)
    store = open_store(address, auto_migrate=auto_migrate)
    await store.open()
    try:
        async with open_ledger(address) as ledger:
            importer = Importer(store, ledger, source, report)
            await importer.load()
            yield importer
    finally:
        with anyio.CancelScope(shield=True):
            await store.close()
