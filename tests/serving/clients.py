"""Sends OTLP requests by hand, and makes the spans that are in them."""

import http.client
import json
from itertools import count
from typing import Any, NamedTuple

from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

PROTOBUF, JSON = "application/x-protobuf", "application/json"
START = 1_790_000_000_000_000_000
SECOND = 1_000_000_000

_numbers = count(1)


class Reply(NamedTuple):
    """Be an answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def partial(self) -> tuple[int, str]:
        """Return how many spans were refused, and why."""
        if self.headers["content-type"] == JSON:
            partly = json.loads(self.body).get("partialSuccess", {})
            return int(partly.get("rejectedSpans", 0)), partly.get("errorMessage", "")
        found = ExportTraceServiceResponse.FromString(self.body).partial_success
        return found.rejected_spans, found.error_message

    def error(self) -> tuple[int, str]:
        """Return the code and the message of a failure."""
        if self.headers["content-type"] == JSON:
            found = json.loads(self.body)
            return found["code"], found["message"]
        status = Status.FromString(self.body)
        return status.code, status.message


class Client:
    """Post to a server on loopback, each time on a new connection."""

    def __init__(self, port: int) -> None:
        self.port = port

    def post(
        self,
        body: bytes,
        kind: str = PROTOBUF,
        *,
        path: str = "/v1/traces",
        method: str = "POST",
        **headers: str,
    ) -> Reply:
        """Send one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Content-Type": kind, **named})
        answer = connection.getresponse()
        found = Reply(
            answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        )
        connection.close()
        return found

    def send(self, *spans: Span, **headers: str) -> Reply:
        """Send spans as protobuf."""
        return self.post(request(*spans).SerializeToString(), **headers)


def value(item: Any) -> AnyValue:
    """Write a value as OTLP does."""
    kinds = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}
    return AnyValue(**{kinds[type(item)]: item})


def pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    """Write attributes as OTLP does."""
    return [KeyValue(key=key, value=value(item)) for key, item in attributes.items()]


def span(
    trace: int | None = None, parent: Span | None = None, *, seconds: float = 0.25, **values: Any
) -> Span:
    """Make the span of one model call: 1200 tokens in and 80 out, for 0.000228 USD."""
    number = next(_numbers)
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.provider.name": "openai",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 80,
    }
    return Span(
        **{
            "trace_id": ((trace or number) << 64 | number).to_bytes(16, "big") if parent is None else parent.trace_id,
            "span_id": number.to_bytes(8, "big"),
            "parent_span_id": b"" if parent is None else parent.span_id,
            "name": "chat gpt-4o-mini",
            "start_time_unix_nano": START,
            "end_time_unix_nano": START + int(seconds * SECOND),
            **values,
            "attributes": pairs(values.get("attributes", attributes)),
        }
    )  # fmt: skip


def agent(name: str = "Planner", **values: Any) -> Span:
    """Make the span of an agent."""
    attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
    return span(name=f"invoke_agent {name}", attributes=attributes, seconds=2, **values)


def request(*spans: Span, **resource: Any) -> ExportTraceServiceRequest:
    """Make a request of spans; the resource's attributes have `_` for `.`."""
    named = {name.replace("_", "."): item for name, item in resource.items()}
    group = ResourceSpans(
        resource=Resource(attributes=pairs(named)),
        scope_spans=[ScopeSpans(scope=InstrumentationScope(name="tests"), spans=spans)],
    )
    return ExportTraceServiceRequest(resource_spans=[group])
