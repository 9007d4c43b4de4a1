"""Decodes OTLP over HTTP, protobuf and JSON, and refuses what Langfuse refuses.

Rules: https://github.com/langfuse/langfuse, `web/src/pages/api/public/otel/v1/traces/index.ts`
"""

import gzip
import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_NEWEST_INGESTION = 4


class Refused(Exception):  # noqa: N818 - what a server says, not a fault of the double
    """Answer a request with a status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Span(NamedTuple):
    """Be one span as it arrived, whichever encoding it came in; ids are hexadecimal."""

    trace_id: str
    id: str
    parent_id: str | None
    name: str
    start_ns: int | None
    end_ns: int | None
    status_code: int
    status_message: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    scope: str
    encoded: bytes


def decode(headers: Mapping[str, str], body: bytes) -> list[Span]:
    """Decode a request's spans.

    Raises:
        Refused: If Langfuse would answer 400, which concerns the whole request.
    """
    if "gzip" in headers.get("content-encoding", ""):
        try:
            body = gzip.decompress(body)
        except (OSError, EOFError, zlib.error):
            raise Refused(400, "Failed to decompress request body") from None
    version = headers.get("x-langfuse-ingestion-version")
    if version is not None and not (version.isdigit() and int(version) <= _NEWEST_INGESTION):
        raise Refused(400, f'Unsupported x-langfuse-ingestion-version: "{version}". Maximum supported: "4".')
    content = headers.get("content-type", "").lower()
    if "application/x-protobuf" in content:
        return _from_protobuf(body)
    if "application/json" in content:
        return _from_json(body)
    raise Refused(400, "Invalid content type")


def _from_protobuf(body: bytes) -> list[Span]:
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        raise Refused(400, "Failed to parse OTel Protobuf Trace") from None
    return [
        Span(
            _id(span.trace_id.hex(), 32),
            _id(span.span_id.hex(), 16),
            _id(span.parent_span_id.hex(), 16) if span.parent_span_id else None,
            span.name,
            span.start_time_unix_nano or None,
            span.end_time_unix_nano or None,
            span.status.code,
            span.status.message,
            {pair.key: _value(pair.value) for pair in span.attributes},
            {pair.key: _value(pair.value) for pair in group.resource.attributes},
            spans.scope.name,
            span.SerializeToString(deterministic=True),
        )
        for group in request.resource_spans
        for spans in group.scope_spans
        for span in spans.spans
    ]


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _value(pair.value) for pair in value.kvlist_value.values}
    return getattr(value, kind)


def _from_json(body: bytes) -> list[Span]:
    try:
        groups = json.loads(body)["resourceSpans"]
    except (ValueError, KeyError, TypeError):
        raise Refused(400, "Failed to parse OTel JSON Trace") from None
    return [
        Span(
            _id(span.get("traceId"), 32),
            _id(span.get("spanId"), 16),
            _id(span["parentSpanId"], 16) if span.get("parentSpanId") else None,
            span.get("name", ""),
            _nanoseconds(span.get("startTimeUnixNano")),
            _nanoseconds(span.get("endTimeUnixNano")),
            (span.get("status") or {}).get("code", 0),
            (span.get("status") or {}).get("message", ""),
            _attributes(span.get("attributes", [])),
            _attributes((group.get("resource") or {}).get("attributes", [])),
            (spans.get("scope") or {}).get("name", ""),
            json.dumps(span, sort_keys=True).encode(),
        )
        for group in groups
        for spans in group.get("scopeSpans", [])
        for span in spans.get("spans", [])
    ]


def _id(text: Any, length: int) -> str:
    try:
        if len(text) == length and bytes.fromhex(text) != bytes(length // 2):
            return str(text).lower()
    except (TypeError, ValueError):
        pass
    raise Refused(400, f"Invalid span or trace id: {text!r}")


def _nanoseconds(value: Any) -> int | None:
    return None if value is None else int(value)


def _attributes(pairs: Any) -> dict[str, Any]:
    if not isinstance(pairs, list):
        raise Refused(400, "Attributes must be a list")
    return {pair["key"]: _json_value(pair.get("value") or {}) for pair in pairs}


def _json_value(value: dict[str, Any]) -> Any:
    for kind, found in value.items():
        if kind == "intValue":
            return int(found)
        if kind == "arrayValue":
            return [_json_value(item) for item in found.get("values", [])]
        return found
    return None
