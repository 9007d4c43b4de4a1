"""Makes one OTLP request out of spans that are encoded already, and reads what its answer says of them.

Wire format: https://github.com/open-telemetry/opentelemetry-proto, `collector/trace/v1/trace_service.proto`.
"""

import gzip
from collections.abc import Iterable, Mapping

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from asp_telemetry.sinks.post import Reply

# More than the fastest level gains a tenth, and takes three times as long from the host's processor.
_COMPRESSION_LEVEL = 1


class SpansRequest:
    """Put spans into requests.

    Args:
        attributes: What is said of the service that they come from.
    """

    def __init__(self, attributes: Mapping[str, str]) -> None:
        self._resource = Resource(
            attributes=[
                KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in attributes.items()
            ]
        )
        self._scope = ScopeSpans(scope=InstrumentationScope(name="asp_telemetry")).SerializeToString()

    def encode(self, spans: Iterable[bytes], *, compress: bool) -> bytes:
        """Return the body of a request.

        Args:
            spans: `ScopeSpans` messages with nothing but spans in them: strung together they make one with all spans
                (https://protobuf.dev/programming-guides/encoding/#last-one-wins).
            compress: Whether to pack it with gzip.
        """
        together = ScopeSpans.FromString(self._scope + b"".join(spans))
        request: bytes = ExportTraceServiceRequest(
            resource_spans=[ResourceSpans(resource=self._resource, scope_spans=[together])]
        ).SerializeToString()
        return gzip.compress(request, _COMPRESSION_LEVEL, mtime=0) if compress else request


def partly_rejected(reply: Reply) -> tuple[int, str]:
    """Return how many spans of a request that was taken were refused all the same, and why, for people."""
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
