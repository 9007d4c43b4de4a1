"""What a drainer takes records from: the journal of its own process, or one that another process has left or fills."""

from abc import ABC, abstractmethod
from bisect import bisect_left
from operator import itemgetter
from pathlib import Path

from asp_telemetry.guard import note
from asp_telemetry.journal.counters import Refused, read_counters
from asp_telemetry.journal.header import FILE_NAME as HEADER_NAME
from asp_telemetry.journal.header import JournalHeader, read_journal_header, remove_journal
from asp_telemetry.journal.journal import LOCK_NAME, Journal
from asp_telemetry.journal.lane import Lane
from asp_telemetry.journal.layout import CELL, CELLS
from asp_telemetry.journal.lock import FileLock
from asp_telemetry.journal.progress import progress_file
from asp_telemetry.journal.reader import LaneReader
from asp_telemetry.journal.segment import Segment, read_header
from asp_telemetry.journal.supply import SEGMENT_SUFFIX

DRAIN_LOCK_NAME = "drain.lock"


class Outlet(ABC):
    """Offer the lanes of one journal to a drainer."""

    header: JournalHeader
    directory: Path | None

    @property
    def journal_id(self) -> str:
        """The unique name of the journal."""
        return self.header.journal_id

    @abstractmethod
    def lanes(self) -> list[int]:
        """Return the numbers of all lanes that have taken or refused a record."""

    def is_quiet(self, lane: int, next_stamp: int, refused: int) -> bool:
        """Tell whether a lane certainly has nothing new, without reading it.

        Args:
            lane: The lane's number.
            next_stamp: The stamp that its next record would bear.
            refused: How many of its refused records are known already.
        """
        del lane, next_stamp, refused
        return False

    @abstractmethod
    def reader(self, lane: int, position: int, passed: int | None = None) -> LaneReader:
        """Return a reader of one lane that starts at a position, which so many records are known to have passed."""

    @abstractmethod
    def refused(self, lane: int) -> Refused:
        """Return what a lane has refused."""

    @abstractmethod
    def retire(self, lane: int, position: int) -> None:
        """Delete the segments of a lane that lie wholly before a committed position."""

    @abstractmethod
    def is_final(self) -> bool:
        """Tell whether nothing will be appended any more."""

    @abstractmethod
    def is_there(self) -> bool:
        """Tell whether the journal still exists: nobody has finished it and removed its files."""

    @abstractmethod
    def remember_database(self, database_id: str) -> None:
        """Note which database holds the journal's records."""


class _OwnLane:
    """Give a reader the segments of a lane of this process."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    def first_from(self, number: int) -> tuple[int, bytes] | None:
        segments = self._lane.segments
        # Their numbers follow each other, and only this thread removes any: where one lies is known.
        place = max(number - segments[0].number, 0) if segments else 0
        while place < len(segments):
            segment = segments[place]
            try:
                return segment.number, segment.read()
            except FileNotFoundError:
                place += (
                    1  # somebody has removed the journal's files; what is missing is counted by its stamps
                )
        return None

    def is_final(self) -> bool:
        return False


class OwnOutlet(Outlet):
    """Drain the journal of this process while it is being filled."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @property
    def header(self) -> JournalHeader:  # type: ignore[override]
        """What the journal says of itself."""
        return self._journal.header

    @property
    def directory(self) -> Path | None:  # type: ignore[override]
        """Where the journal lies, if it is not in memory alone."""
        return self._journal.directory

    def lanes(self) -> list[int]:
        """Return the numbers of all lanes."""
        return [lane.number for lane in list(self._journal.all_lanes)]

    def _lane(self, number: int) -> Lane:
        return next(lane for lane in list(self._journal.all_lanes) if lane.number == number)

    def is_quiet(self, lane: int, next_stamp: int, refused: int) -> bool:
        """Tell whether the lane has taken and refused nothing since."""
        own = self._lane(lane)
        return (
            own.stamp == (own.first_stamp if next_stamp < 0 else next_stamp) and sum(own.refused) == refused
        )

    def reader(self, lane: int, position: int, passed: int | None = None) -> LaneReader:
        """Return a reader of one lane."""
        return LaneReader(_OwnLane(self._lane(lane)), position, passed)

    def refused(self, lane: int) -> Refused:
        """Return what a lane has refused."""
        return self._journal.counters.read(lane)

    def retire(self, lane: int, position: int) -> None:
        """Delete the committed segments that the lane has left."""
        segments = self._lane(lane).segments
        while segments and segments[0].full and (segments[0].number + 1) * CELLS <= position:
            self._journal.supply.retire(segments.popleft())

    def is_final(self) -> bool:
        """Say no: this process may append at any time."""
        return False

    def is_there(self) -> bool:
        """Say yes: only this process removes it."""
        return True

    def remember_database(self, database_id: str) -> None:
        """Note which database holds the journal's records."""
        self._journal.remember_database(database_id)


class _FileLane:
    """Give a reader the segments of a lane of another process."""

    def __init__(self, outlet: "ForeignOutlet", lane: int) -> None:
        self._outlet = outlet
        self._lane = lane

    def first_from(self, number: int) -> tuple[int, bytes] | None:
        segments = self._outlet.segments(self._lane)
        for found, path in segments[bisect_left(segments, number, key=itemgetter(0)) :]:
            try:
                return found, Segment.read_file(path)
            except FileNotFoundError:
                continue
        return None

    def is_final(self) -> bool:
        return self._outlet.is_final()


class ForeignOutlet(Outlet):
    """Drain a journal whose owner is dead, or which has no writer of its own.

    Args:
        directory: The journal's directory.
        header: The header that was read there.
    """

    def __init__(self, directory: Path, header: JournalHeader) -> None:
        self.directory: Path = directory
        self.header = header
        self._owner = FileLock(directory / LOCK_NAME)
        self._drain = FileLock(directory / DRAIN_LOCK_NAME)
        self._lanes: dict[int, list[tuple[int, Path]]] = {}
        self._refused: dict[int, Refused] = {}
        self._seen: set[str] = set()
        self._is_final = False

    def claim(self, *, also_living: bool, lock: bool = True) -> bool:
        """Try to become the one who drains this journal.

        The locks only spare wasted work: what makes the drain exact is the position in the database.

        Args:
            also_living: Whether to take a journal whose owner lives but has no writer.
            lock: Whether to ask the locks at all; tests turn them off to prove the sentence above.

        Returns:
            Whether the caller should drain.
        """
        try:
            if not lock:
                self._is_final = True
            elif not self._drain.acquire():
                return False
            elif self._owner.acquire():
                self._is_final = True
            elif not also_living or self.header.writer:
                self._drain.release()
                return False
        except OSError:
            self.release()
            return False
        self.refresh()
        return True

    def refresh(self) -> None:
        """Look for segments that have been taken since, and whether the owner has died."""
        if not self._is_final and self._owner.acquire():
            self._is_final = True
        self._refused = read_counters(self.directory)
        for path in sorted(self.directory.glob(f"*{SEGMENT_SUFFIX}")):
            if path.name in self._seen:
                continue
            try:
                with path.open("rb") as file:
                    header = read_header(file.read(CELL))
            except OSError:
                continue
            if header is not None:
                self._seen.add(path.name)
                self._lanes.setdefault(header.lane, []).append((header.number, path))
                self._lanes[header.lane].sort()

    def segments(self, lane: int) -> list[tuple[int, Path]]:
        """Return number and path of the segments of a lane, in order."""
        return list(self._lanes.get(lane, ()))

    def lanes(self) -> list[int]:
        """Return the numbers of all lanes that have taken or refused a record."""
        return sorted({*self._lanes, *self._refused})

    def reader(self, lane: int, position: int, passed: int | None = None) -> LaneReader:
        """Return a reader of one lane."""
        return LaneReader(_FileLane(self, lane), position, passed)

    def refused(self, lane: int) -> Refused:
        """Return what a lane has refused."""
        return self._refused.get(lane, Refused({}, 0, 0))

    def retire(self, lane: int, position: int) -> None:
        """Delete the committed segments, except the one that a living owner may still append to."""
        segments = self._lanes.get(lane, [])
        while len(segments) > 1 and (segments[0][0] + 1) * CELLS <= position:
            segments.pop(0)[1].unlink(missing_ok=True)

    def is_final(self) -> bool:
        """Tell whether the owner is dead."""
        return self._is_final

    def remember_database(self, database_id: str) -> None:
        """Note which database holds the journal's records."""
        if self.header.database_id == database_id:
            return
        self.header = self.header.with_database(database_id)
        try:
            self.header.write(self.directory)
        except FileNotFoundError:
            return  # finished by another drainer
        except OSError as error:
            note("a journal's header cannot be rewritten", error, f"make {self.directory} writable")

    def forget_sink(self, name: str) -> None:
        """Owe a sink nothing any more.

        Raises:
            OSError: If the journal cannot be written.
        """
        self.header = self.header.without(name)
        self.header.write(self.directory)
        progress_file(self.directory, name).unlink(missing_ok=True)

    def is_there(self) -> bool:
        """Tell whether the journal's header still exists: it is the last to be removed."""
        return (self.directory / HEADER_NAME).exists()

    def delete(self) -> bool:
        """Remove the whole journal after all of it has been committed, and tell whether it is gone."""
        gone = remove_journal(self.directory)
        self.release()
        return gone

    def release(self) -> None:
        """Leave the journal to others."""
        self._drain.release()
        self._owner.release()


def find_journals(base: Path) -> list[ForeignOutlet]:
    """Find the journals below a directory, oldest first; what has no readable header is left alone."""
    try:
        directories = sorted(path for path in base.iterdir() if path.is_dir())
    except OSError:
        return []
    found = ((directory, read_journal_header(directory)) for directory in directories)
    return [ForeignOutlet(directory, header) for directory, header in found if header is not None]
