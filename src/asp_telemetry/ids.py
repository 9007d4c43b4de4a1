"""Makes span ids, and writes the ids of executions and traces as UUIDs.

A span id is the next number after a random start of this process: no system call, unique among processes, in the
order of time within one. The high half of a trace id is the start of its root in nanoseconds, so that rows which are
written together lie together in the index; the low half is the root's span id.
"""

from collections.abc import Callable
from itertools import count
from os import urandom


def span_ids() -> Callable[[], int]:
    """Start a new sequence of span ids; each process, and each forked child, needs its own.

    Returns:
        A function that returns the next id, 1 <= id < 2**63, safe to call from any thread.
    """
    return count(int.from_bytes(urandom(8), "big") >> 2 or 1).__next__


def execution_uuid(trace_high: int, span_id: int) -> str:
    """Name an execution: the first 64 bits of its trace id followed by its span id, written as a UUID.

    Example:
        >>> execution_uuid(0x0123456789ABCDEF, 0x1)
        '01234567-89ab-cdef-0000-000000000001'
    """
    digits = (trace_high << 64 | span_id).to_bytes(16, "big").hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
