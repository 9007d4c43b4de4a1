"""What the journal tests share: journals to append to, spans to append, and readers of what was appended."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from asp_telemetry.capture.definition import Scope, Site
from asp_telemetry.journal.header import JournalHeader
from asp_telemetry.journal.journal import Journal, new_journal_id
from asp_telemetry.journal.lane import make_append
from asp_telemetry.journal.layout import Kind
from asp_telemetry.journal.outlet import ForeignOutlet, OwnOutlet
from asp_telemetry.journal.reader import Record

FIRST_AGENT = Site("plan", "agent")
SECOND_AGENT = Site("code", "agent")
SCOPE = Scope({"project_id": "tests"})
EXECUTION = int(Kind.EXECUTION)


def make_journal(
    base: Path,
    *,
    writer: bool = True,
    max_bytes: int = 1 << 30,
    block_seconds: float = 0.0,
    mapped: bool = True,
) -> Journal:
    """Make a journal below a folder; one that is not mapped appends with `os.pwrite`."""
    header = JournalHeader(journal_id=new_journal_id(), destination="sqlite:////nowhere.db", writer=writer)
    journal = Journal(base, header, max_bytes=max_bytes, block_seconds=block_seconds)
    journal.supply._mapped = mapped and journal.supply._mapped
    return journal


def span(number: int, site: Site = FIRST_AGENT, agent: Site | None = None, scope: Scope = SCOPE) -> list[Any]:
    """Make a span as capture does; its id and iteration are its number."""
    return [
        7,
        1,
        number,
        0,
        site,
        scope,
        agent or site,
        number,
        0,
        1_700_000_000 * 10**9,
        0,
        None,
        None,
        0,
        0,
    ]


class Appender:
    """Append numbered records to a journal, one after the other."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.append = make_append(journal)
        self.number = 0

    def __call__(
        self, count: int = 1, payload: Callable[[int], bytes | None] = lambda _: None, **facts: Any
    ) -> int:
        """Append some records; return how many of them were kept."""
        kept = 0
        for _ in range(count):
            self.number += 1
            kept += self.append(EXECUTION, 1, 5, span(self.number, **facts), payload(self.number))
        return kept

    def fill(self, segments: int) -> None:
        """Append until the lane of this thread has begun a number of segments."""
        while not self.lanes or self.lanes[0].made < segments:
            self()

    @property
    def lanes(self) -> list[Any]:
        """The journal's lanes."""
        return self.journal.all_lanes


def numbers(records: list[Record]) -> list[int]:
    """Return the numbers of records."""
    return [record.slot[7] for record in records]


def read_own(journal: Journal, lane: int = 1, position: int = 0) -> list[Record]:
    """Read a lane of this process to its end."""
    return OwnOutlet(journal).reader(lane, position).read(1_000_000)


def claim(journal: Journal) -> ForeignOutlet:
    """Close a journal as the death of its process does, and claim it."""
    assert journal.directory is not None
    journal.close(delete=False)
    outlet = ForeignOutlet(journal.directory, journal.header)
    assert outlet.claim(also_living=False)
    return outlet


def segment_files(journal: Journal) -> list[Path]:
    """Return the segments of a journal that lie on disk, oldest first."""
    assert journal.directory is not None
    return sorted(journal.directory.glob("*.segment"))
