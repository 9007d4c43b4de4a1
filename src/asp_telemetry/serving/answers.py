"""Writes answers as OTLP/HTTP asks: in the encoding of the request, with a status message where it failed.

https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
"""

from typing import Final, NamedTuple

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"

_LONGEST_MESSAGE: Final = 1000
# What the HTTP statuses are called in google.rpc.Code:
# https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
_INVALID, _INTERNAL = 3, 13
_CODES: Final = {401: 16, 403: 7, 404: 5, 405: 12, 408: 4, 413: 8, 415: 12, 431: 8, 500: _INTERNAL, 503: 14}


class Answer(NamedTuple):
    """Be what is sent back.

    Attributes:
        status: The HTTP status.
        encoding: The type of the body.
        body: The body.
        headers: What else the head says.
    """

    status: int
    encoding: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class RefusedError(Exception):
    """Say why a request is not taken.

    Args:
        status: The HTTP status.
        message: What is wrong and what would be right, for the log of who has sent it.
        headers: What the head of the answer says beside that.
    """

    def __init__(self, status: int, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


def accepted(encoding: str, refused: int = 0, reason: str = "") -> Answer:
    """Say that a request was taken, but for some of its spans.

    Args:
        encoding: That of the request.
        refused: How many spans were not taken, and shall not be sent again.
        reason: Why not.

    Example:
        >>> accepted(JSON, 2, "a span has no trace id").body
        b'{"partialSuccess":{"rejectedSpans":"2","errorMessage":"a span has no trace id"}}'
    """
    reason = reason[:_LONGEST_MESSAGE]
    if encoding == PROTOBUF:
        partial = ExportTracePartialSuccess(rejected_spans=refused, error_message=reason) if refused else None
        body: bytes = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
        return Answer(200, PROTOBUF, body)
    # 64-bit numbers are texts in the JSON of protobuf.
    partly = {"partialSuccess": {"rejectedSpans": str(refused), "errorMessage": reason}} if refused else {}
    return Answer(200, JSON, orjson.dumps(partly))


def failed(encoding: str, refusal: RefusedError) -> Answer:
    r"""Say why a request was not taken.

    Args:
        encoding: That of the request.
        refusal: The reason.

    Example:
        >>> failed(JSON, RefusedError(404, "not here")).body
        b'{"code":5,"message":"not here"}'
        >>> failed(PROTOBUF, RefusedError(404, "not here")).body
        b'\x08\x05\x12\x08not here'
    """
    code = _CODES.get(refusal.status, _INVALID)
    message = str(refusal)[:_LONGEST_MESSAGE]
    if encoding == PROTOBUF:
        text = message.encode("utf-8", "replace")
        # google.rpc.Status: the code is field 1, the message field 2. Its own package is not worth two fields.
        body = bytes([0x08, code, 0x12]) + _varint(len(text)) + text
    else:
        body = orjson.dumps({"code": code, "message": message.encode("utf-8", "replace").decode()})
    return Answer(refusal.status, encoding, body, tuple(refusal.headers))


def _varint(number: int) -> bytes:
    """Write a number as protobuf does: https://protobuf.dev/programming-guides/encoding/#varints."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
