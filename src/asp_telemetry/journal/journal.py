"""One process's journal: its directory, its lanes, and what becomes of both."""

import os
import shutil
from collections import deque
from itertools import count
from pathlib import Path
from random import SystemRandom
from time import time_ns
from typing import TYPE_CHECKING

from asp_telemetry.errors import ConfigurationError
from asp_telemetry.journal.counters import Counters
from asp_telemetry.journal.header import JournalHeader, remove_journal
from asp_telemetry.journal.lane import Lane
from asp_telemetry.journal.lock import FileLock
from asp_telemetry.journal.segment import Segment, may_map
from asp_telemetry.journal.supply import SegmentSupply
from asp_telemetry.native import native
from asp_telemetry.threads import running_threads

if TYPE_CHECKING:
    from collections.abc import Callable

LOCK_NAME = "owner.lock"

# Where the writer is held up, by a slow disk say, callers do its work rather than let their process grow.
_MOST_FULL = 32


def new_journal_id() -> str:
    """Name a journal so that names sort by time and never meet.

    Returns:
        Start in ns, process id and 64 random bits, in hexadecimal digits.
    """
    return f"{time_ns():016x}-{os.getpid():x}-{SystemRandom().getrandbits(64):016x}"


class Journal:
    """Own the lanes of this process and the directory that they are written to.

    Where the directory cannot be used the journal lives in memory: `directory` is None then and `trouble` says why.

    Args:
        base: The folder that holds all journals of one destination.
        header: What the journal says of itself.
        max_bytes: The limit on all journals in `base` together.
        block_seconds: How long a caller's thread waits for room before its record is refused; 0 refuses at once.
    """

    def __init__(
        self, base: Path, header: JournalHeader, *, max_bytes: int, block_seconds: float = 0.0
    ) -> None:
        self.header = header
        self.block_seconds = block_seconds
        self.lanes: dict[int, Lane] = {}
        self.all_lanes: list[Lane] = []
        # All greenlets of a thread share its lane: none of them can be switched away in the middle of an append.
        self.get_ident: Callable[[], int] = native("get_ident")
        self.wake: Callable[[], None] = _nothing
        self._full: deque[Segment] = deque()
        self._rolled = 0
        self._side_lanes: list[Lane] = []
        self._lane_numbers = count(1)
        self._lock: FileLock | None = None
        self._trouble: str | None = None
        directory = self._make_directory(base)
        self.supply = SegmentSupply(base, directory, mapped=self._mapped, max_bytes=max_bytes)

    def _make_directory(self, base: Path) -> Path | None:
        directory = base / self.header.journal_id
        try:
            directory.mkdir(mode=0o700, parents=True)
            lock = FileLock(directory / LOCK_NAME)
            lock.acquire()
            self._mapped = may_map(directory)
            self.counters = Counters(directory, mapped=self._mapped)
            self.header.write(directory)
        except OSError as error:
            self._trouble = (
                f"the journal directory {directory} cannot be used ({error.strerror or error}); records wait in memory: "
                "make it writable or set ASP_JOURNAL_DIR"
            )
            shutil.rmtree(directory, ignore_errors=True)
            self._mapped = False
            self.counters = Counters(None, mapped=False)
            return None
        self._lock = lock
        return directory

    @property
    def journal_id(self) -> str:
        """The unique name of this journal."""
        return self.header.journal_id

    @property
    def directory(self) -> Path | None:
        """Where the segments lie; None where they are only in memory."""
        return self.supply.directory

    @property
    def trouble(self) -> str | None:
        """What keeps records from being crash-safe, in a sentence for the log; None if nothing does."""
        return self._trouble or self.supply.trouble

    def lane(self, ident: int) -> Lane:
        """Make, or take over from an ended thread, the lane of a thread that has none."""
        running = running_threads()
        for ended in [known for known in list(self.lanes) if known not in running]:
            lane = self.lanes.pop(ended, None)
            if lane is not None:
                self.lanes[ident] = lane
                return lane
        lane = self.lanes[ident] = self._new_lane()
        return lane

    def side_lane(self) -> Lane:
        """Return a lane for an append that met its own thread's lane while that was rolling."""
        for lane in self._side_lanes:
            if not lane.rolling:
                return lane
        lane = self._new_lane()
        self._side_lanes.append(lane)
        return lane

    def _new_lane(self) -> Lane:
        lane = Lane(self, next(self._lane_numbers), SystemRandom().getrandbits(61))
        self.all_lanes.append(lane)
        return lane

    def left(self, lane: Lane, segment: Segment) -> None:
        """Take note that a lane has left a segment: the writer lets go of its map, or a sidecar reads its file."""
        if not segment.full:
            segment.full = True
            self._rolled += 1
            if self.header.writer:
                self._full.append(segment)
                if len(self._full) > _MOST_FULL:
                    self._release_oldest()
        if (
            not self.header.writer
            and segment.path is not None
            and lane.segments
            and lane.segments[0] is segment
        ):
            lane.segments.popleft()
            segment.release()

    def release_full(self) -> None:
        """Let go of the maps of segments that lanes have left; unmapping is the writer's work, not the callers'."""
        while self._release_oldest():
            pass

    def _release_oldest(self) -> bool:
        try:
            segment = self._full.popleft()
        except IndexError:  # another thread was quicker
            return False
        segment.release()
        return True

    def take_rolled(self) -> int:
        """Return how many segments have been left since the last time of asking."""
        rolled, self._rolled = self._rolled, 0
        return rolled

    @property
    def accepted(self) -> int:
        """The number of records that callers have handed in, kept or refused."""
        return sum(lane.accepted for lane in list(self.all_lanes))

    def redirect(self, base: Path, header: JournalHeader) -> None:
        """Give the journal, of which nothing has been drained yet, to another destination.

        The directory moves beside the new destination where one rename can do it; else it stays, and this process
        drains it from where it is.

        Raises:
            ConfigurationError: If the header cannot be rewritten.
        """
        self.header = header
        directory = self.directory
        if directory is None:
            return
        try:
            header.write(directory)
        except OSError as error:
            raise ConfigurationError(
                f"the journal {directory} cannot be given to {header.destination}: {error}; make it writable"
            ) from error
        target = base / header.journal_id
        try:
            base.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.rename(target)
        except OSError:
            return
        self.supply.move(base, target)
        for lane in self.all_lanes:
            for segment in lane.segments:
                if segment.path is not None:
                    segment.path = target / segment.path.name

    def remember_database(self, database_id: str) -> None:
        """Note in the header which database holds the journal's records from now on."""
        if self.header.database_id == database_id:
            return
        self.header = self.header.with_database(database_id)
        if self.directory is not None:
            try:
                self.header.write(self.directory)
            except OSError as error:
                self._trouble = f"the journal header in {self.directory} cannot be rewritten: {error}"

    def close(self, *, delete: bool) -> bool:
        """Let go of everything; with `delete`, after all has been committed, also of the directory.

        Returns:
            Whether nothing of it is left.
        """
        self.supply.close()
        self.counters.close()
        for lane in self.all_lanes:
            for segment in list(lane.segments):
                segment.release()
        removed = delete and (self.directory is None or remove_journal(self.directory))
        if self._lock is not None:
            self._lock.release()
        return removed


def _nothing() -> None:
    """Wake nobody: there is no writer yet."""
