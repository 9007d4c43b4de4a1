"""The bytes of a segment: its header, the fixed-size slot of a record, and the counters file beside the segments.

A segment is a row of cells of `CELL` bytes. Its first `HEADER_CELLS` cells hold the header; each record is one slot
of one cell, followed by as many cells as its payload fills. All numbers are little-endian.

A slot is proven whole by the same stamp at its head and its tail, and it is visible only once its kind byte, written
last, is not zero. Stamps count up from a random base, so that no payload can pass for a slot. Payloads carry a CRC.
"""

from enum import IntEnum, IntFlag
from struct import Struct

FORMAT_VERSION = 1
SEGMENT_BYTES = 256 * 1024

# kind, status, flags, payload length | stamp | trace id (high, low), span id, parent span id, start, duration in ns |
# site, scope, agent (each the cell of its definition in this segment), iteration, retries, payload CRC | stamp
SLOT = Struct("<BBHIQQQQQQQIIIIIIQ")
CELL = SLOT.size
CELLS = SEGMENT_BYTES // CELL
LIMIT = CELLS * CELL

# magic (zero: not yet taken), format version, lane, number of the segment in its lane, stamp of the lane's first record,
# stamp of the segment's first record; then a CRC of these. It stands there twice: a damaged header would cost all records.
HEADER = Struct("<8sIIIQQ")
HEADER_CHECK = Struct("<I")
HEADER_COPY = HEADER.size + HEADER_CHECK.size
HEADER_COPIES = 2
HEADER_CELLS = 1
FIRST = HEADER_CELLS * CELL
MAGIC = b"ASPJRNL\x01"

# One row per lane in the counters file: how many records were refused for each reason, in the order of `REASONS`,
# then when the first and the last of them was (ns since the epoch).
REASONS = ("journal_full", "disk_full", "memory_full", "unencodable")
COUNTERS = Struct(f"<{len(REASONS)}QQQ")
COUNTER_LANES = 1024
COUNTERS_BYTES = COUNTERS.size * COUNTER_LANES


class Kind(IntEnum):
    """Say what a slot holds; zero means that it has not been written."""

    EXECUTION = 1
    OPEN = 2
    TASK = 3
    DEFECT = 4
    DEFECT_UPDATE = 5
    BOOTSTRAP = 6
    ENDPOINT = 7
    TRANSFORMATION = 8
    ROUTING = 9
    ROUTING_VALIDATION = 10
    HOOK = 11
    SITE = 32
    SCOPE = 33
    VOID = 62
    END = 63


DEFINITIONS = frozenset({Kind.SITE, Kind.SCOPE})


class Status(IntEnum):
    """Say how an execution ended."""

    IN_PROGRESS = 0
    SUCCESS = 1
    ERROR = 2
    TIMEOUT = 3
    CANCELLED = 4


class Flag(IntFlag):
    """Say what else is true of an execution.

    RECEIVED is one that another program has sent, which sends it again whenever it misses the answer.
    """

    NESTED = 1
    UNSAMPLED = 2
    INCOMPLETE = 4
    IN_AGENT = 8
    TASK_BEGINS = 16
    """It belongs to another task than what surrounds it."""
    RECEIVED = 32


INHERITED = ~(Flag.INCOMPLETE | Flag.TASK_BEGINS | Flag.RECEIVED)
"""What an execution that is no agent takes over from the one it is in; an agent's count of tools stays the agent's."""

TOOL = 64
"""What one call of a tool adds to the flags of the agent: their upper ten bits count, nobody else uses them."""


# A span, as capture builds it and the lane packs it, is a list; these are its places. A list with constant indices is
# the fastest mutable record in CPython: half the time of an object with slots.
TRACE_HIGH = 0
TRACE_LOW = 1
SPAN_ID = 2
PARENT_ID = 3
SITE = 4
SCOPE = 5
AGENT = 6
ITERATION = 7
FLAGS = 8
STARTED = 9
CLOCK = 10
PARENT = 11
DETAILS = 12
STATE = 13
RETRIES = 14
