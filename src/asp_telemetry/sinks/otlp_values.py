"""Writes one finished execution as an OTLP span, whatever its attributes are called.

Wire format: https://github.com/open-telemetry/opentelemetry-proto, `trace/v1/trace.proto`.
"""

from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status

FAILED = frozenset({"error", "timeout"})
"""The statuses of executions that make a span an error."""

_CLIENT_KINDS = frozenset({"generation", "embedding"})


def encode_span(
    slot: tuple[Any, ...],
    *,
    trace_id: bytes,
    parent_id: int,
    name: str,
    kind: str,
    status: str,
    message: str | None,
    attributes: Mapping[str, Any],
) -> bytes:
    """Encode one span with the exact times of its record.

    Args:
        slot: The record's slot: it has span id, start and duration.
        trace_id: The trace, 16 bytes.
        parent_id: The span id of the parent; 0 if there is none.
        name: What the span is called.
        kind: The kind of the execution, in our words.
        status: How the execution ended, in our words.
        message: What went wrong, if anything.
        attributes: The attributes; those that are None are left out.

    Returns:
        A `ScopeSpans` message with nothing but the span in it: such messages may be strung together, and make one with
        all the spans (https://protobuf.dev/programming-guides/encoding/#last-one-wins).
    """
    span = Span(
        trace_id=trace_id,
        span_id=slot[7].to_bytes(8, "big"),
        parent_span_id=parent_id.to_bytes(8, "big") if parent_id else b"",
        name=name,
        kind=Span.SPAN_KIND_CLIENT if kind in _CLIENT_KINDS else Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=slot[9],
        end_time_unix_nano=slot[9] + slot[10],
        status=Status(code=Status.STATUS_CODE_ERROR, message=message or "") if status in FAILED else Status(),
        attributes=[
            KeyValue(key=key, value=any_value(value))
            for key, value in attributes.items()
            if value is not None
        ],
    )
    encoded: bytes = ScopeSpans(spans=[span]).SerializeToString()
    return encoded


def any_value(value: Any) -> AnyValue:
    """Write a value as OTLP has it; what it has no type for becomes text."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
    return AnyValue(string_value=str(value))
