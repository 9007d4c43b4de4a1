"""Writes the invented team into a database through its store, once, and goes on where it was interrupted."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final, Protocol

import anyio

from asp_telemetry.database_url import absolute_database
from asp_telemetry.sample.bootstrap import bootstrap_rows
from asp_telemetry.sample.patterns import PatternBook
from asp_telemetry.sample.task import task_entries
from asp_telemetry.sample.team import DAYS, INCIDENT, PREFIX
from asp_telemetry.stores import open_store
from asp_telemetry.writer.batch import Batch, Change, Checkpoint, Entry, Move
from asp_telemetry.writer.money import Money

SAMPLE_DAYS: Final = DAYS
"""How many days the sample goes back."""

_SEED: Final = "asp-telemetry sample 1"
_JOURNAL: Final = "import/sample"
_LANE: Final = f"{_JOURNAL}/team"
_WEEK: Final = 7
_WEEKS: Final = DAYS // _WEEK
_BATCHES: Final = _WEEKS + 1
_STEP: Final = 100  # positions per hour: more than a story has batches
_NS: Final = 1_000_000_000


class Store(Protocol):
    """Be what a batch is written to."""

    async def write(self, batch: Batch) -> object:
        """Write it whole, or not at all."""


async def write_sample_team(url: str, *, now: datetime | None = None) -> int:
    """Write three months of an invented team into a database, unless they are there.

    Args:
        url: The database, at the current schema; an SQLite file is made if there is none.
        now: When the story ends; the present hour when left out. The same hour gives the same rows, always.

    Returns:
        How many records were written: 0 if all of them were there.

    Raises:
        StoreUnavailableError: If the database cannot be written now.
        MigrationError: If its schema is not the current one.
        PositionMovedError: If somebody else writes the sample at the same time.

    Example:
        >>> import anyio, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     first = anyio.run(write_sample_team, f"sqlite:///{folder}/a.db")
        ...     again = anyio.run(write_sample_team, f"sqlite:///{folder}/a.db")
        >>> first > 5_000, again
        (True, 0)
    """
    database = absolute_database(url)
    store = open_store(database)
    await store.open()
    written = 0
    try:
        before = (await store.checkpoints(_JOURNAL)).get(_LANE, Checkpoint())
        # The position says which hour the story ends at and which batches are there: it goes on as it was begun.
        hour, done = divmod(before.position, _STEP)
        if not before.position:
            hour = int((now or datetime.now(UTC)).timestamp()) // 3600
        now = datetime.fromtimestamp(hour * 3600, UTC)
        book = PatternBook()
        for number, entries in enumerate(_weeks(now, book), start=1):
            if number > done:
                before = await _write(store, entries, before, hour, number)
                written += len(entries)
        if done < _BATCHES:
            await book.write(database)
            measured = [Entry("", 0, 0, Change.BOOTSTRAP, row) for row in await bootstrap_rows(database, now)]
            await _write(store, measured, before, hour, _BATCHES)
            written += len(measured)
    finally:
        with anyio.CancelScope(shield=True):
            await store.close()
    return written


async def _write(
    store: Store, entries: list[Entry], before: Checkpoint, hour: int, number: int
) -> Checkpoint:
    after = Checkpoint(hour * _STEP + number, before.stored + len(entries), before.rejected)
    await store.write(Batch(_placed(entries, after), [Move(_LANE, before.position, after)]))
    return after


def _placed(entries: list[Entry], after: Checkpoint) -> list[Entry]:
    first = after.stored - len(entries)
    return [
        entry._replace(lane=_LANE, sequence=first + place, end=after.position)
        for place, entry in enumerate(entries)
    ]


def _weeks(now: datetime, book: PatternBook) -> Iterator[list[Entry]]:
    """Yield the story week by week; what is learned from it is put down in the book."""
    money, today = Money(), now.replace(hour=0)
    incident = _incident(today)
    for week in range(_WEEKS):
        newest = DAYS - 1 - (week + 1) * _WEEK
        yield [
            entry
            for days_ago in range(newest + _WEEK, newest, -1)
            for entry in _day(today, days_ago, now, money, book, incident=days_ago == incident)
        ]


def _incident(today: datetime) -> int:
    """Return how many days ago the incident was: on a day on which people work."""
    return INCIDENT + max(0, (today - timedelta(days=INCIDENT)).weekday() - 4)


def _day(
    today: datetime, days_ago: int, now: datetime, money: Money, book: PatternBook, *, incident: bool
) -> Iterator[Entry]:
    day = today - timedelta(days=days_ago)
    chance = Random(f"{_SEED} {days_ago}")  # noqa: S311 - invents a story
    number = chance.randint(0, 1) if day.weekday() > 4 else chance.randint(3, 6)
    for place in range(number + 2 * incident):
        seed = f"{_SEED} {days_ago} {place}"
        start = day + timedelta(hours=8, seconds=chance.randint(0, 9 * 3600))
        if incident:
            start = day + timedelta(hours=9, seconds=place * 1500)
        if start + timedelta(hours=1) > now:
            continue
        task_id = f"{PREFIX}{day:%y%m%d}-{place + 1}"
        at = int(start.timestamp()) * _NS
        yield from task_entries(Random(seed), task_id, at, days_ago, money, book, down=incident)  # noqa: S311 - invents a story
