"""Counts refused records by lane and reason, in a file that a kill of the process does not lose."""

import mmap
import os
from pathlib import Path
from time import time_ns
from typing import NamedTuple

from asp_telemetry.journal.layout import COUNTER_LANES, COUNTERS, COUNTERS_BYTES, REASONS

FILE_NAME = "counters"


class Refused(NamedTuple):
    """Tell how many records of a lane were refused, by reason, and when the first and the last of them were (ns)."""

    counts: dict[str, int]
    first: int
    last: int


class Counters:
    """Keep the counts of one journal; each lane writes its own row, so there is nothing to lock."""

    def __init__(self, directory: Path | None, *, mapped: bool) -> None:
        self._buffer: mmap.mmap | bytearray = bytearray(COUNTERS_BYTES)
        self._descriptor: int | None = None
        if directory is None:
            return
        descriptor = os.open(directory / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if mapped:
            try:
                os.posix_fallocate(descriptor, 0, COUNTERS_BYTES)
                self._buffer = mmap.mmap(descriptor, COUNTERS_BYTES)
            finally:
                os.close(descriptor)
        else:
            self._descriptor = descriptor

    def save(self, lane: int, counts: list[int]) -> None:
        """Write the counts of one lane, in the order of `REASONS`."""
        offset = _offset(lane)
        first = COUNTERS.unpack_from(self._buffer, offset)[-2] or time_ns()
        COUNTERS.pack_into(self._buffer, offset, *counts, first, time_ns())
        if self._descriptor is not None:
            os.pwrite(self._descriptor, bytes(self._buffer[offset : offset + COUNTERS.size]), offset)

    def read(self, lane: int) -> Refused:
        """Read the counts of one lane."""
        return _decode(bytes(self._buffer[_offset(lane) : _offset(lane) + COUNTERS.size]))

    def close(self) -> None:
        """Close the file; the counts stay in it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def read_counters(directory: Path) -> dict[int, Refused]:
    """Read the counts of another process's journal, of the lanes that have refused anything."""
    try:
        data = (directory / FILE_NAME).read_bytes()
    except OSError:
        return {}
    rows = (
        (lane, data[_offset(lane) : _offset(lane) + COUNTERS.size]) for lane in range(1, COUNTER_LANES + 1)
    )
    decoded = ((lane, _decode(row)) for lane, row in rows if len(row) == COUNTERS.size and any(row))
    return {lane: refused for lane, refused in decoded if refused.counts}


def _decode(data: bytes) -> Refused:
    *counts, first, last = COUNTERS.unpack(data)
    return Refused(
        {reason: number for reason, number in zip(REASONS, counts, strict=True) if number}, first, last
    )


def _offset(lane: int) -> int:
    # Lanes beyond the table share its last row: more than a thousand threads at once, all of them refused.
    return min(lane - 1, COUNTER_LANES - 1) * COUNTERS.size
