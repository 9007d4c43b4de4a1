"""Reads the body of a request, protobuf or JSON, gzipped or not; unpacks no more than allowed.

Both encodings: https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
"""

import zlib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import orjson
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import ReadableSpan

from asp_telemetry.serving.answers import PROTOBUF, RefusedError
from asp_telemetry.serving.spans import SpanError, Surroundings

_GZIP: Final = (
    31  # the window of 32 KiB, and a gzip header: https://docs.python.org/3/library/zlib.html#zlib.decompress
)
# What follows one is copied for each: very many small ones would take minutes.
_MOST_GZIP_MEMBERS: Final = 1000
_MOST_SPANS: Final = 16_384
_IDS: Final = (("traceId", "trace_id"), ("spanId", "span_id"), ("parentSpanId", "parent_span_id"))
# Never read, and the ids in them would have to be rewritten.
_LEFT_OUT: Final = frozenset({"links", *(name for name, _ in _IDS)})


class Decoded(NamedTuple):
    """Be what a request holds.

    Attributes:
        spans: The spans that can be recorded.
        refused: How many cannot.
        reason: What is wrong with the first of those.
    """

    spans: list[ReadableSpan]
    refused: int
    reason: str


def decode(body: bytes, encoding: str, *, packed: bool, most_bytes: int) -> Decoded:
    """Read the spans of a request.

    Args:
        body: The body as it came.
        encoding: PROTOBUF or JSON.
        packed: Whether it is gzipped.
        most_bytes: The longest body that is read, unpacked.

    Returns:
        The spans, and what was wrong with others.

    Raises:
        RefusedError: If the body is no such request, or too long.
    """
    if packed:
        body = _unpacked(body, most_bytes)
    messages = _in_protobuf(body) if encoding == PROTOBUF else _in_json(body)
    spans: list[ReadableSpan] = []
    refused, reason = 0, ""
    for surroundings, message in messages:
        if len(spans) + refused >= _MOST_SPANS:
            raise RefusedError(413, f"the request has more than {_MOST_SPANS} spans; send fewer at once")
        try:
            if isinstance(message, SpanError):
                raise message
            spans.append(surroundings.span(message))
        except SpanError as error:
            refused += 1
            reason = reason or str(error)
    return Decoded(spans, refused, reason)


def _unpacked(body: bytes, most_bytes: int) -> bytes:
    parts: list[bytes] = []
    left = most_bytes
    while body:
        if len(parts) >= _MOST_GZIP_MEMBERS:
            raise RefusedError(
                400, f"the body is more than {_MOST_GZIP_MEMBERS} gzip files in a row; compress it as a whole"
            )
        # A gzip file may be several, one after the other.
        unpacker = zlib.decompressobj(_GZIP)
        try:
            part = unpacker.decompress(body, left + 1)
        except zlib.error as error:
            raise RefusedError(400, f"the body is not gzip, as Content-Encoding says: {error}") from error
        left -= len(part)
        if left < 0:
            raise too_long(most_bytes)
        if not unpacker.eof:
            raise RefusedError(400, "the gzipped body ends too early")
        parts.append(part)
        body = unpacker.unused_data
    return b"".join(parts)


def too_long(most_bytes: int) -> RefusedError:
    """Return what is said to who sends too much at once.

    Args:
        most_bytes: How much would be taken.
    """
    return RefusedError(
        413,
        f"the request is longer than {most_bytes} bytes, unpacked; send fewer spans at once (OTEL_BSP_MAX_EXPORT_BATCH_SIZE)",
    )


def _in_protobuf(body: bytes) -> Iterator[tuple[Surroundings, Any]]:
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise RefusedError(
            400, f"the body is no ExportTraceServiceRequest in protobuf ({error}); is it JSON?"
        ) from error
    for group in request.resource_spans:
        for scoped in group.scope_spans:
            if scoped.spans:
                surroundings = Surroundings(group.resource, scoped.scope)
                for span in scoped.spans:
                    yield surroundings, span


def _in_json(body: bytes) -> Iterator[tuple[Surroundings, Any]]:
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, f"the body is not JSON: {error}") from error
    if not isinstance(request, dict):
        raise RefusedError(
            400, 'the body is no ExportTraceServiceRequest: it has to be {"resourceSpans": [...]}'
        )
    for group in _objects(request, "resourceSpans"):
        scopes = _objects(group, "scopeSpans")
        if not scopes:
            continue
        resource = _parsed(group.get("resource") or {}, Resource(), "resource")
        for scoped in scopes:
            scope = _parsed(scoped.get("scope") or {}, InstrumentationScope(), "scope")
            surroundings = Surroundings(resource, scope)
            for span in _objects(scoped, "spans"):
                try:
                    yield surroundings, _span(span)
                except SpanError as error:
                    yield surroundings, error


def _objects(message: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = message.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise RefusedError(400, f"{name} has to be a list of objects")
    return found


def _parsed(value: Any, message: Any, name: str) -> Any:
    try:
        return _filled(value, message)
    except SpanError as error:
        raise RefusedError(400, f"{name} cannot be read: {error}") from error


def _filled(value: Any, message: Any) -> Any:
    if not isinstance(value, dict):
        raise SpanError(f"it is a {type(value).__name__} where an object has to be")
    try:
        return ParseDict(value, message, ignore_unknown_fields=True)
    except (ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise SpanError(str(error)) from error


def _span(value: dict[str, Any]) -> Any:
    """Read one span; unlike in other JSON of protobuf, its ids are hexadecimal."""
    span = _filled({name: item for name, item in value.items() if name not in _LEFT_OUT}, Span())
    for name, field in _IDS:
        text = value.get(name) or ""
        try:
            setattr(span, field, bytes.fromhex(text))
        except (TypeError, ValueError) as error:
            raise SpanError(f"{name} of a span is not hexadecimal") from error
    return span
