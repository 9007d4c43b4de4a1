"""Reads the records of one lane in order, past whatever a crash has left of them."""

from collections.abc import Iterator
from time import monotonic
from typing import NamedTuple, Protocol
from zlib import crc32

from asp_telemetry.journal.layout import CELL, CELLS, DEFINITIONS, HEADER_CELLS, LIMIT, SLOT, Kind
from asp_telemetry.journal.segment import read_header

_KINDS = frozenset(int(kind) for kind in Kind if kind is not Kind.END)
_VOID, _END = int(Kind.VOID), int(Kind.END)
_DEFINITIONS = frozenset(int(kind) for kind in DEFINITIONS)
_HOLE_SECONDS = 10.0
_unpack_from = SLOT.unpack_from

SLOT_STAMP = 4
"""The place of the stamp in an unpacked slot."""


class Record(NamedTuple):
    """Hold one record as it was appended.

    Attributes:
        slot: The unpacked numbers of the slot, in the order of `layout.SLOT`.
        site: The encoded definition of what was executed.
        scope: The encoded definition of the task, session and user it belongs to.
        agent: The encoded definition of the nearest enclosing agent.
        payload: What else there is, encoded; None if nothing, or if it was damaged.
        end: The lane's position behind the record.
        sequence: The record's number in its lane, from 0.
    """

    slot: tuple[int, ...]
    site: bytes
    scope: bytes
    agent: bytes
    payload: bytes | None
    end: int
    sequence: int


class SegmentSource(Protocol):
    """Give a reader the bytes of one lane's segments."""

    def first_from(self, number: int) -> tuple[int, bytes] | None:
        """Return number and bytes of the first segment numbered `number` or higher, or None if there is none."""

    def is_final(self) -> bool:
        """Tell whether nothing will be appended any more."""


class LaneReader:
    """Read one lane from a position on.

    Args:
        source: Where the bytes come from.
        position: Where to start; 0 for the lane's beginning.
        passed: How many of the lane's records are known to lie before that; what is missing behind them is lost.

    Attributes:
        position: Behind the last record that was read.
        next_stamp: The stamp that the next record should bear; negative before anything was read.
        lost: How many records before `position` could not be read: torn, overwritten, or in memory that died.
    """

    def __init__(self, source: SegmentSource, position: int = 0, passed: int | None = None) -> None:
        self._source = source
        self.position = position
        self._passed = passed
        self.lost = 0
        self._number = -1
        self._data = b""
        self._definitions: dict[int, bytes] = {}
        self.next_stamp = -1
        self._lane_stamp = 0
        self._stuck_since: float | None = None
        self._is_replaying = False

    def read(self, limit: int) -> list[Record]:
        """Return the next records, at most `limit`; an empty list if there are none yet."""
        records: list[Record] = []
        if self._load(self.position // CELLS):
            while len(records) < limit:
                records.extend(self._read_segment(limit - len(records)))
                if self.position % CELLS or not self._load(self._number + 1):
                    break
        return records

    def _load(self, number: int) -> bool:
        """Take the bytes of a segment afresh; False if there is none to be had."""
        found = self._source.first_from(number)
        header = None if found is None else read_header(found[1])
        if found is None or header is None:
            return False
        self._data = found[1]
        if found[0] != self._number:
            self._enter(found[0], header.lane_stamp, header.first_stamp)
        return True

    def _enter(self, number: int, lane_stamp: int, first_stamp: int) -> None:
        self._number = number
        self._lane_stamp = lane_stamp
        self._definitions = {}
        if self.next_stamp < 0:
            passed = 0 if self.position == 0 else self._passed
            # Records may be missing before this segment: those of earlier ones that are gone, or holes at their end.
            missing = 0 if passed is None else max(first_stamp - lane_stamp - passed, 0)
            self.next_stamp, self.lost = first_stamp, missing
        start = self.position % CELLS if self.position // CELLS == number else 0
        self.position = number * CELLS + HEADER_CELLS
        if start > HEADER_CELLS:
            # The checkpoint lies inside: what stands before it is committed, but for the definitions.
            lost = self.lost
            self._is_replaying = True
            for _ in self._slots(start * CELL):
                pass
            self._is_replaying = False
            self.position = number * CELLS + start
            self.lost = lost

    def _read_segment(self, limit: int) -> list[Record]:
        records: list[Record] = []
        for record in self._slots(LIMIT):
            records.append(record)
            if len(records) >= limit:
                break
        return records

    def _slots(self, end: int) -> Iterator[Record]:
        data, definitions, base = self._data, self._definitions, self._number * CELLS
        offset = (self.position - base) * CELL
        while offset < end:
            kind = data[offset]
            slot = _unpack_from(data, offset)
            if kind == _END and not any(slot[1:]):
                offset = LIMIT
                break
            if not self._is_whole(kind, slot):
                found = self._next_whole(offset)
                if found < 0:
                    return
                offset = found
                self.position = base + offset // CELL
                continue
            self._stuck_since = None
            payload = self._payload(offset, slot)
            if kind not in _DEFINITIONS:
                self._count(slot[SLOT_STAMP])
            following = self._behind(offset, slot, payload)
            if kind not in _DEFINITIONS:
                self.position = base + following // CELL
                record = self._record(slot, payload)
                if record is not None:
                    yield record
            elif payload is not None:
                definitions[offset // CELL] = payload
            offset = following
            self.position = base + offset // CELL
        if end == LIMIT and offset >= LIMIT:
            self.position = base + CELLS

    def _payload(self, offset: int, slot: tuple[int, ...]) -> bytes | None:
        length = slot[3]
        if not length or slot[0] == _VOID:
            return None
        payload = self._data[offset + CELL : offset + CELL + length]
        return payload if crc32(payload) == slot[16] else None

    def _behind(self, offset: int, slot: tuple[int, ...], payload: bytes | None) -> int:
        """Return where the next record begins."""
        behind = offset + CELL + -(-slot[3] // CELL) * CELL
        if behind > LIMIT or (payload is None and slot[3] and slot[0] != _VOID):
            # Perhaps it is the length that is damaged: go on where there is a whole record.
            behind = max(self._whole_behind(offset), offset + CELL)
        return behind

    def _count(self, stamp: int) -> None:
        """Go on behind a stamp; what is missing before it is lost."""
        self.lost += stamp - self.next_stamp
        self.next_stamp = stamp + 1

    def _record(self, slot: tuple[int, ...], payload: bytes | None) -> Record | None:
        """Make a record of a whole slot; one that nothing can be made of counts as lost."""
        definition = self._definitions.get
        site, scope, agent = definition(slot[11]), definition(slot[12]), definition(slot[13])
        if slot[0] == _VOID or site is None or scope is None or agent is None:
            self.lost += 1
            return None
        return Record(slot, site, scope, agent, payload, self.position, slot[SLOT_STAMP] - self._lane_stamp)

    def _is_whole(self, kind: int, slot: tuple[int, ...]) -> bool:
        return kind in _KINDS and slot[4] == slot[17] and 0 <= slot[4] - self.next_stamp < 1 << 32

    def _next_whole(self, offset: int) -> int:
        """Find where to go on behind cells that are not (yet) a whole record; -1 to wait, `LIMIT` for the next segment."""
        if not (self._source.is_final() or self._is_replaying):
            now = monotonic()
            if self._stuck_since is None:
                self._stuck_since = now
            if now - self._stuck_since < _HOLE_SECONDS:
                return -1
        found = self._whole_behind(offset)
        return LIMIT if found < 0 and self._source.first_from(self._number + 1) is not None else found

    def _whole_behind(self, offset: int) -> int:
        """Find the next whole record behind an offset; -1 if there is none."""
        for candidate in range(offset + CELL, LIMIT, CELL):
            kind = self._data[candidate]
            if kind and self._is_whole(kind, _unpack_from(self._data, candidate)):
                return candidate
        return -1
