"""The supply of empty segments of one journal, and the limit on what all journals of a destination may hold."""

import os
from collections import deque
from itertools import count
from pathlib import Path
from time import monotonic

from asp_telemetry.journal.layout import SEGMENT_BYTES
from asp_telemetry.journal.segment import Segment, is_disk_full

SEGMENT_SUFFIX = ".segment"

_MEMORY_SEGMENTS = 32
_RETRY_SECONDS = 0.1
_RECOUNT_SECONDS = 1.0


class NoRoomError(Exception):
    """Say why no segment can be had just now; `reason` is one of `layout.REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SegmentSupply:
    """Make segments: mapped where that is safe, else written, else in memory, within the limit of bytes."""

    def __init__(self, base: Path, directory: Path | None, *, mapped: bool, max_bytes: int) -> None:
        self.base = base
        self.directory = directory
        self.trouble: str | None = None
        self._mapped = mapped
        self._max_bytes = max_bytes
        self.spare: deque[Segment] = deque()
        self._numbers = count(1)
        self._in_memory = 0
        self._used = 0
        self._counted_at = -_RECOUNT_SECONDS
        self._not_before = 0.0
        self._reason = "journal_full"

    def take(self, *, recount: bool) -> Segment:
        """Return an empty segment, from those laid in if there are any, else made on the spot.

        Args:
            recount: Whether this thread has to look what other processes hold, since no writer does it.

        Raises:
            NoRoomError: If none can be had now. The attempt is not repeated for a tenth of a second, so that a full
                disk costs callers next to nothing.
        """
        try:
            return self.spare.popleft()
        except IndexError:
            pass
        if monotonic() < self._not_before:
            raise NoRoomError(self._reason)
        if recount:
            self.recount()
        try:
            return self._make()
        except NoRoomError as error:
            self._reason = error.reason
            self._not_before = monotonic() + _RETRY_SECONDS
            raise

    def lay_in(self, segments: int) -> None:
        """Reserve segments ahead of need; the writer calls this, never a caller's thread."""
        if self.directory is None:
            return
        # Not until there are so many: busy callers may take them as fast as they are made, and the writer has more to do.
        for _ in range(segments - len(self.spare)):
            try:
                segment = self._make()
            except NoRoomError:
                return
            segment.touch()
            self.spare.append(segment)

    def _make(self) -> Segment:
        if self.directory is None:
            return self._make_in_memory("memory_full")
        if self._used + SEGMENT_BYTES > self._max_bytes:
            raise NoRoomError("journal_full")
        path = self.directory / f"{next(self._numbers):08d}{SEGMENT_SUFFIX}"
        try:
            segment = Segment.mapped(path) if self._mapped else Segment.written(path)
        except OSError as error:
            self.trouble = (
                f"the journal cannot write {path}: {error.strerror or error}; records wait in memory"
            )
            return self._make_in_memory("disk_full" if is_disk_full(error) else "memory_full")
        self._used += SEGMENT_BYTES
        return segment

    def _make_in_memory(self, reason: str) -> Segment:
        if self._in_memory >= _MEMORY_SEGMENTS:
            raise NoRoomError(reason)
        self._in_memory += 1
        return Segment.in_memory()

    def recount(self) -> None:
        """Count what all journals of this destination hold on disk, at most once a second."""
        now = monotonic()
        if now - self._counted_at >= _RECOUNT_SECONDS:
            self._counted_at = now
            self._used = segment_bytes(self.base)

    @property
    def used_bytes(self) -> int:
        """The bytes that all journals of this destination held when they were last counted."""
        return self._used

    @property
    def excess_bytes(self) -> int:
        """How many bytes mirrors have to give up, of what the database has got already, to make room."""
        in_memory = excess_bytes(self._in_memory, _MEMORY_SEGMENTS) * SEGMENT_BYTES
        return max(excess_bytes(self._used, self._max_bytes), in_memory)

    def retire(self, segment: Segment) -> None:
        """Delete a segment whose records have all been committed."""
        in_memory = segment.path is None
        segment.delete()
        if in_memory:
            self._in_memory -= 1
            if not self._in_memory:
                self.trouble = None  # nothing waits in memory any more
        else:
            self._used -= SEGMENT_BYTES
        self._not_before = 0.0

    def move(self, base: Path, directory: Path) -> None:
        """Follow the journal's directory to another place."""
        self.base, self.directory = base, directory
        for segment in self.spare:
            if segment.path is not None:
                segment.path = directory / segment.path.name

    def close(self) -> None:
        """Delete what was laid in and not used."""
        while self.spare:
            self.spare.popleft().delete()


def excess_bytes(used: int, limit: int) -> int:
    """Return how much mirrors have to give up: what they hold must never make a caller's record be refused.

    Args:
        used: How much is in use.
        limit: How much there may be.

    Returns:
        What exceeds half of the limit, once that is three quarters full; else 0.

    Example:
        >>> excess_bytes(700, 1000), excess_bytes(800, 1000)
        (0, 300)
    """
    return used - limit // 2 if used * 4 > limit * 3 else 0


def segment_bytes(base: Path) -> int:
    """Return the bytes of all segments in the journals below a directory."""
    total = 0
    for root, _, names in os.walk(base):
        for name in names:
            if name.endswith(SEGMENT_SUFFIX):
                try:
                    total += (Path(root) / name).stat().st_size
                except OSError:
                    continue  # retired while we looked
    return total
