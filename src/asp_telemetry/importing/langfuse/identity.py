"""Names executions by the ids that Langfuse knows them by: the same each time, and the same as other ways in name them."""

from functools import lru_cache
from hashlib import sha256

from asp_telemetry.ids import execution_uuid

_TRACE_DIGITS, _SPAN_DIGITS = 32, 16


def execution_id(trace_id: str, observation_id: str) -> str:
    """Name an execution as every (trace id, span id) is named; ids that are no such numbers count by their digest.

    Args:
        trace_id: Of Langfuse; 32 hexadecimal digits from OpenTelemetry, any text from older versions.
        observation_id: 16 hexadecimal digits from OpenTelemetry, any text from older versions.

    Example:
        >>> execution_id("0123456789abcdef0000000000000007", "0000000000000001")
        '01234567-89ab-cdef-0000-000000000001'
    """
    span = observation_id.lower()
    if len(span) == _SPAN_DIGITS and _is_hexadecimal(span):
        number = int(span, 16)
    else:
        number = int.from_bytes(sha256(observation_id.encode()).digest()[:8], "big")
    return execution_uuid(_trace_number(trace_id) >> 64, number)


def root_id(trace_id: str) -> str:
    """Name a trace: its id as a UUID.

    Example:
        >>> root_id("0123456789abcdef0000000000000007")
        '01234567-89ab-cdef-0000-000000000007'
    """
    number = _trace_number(trace_id)
    return execution_uuid(number >> 64, number & (1 << 64) - 1)


@lru_cache(maxsize=1024)
def _trace_number(trace_id: str) -> int:
    digits = trace_id.replace("-", "").lower()
    if len(digits) == _TRACE_DIGITS and _is_hexadecimal(digits):
        return int(digits, 16)
    return int.from_bytes(sha256(trace_id.encode()).digest()[:16], "big")


def _is_hexadecimal(digits: str) -> bool:
    return all(digit in "0123456789abcdef" for digit in digits)
