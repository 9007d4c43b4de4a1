"""Makes of OTLP messages the spans that the OpenTelemetry integration reads; what is wrong with one is told.

The messages: https://github.com/open-telemetry/opentelemetry-proto, `trace/v1/trace.proto`.
"""

from base64 import b64encode
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, Status, StatusCode

_LATEST_NS: Final = 1 << 63
# Far more than the limits of the SDKs: https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-limits
_MOST: Final = 1000
# A resource speaks of all its spans; of this much our rows have something to say.
_OF_RESOURCE: Final = (
    "service.name",
    "service.version",
    "deployment.environment.name",
    "deployment.environment",
    "session.id",
    "user.id",
    "asp.task.id",
    "asp.subtask.id",
    "asp.project.id",
)
_NO_RESOURCE: Final = Resource({})


class SpanError(ValueError):
    """Say what is wrong with a span."""


class Surroundings:
    """Hold what spans of one instrumentation have in common.

    Args:
        resource: The message of what has sent them.
        scope: The message of their instrumentation.
    """

    __slots__ = ("_attributes", "_scope")

    def __init__(self, resource: Any, scope: Any) -> None:
        told = attributes_in(resource.attributes)
        self._attributes: dict[str, Any] = {name: told[name] for name in _OF_RESOURCE if name in told}
        self._scope = InstrumentationScope(scope.name, scope.version)

    def span(self, message: Any) -> ReadableSpan:
        """Make a span.

        Args:
            message: Its message.

        Returns:
            The span, as the SDK would have handed it to an exporter.

        Raises:
            SpanError: If it names no trace, no span or no times.
        """
        trace_id, span_id = message.trace_id, message.span_id
        if len(trace_id) != 16 or not any(trace_id):
            raise SpanError(f"the trace id of a span has {len(trace_id)} bytes; it needs 16, not all zero")
        if len(span_id) != 8 or not any(span_id):
            raise SpanError(f"the id of a span has {len(span_id)} bytes; it needs 8, not all zero")
        parent_id = message.parent_span_id
        if len(parent_id) not in {0, 8}:
            raise SpanError(f"the parent id of a span has {len(parent_id)} bytes; it needs 8, or none")
        started, ended = message.start_time_unix_nano, message.end_time_unix_nano
        if not (0 < started < _LATEST_NS and 0 < ended < _LATEST_NS):
            raise SpanError("a span needs startTimeUnixNano and endTimeUnixNano, in ns since 1970")
        trace = int.from_bytes(trace_id, "big")
        return ReadableSpan(
            message.name,
            context=SpanContext(trace, int.from_bytes(span_id, "big"), is_remote=False),
            parent=SpanContext(trace, int.from_bytes(parent_id, "big"), is_remote=True)
            if any(parent_id)
            else None,
            resource=_NO_RESOURCE,
            attributes={**self._attributes, **attributes_in(message.attributes)},
            events=[
                Event(event.name, attributes_in(event.attributes), event.time_unix_nano)
                for event in _first_and_last(message.events)
            ],
            status=_status(message.status),
            start_time=started,
            end_time=ended,
            instrumentation_scope=self._scope,
        )


def attributes_in(pairs: Iterable[Any]) -> dict[str, Any]:
    """Read attributes.

    Args:
        pairs: Messages of keys and values.

    Returns:
        The values by key, the last where one comes twice; of very many the first.
    """
    return {pair.key: _value(pair.value) for pair in islice(pairs, _MOST)}


def _first_and_last(events: Any) -> Any:
    return events if len(events) <= _MOST else [*events[: _MOST // 2], *events[-_MOST // 2 :]]


def _value(message: Any) -> Any:
    kind = message.WhichOneof("value")
    if kind is None:
        return None
    found = getattr(message, kind)
    if kind == "array_value":
        return [_value(item) for item in found.values]
    if kind == "kvlist_value":
        return attributes_in(found.values)
    return b64encode(found).decode() if kind == "bytes_value" else found


def _status(message: Any) -> Status:
    # Only errors have a description: the API logs a warning where something else has one.
    if message.code == StatusCode.ERROR.value:
        return Status(StatusCode.ERROR, message.message or None)
    return Status(StatusCode.OK if message.code == StatusCode.OK.value else StatusCode.UNSET)
