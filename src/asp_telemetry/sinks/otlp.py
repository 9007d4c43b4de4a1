"""Sends spans to an OpenTelemetry receiver by OTLP over HTTP, with an explicit verdict per batch.

Protocol, and which answers may be repeated: https://opentelemetry.io/docs/specs/otlp/#otlphttp
Nothing of the OpenTelemetry SDK is used, so the host's own providers and exporters stay as they are.
"""

import gzip
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isnan

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from asp_telemetry.endpoint import key_values, otlp_variable, resource_attributes
from asp_telemetry.journal.reader import Record
from asp_telemetry.sinks.otlp_spans import SpanEncoder
from asp_telemetry.sinks.post import NoAnswerError, NotSentError, Poster, Reply
from asp_telemetry.writer.batch import Entry
from asp_telemetry.writer.mirror import Answer, Verdict

_RETRYABLE = frozenset({429, 502, 503, 504})
_DIVISIBLE = frozenset({400, 413})
_LONGEST_AFTER_SECONDS = 3600.0
# More than the fastest level gains a tenth, and takes three times as long from the host's processor.
_COMPRESSION_LEVEL = 1


class OtlpMirror:
    """Feed one OpenTelemetry receiver.

    A batch whose answer was lost is sent again: spans bear the same ids and times each time, and many receivers, not
    all of them, keep one of each.

    Args:
        endpoint: The URL to post to.
        variables: The environment, for headers, certificate, compression and what the service is called.
    """

    name = "otlp"
    max_records = 512
    max_bytes = 1024 * 1024

    def __init__(self, endpoint: str, variables: Mapping[str, str]) -> None:
        self._poster = Poster(endpoint, ca_file=otlp_variable("CERTIFICATE", variables))
        self._compresses = otlp_variable("COMPRESSION", variables) != "none"
        self._headers = {
            **key_values(otlp_variable("HEADERS", variables)),
            "Content-Type": "application/x-protobuf",
            "User-Agent": "asp-telemetry",
        }
        if self._compresses:
            self._headers["Content-Encoding"] = "gzip"
        self._resource = Resource(
            attributes=[
                KeyValue(key=key, value=AnyValue(string_value=value))
                for key, value in resource_attributes(variables).items()
            ]
        )
        self._scope = ScopeSpans(scope=InstrumentationScope(name="asp_telemetry")).SerializeToString()
        self._encoder = SpanEncoder()

    def encode(self, record: Record, entry: Entry) -> bytes | None:
        """Encode a finished execution; of all else OpenTelemetry's traces have nothing to say."""
        return self._encoder.encode(record, entry)

    async def send(self, batch: Sequence[bytes], *, doubtful: bool) -> Verdict:
        """Post a batch once."""
        del doubtful  # nobody can be asked what has arrived
        body = self._request(batch)
        try:
            reply = await self._poster.post(self._headers, body)
        except NotSentError as error:
            return Verdict(Answer.RETRY, str(error))
        except NoAnswerError as error:
            return Verdict(Answer.AMBIGUOUS, str(error))
        return _judged(reply, len(batch))

    def _request(self, batch: Sequence[bytes]) -> bytes:
        spans = ScopeSpans.FromString(self._scope + b"".join(batch))
        request = ExportTraceServiceRequest(
            resource_spans=[ResourceSpans(resource=self._resource, scope_spans=[spans])]
        ).SerializeToString()
        return gzip.compress(request, _COMPRESSION_LEVEL, mtime=0) if self._compresses else request

    async def close(self) -> None:
        """Do nothing: every batch has a connection of its own."""

    def thread_idents(self) -> set[int]:
        """Return the threads that look up the receiver's name just now."""
        return self._poster.thread_idents()


def _judged(reply: Reply, count: int) -> Verdict:
    status = reply.status
    if 200 <= status < 300:
        rejected, why = _partly_rejected(reply)
        return Verdict(Answer.OK, f"HTTP {status}{why}", rejected=min(rejected, count))
    if status in _RETRYABLE:
        return Verdict(Answer.RETRY, f"HTTP {status}", after=_retry_after(reply.headers.get("retry-after")))
    return Verdict(Answer.REJECT, f"HTTP {status}", divisible=status in _DIVISIBLE)


def _partly_rejected(reply: Reply) -> tuple[int, str]:
    if "protobuf" not in reply.headers.get("content-type", ""):
        return 0, ""
    try:
        partial = ExportTraceServiceResponse.FromString(reply.body).partial_success
    except DecodeError:
        return 0, ""
    if not partial.rejected_spans:
        return 0, ""
    return max(
        partial.rejected_spans, 0
    ), f", {partial.rejected_spans} rejected: {partial.error_message[:200]}"


def _retry_after(value: str | None) -> float | None:
    """Read `Retry-After`, a number of seconds or a date (RFC 9110, 10.2.3); at most an hour.

    Example:
        >>> _retry_after("7"), _retry_after(None)
        (7.0, None)
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return None if isnan(seconds) else min(max(seconds, 0.0), _LONGEST_AFTER_SECONDS)
