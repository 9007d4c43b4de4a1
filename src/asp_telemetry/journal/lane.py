"""Appends records to the lane of the calling thread: no lock, no wait, no exception.

Between reading a lane's position and storing the new one there is no call, and CPython switches threads and runs
signal handlers only at calls, loops and function entries. So whoever interrupts an append takes the cells behind it,
and both records come out whole. `rolling` marks the one stretch where that does not hold; an append that meets it
goes to a side lane.

A reader in another thread relies on the interpreter's lock, one in another process on a CPU that keeps the order of
stores (x86). On weaker CPUs a slot may become visible before it is whole; its stamps tell, and the reader waits.
"""

import sys
from collections import deque
from collections.abc import Callable
from struct import error as StructError  # noqa: N812 - it is a class
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any
from zlib import crc32

from asp_telemetry.journal.layout import (
    AGENT,
    CELL,
    FIRST,
    LIMIT,
    REASONS,
    SCOPE,
    SITE,
    SLOT,
    Kind,
)
from asp_telemetry.journal.segment import Segment, SegmentHeader
from asp_telemetry.journal.supply import NoRoomError

if TYPE_CHECKING:
    from asp_telemetry.journal.journal import Journal

Append = Callable[[int, int, int, list[Any], bytes | None], bool]

MAX_PAYLOAD = 192 * 1024
"""The longest payload that a record may carry, in bytes; capture sheds content until it fits."""

_VOID = int(Kind.VOID)
_END = int(Kind.END)
_BLOCK_STEP_SECONDS = 0.005
_pack_into = SLOT.pack_into


class Lane:
    """Hold the open segment of one thread and the segments before it that wait to be drained."""

    __slots__ = (
        "buffer",
        "coming",
        "ending",
        "first_stamp",
        "journal",
        "known",
        "made",
        "number",
        "open",
        "position",
        "refused",
        "rolling",
        "segments",
        "stamp",
        "through",
    )

    def __init__(self, journal: "Journal", number: int, first_stamp: int) -> None:
        self.journal = journal
        self.number = number
        self.first_stamp = first_stamp
        self.stamp = first_stamp
        self.position = LIMIT
        self.buffer: Any = None
        self.open: Segment | None = None
        self.coming: Segment | None = None
        self.ending = LIMIT
        self.through: Segment | None = None
        self.known: dict[Any, int] = {}
        self.rolling = False
        self.segments: deque[Segment] = deque()
        self.made = 0
        self.refused = [0] * len(REASONS)

    @property
    def accepted(self) -> int:
        """The number of records that callers have handed in, kept or refused."""
        return self.stamp - self.first_stamp + sum(self.refused)

    def prepare(self, definitions: list[tuple[Any, int]], size: int) -> "Lane | None":
        """Make room for a record of `size` bytes behind the definitions it needs, and write those.

        Returns:
            The lane that is ready: this one, or a side lane if this one is rolling already. None if the record had
            to be refused, which has been counted.
        """
        if self.rolling:
            return self.journal.side_lane().prepare(definitions, size)
        self.rolling = True
        try:
            missing = [(thing, kind) for thing, kind in definitions if thing not in self.known]
            if self.position + size + _bytes_of(missing) > LIMIT:
                self._roll()
                missing = definitions
            for thing, kind in dict(missing).items():
                self._define(thing, kind)
        except NoRoomError as error:
            self.refuse(error.reason)
            return None
        finally:
            self.rolling = False
        return self

    def _roll(self) -> None:
        """Move on to a fresh segment.

        A signal handler may raise at any call in here. The next roll then goes on where this one was broken off: each
        step is done only if it has not been done, and the change from one segment to the next has no call in it.
        """
        segment = self.coming
        if segment is None:
            segment = self.coming = _take(self.journal)
        if self.open is not None:
            if self.position < LIMIT:
                self.ending, self.position = self.position, LIMIT
            if self.ending < LIMIT:
                _pack_into(self.buffer, self.ending, _END, *([0] * 17))
                self._write_through(self.ending, CELL)
            self.journal.left(self, self.open)
        segment.assign(SegmentHeader(self.number, self.made, self.first_stamp, self.stamp))
        if not self.segments or self.segments[-1] is not segment:
            self.segments.append(segment)
        through = segment if segment.is_written else None
        self.buffer, self.open, self.through, self.known = segment.buffer, segment, through, {}
        self.made += 1
        self.ending = LIMIT
        self.coming = None
        self.position = FIRST
        self.journal.wake()

    def _define(self, thing: Any, kind: int) -> None:
        payload: bytes = thing.encoded
        check = crc32(payload)
        size = CELL + -(-len(payload) // CELL) * CELL
        position = self.position
        self.position = position + size
        stamp = self.stamp
        try:
            _pack_into(self.buffer, position, 0, 0, 0, len(payload), stamp, *([0] * 11), check, stamp)
            self.buffer[position + CELL : position + CELL + len(payload)] = payload
            self.buffer[position] = kind
            self.known[thing] = position // CELL
        except BaseException:
            # Cells that were taken and stay empty would hold up the reader; one with a wrong CRC defines nothing.
            _pack_into(
                self.buffer, position, 0, 0, 0, len(payload), stamp, *([0] * 11), ~check & 0xFFFFFFFF, stamp
            )
            self.buffer[position] = kind
            raise
        finally:
            self._write_through(position, size)

    def _write_through(self, position: int, size: int) -> None:
        if self.through is not None:
            self.through.write_through(position, size)

    def refuse(self, reason: str) -> None:
        """Count a record that could not be kept."""
        self.refused[REASONS.index(reason)] += 1
        self.journal.counters.save(self.number, self.refused)


def _salvage(
    error: BaseException,
    buffer: Any,
    position: int,
    size: int,
    kind: int,
    payload: bytes | None,
    slot: tuple[int, ...],
) -> None:
    """Write a record whose duration was negative with none; of any other void the cells, and let its exception go on.

    Some virtual machines set their clock back by a millisecond or two.
    """
    try:
        if not isinstance(error, StructError):
            raise error  # noqa: TRY301 - the cells have to be voided first
        _pack_into(buffer, position, 0, *slot)
        if payload is not None:
            buffer[position + CELL : position + CELL + len(payload)] = payload
        buffer[position] = kind
    except BaseException:
        # Cells that were taken and stay empty would hold up the reader.
        stamp = slot[3]
        _pack_into(buffer, position, 0, 0, 0, size - CELL, stamp, *([0] * 12), stamp)
        buffer[position] = _VOID
        raise


def make_append(journal: "Journal") -> Append:
    """Build the function that appends one record to the calling thread's lane.

    Everything it needs is bound once, here: each look-up saved is a fiftieth of what a call costs.

    Args:
        journal: The journal whose lanes take the records.

    Returns:
        `append(kind, status, duration_ns, span, payload)`, which tells whether the record was kept. A refused one
        is counted with its reason.
    """
    lanes = journal.lanes
    get_ident = journal.get_ident
    pack_into = _pack_into
    limit, cell = LIMIT, CELL

    def append(kind: int, status: int, duration: int, span: list[Any], payload: bytes | None) -> bool:
        # All places of a span, in the order of `layout`: taken apart at once, half the time of one by one.
        (
            trace_high, trace_low, span_id, parent_id, own, context, nearest, iteration, flags, started, _, _, _, _,
            retries,
        ) = span  # fmt: skip
        if payload is None:
            length = check = 0
            size = cell
        else:
            length = len(payload)
            size = cell + -(-length // cell) * cell
            check = crc32(payload)
        ready = None
        while True:
            try:
                lane = lanes[get_ident()] if ready is None else ready
                # From here until the cells are taken there is no call.
                known = lane.known
                site = known[own]
                scope = known[context]
                agent = site if nearest is own or nearest is None else known[nearest]
                position = lane.position
                end = position + size
                if end <= limit and not lane.rolling:
                    lane.position = end
                    stamp = lane.stamp
                    lane.stamp = stamp + 1
                    break
            except KeyError:
                pass
            ready = _ready_lane(journal, ready, span, size)
            if ready is None:
                return False
        buffer = lane.buffer
        through = lane.through
        try:
            pack_into(
                buffer, position, 0, status, flags, length, stamp, trace_high, trace_low, span_id, parent_id, started,
                duration, site, scope, agent, iteration, retries, check, stamp,
            )  # fmt: skip
            if payload is not None:
                buffer[position + cell : position + cell + length] = payload
            buffer[position] = kind
        except BaseException as error:
            _salvage(
                error, buffer, position, size, kind, payload,
                (
                    status, flags, length, stamp, trace_high, trace_low, span_id, parent_id, started,
                    max(duration, 0), site, scope,
                    agent, iteration, retries, check, stamp,
                ),
            )  # fmt: skip
        finally:
            if through is not None:
                through.write_through(position, size)
        return True

    return append


def _ready_lane(journal: "Journal", lane: Lane | None, span: list[Any], size: int) -> Lane | None:
    """Return a lane that has room for a record and knows its definitions; None if the record had to be refused."""
    if lane is None:
        ident = journal.get_ident()
        lane = journal.lanes.get(ident) or journal.lane(ident)
    if size > MAX_PAYLOAD:
        lane.refuse("unencodable")
        return None
    own = span[SITE]
    return lane.prepare([(own, Kind.SITE), (span[AGENT] or own, Kind.SITE), (span[SCOPE], Kind.SCOPE)], size)


def _take(journal: "Journal") -> Segment:
    deadline = monotonic() + journal.block_seconds
    while True:
        try:
            return journal.supply.take(recount=not journal.header.writer)
        except NoRoomError:
            # Without the default a module that another thread is just importing would raise here.
            running_loop: Any = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)
            in_event_loop = running_loop is not None and running_loop() is not None
            if in_event_loop or monotonic() >= deadline:
                raise
            sleep(_BLOCK_STEP_SECONDS)


def _bytes_of(definitions: list[tuple[Any, int]]) -> int:
    return sum(CELL + -(-len(thing.encoded) // CELL) * CELL for thing, _ in definitions)
