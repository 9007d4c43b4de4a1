"""Records an OpenTelemetry span that has ended as an execution, with what its attributes tell."""

from typing import TYPE_CHECKING, Any, Final

from asp_telemetry.capture import state
from asp_telemetry.capture.answers.fields import UsageError
from asp_telemetry.capture.content import content, redacted_message
from asp_telemetry.capture.details import Details, add_usage, claim, details_of, disclaim
from asp_telemetry.capture.encoder import clean, identifier, plain
from asp_telemetry.capture.sightings import announce, is_recorded
from asp_telemetry.capture.timed import finish_timed
from asp_telemetry.capture.tools import count_tool_in, execution_of
from asp_telemetry.guard import trouble
from asp_telemetry.integrations.opentelemetry.content import content_of
from asp_telemetry.integrations.opentelemetry.kinds import (
    MODEL_CALLS,
    Attributes,
    attributes_of,
    first_text,
    kind_of,
    site_of,
)
from asp_telemetry.integrations.opentelemetry.tokens import usage_of
from asp_telemetry.integrations.opentelemetry.tree import COUNTED, COUNTED_BEYOND, NOT_COUNTED, Node
from asp_telemetry.journal.layout import SITE, Status

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_MARK: Final = "opentelemetry"
_ERROR: Final = 2  # opentelemetry.trace.StatusCode.ERROR
_STREAMED: Final = ("gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming")
_FIRST_CHUNK: Final = (
    "First Token Stream Event",
    "gen_ai.content.completion.chunk",
    "llm.content.completion.chunk",
)
_KEPT: Final = {
    "gen_ai.response.id": "response_id",
    "gen_ai.response.finish_reasons": "finish_reasons",
    "gen_ai.tool.call.id": "tool_call_id",
    "gen_ai.agent.id": "agent_id",
    "gen_ai.operation.name": "operation",
    "service.name": "service",
    "llm.finish_reason": "finish_reason",
    "tool.id": "tool_call_id",
}


def record(node: Node, span: "ReadableSpan") -> int:
    """Record a span that has ended, if it is one of a model, an agent or a tool.

    Args:
        node: Where it stands.
        span: The span.

    Returns:
        Whether a model call in it, or it itself, has been counted; what is around it has been told.
    """
    attributes = attributes_of(span)
    kind = kind_of(attributes)
    if kind is None and node.frame is not None:
        kind = node.frame[SITE].kind  # executions inside are under it already
    inside = node.counted
    if kind == "tool" and _is_same_tool(node, span, attributes):
        kind = "span"  # counted where it was called
    if kind is not None:
        frame = node.place(kind, span, attributes)
        details = details_of(frame)
        if kind == "tool":
            _count_tool(node)
        inside = max(inside, _count(node, frame, details, kind, attributes))
        _describe(details, node, span, attributes)
        duration = (span.end_time or 0) - (span.start_time or 0)
        node.kept = finish_timed(frame, _status(span, details, attributes), duration)
        if not node.kept:
            disclaim(frame, details.usage)
        if inside == COUNTED and kind in {"tool", "agent"}:
            inside = COUNTED_BEYOND
    if node.around is not None:
        node.around.counted = max(node.around.counted, inside)
    return inside


def _count(node: Node, frame: state.SpanList, details: Details, kind: str, attributes: Attributes) -> int:
    """Count the call that a span tells of, unless somebody has; return whether it has been counted by anybody."""
    if node.counted == COUNTED or (node.counted and kind not in MODEL_CALLS):
        return NOT_COUNTED  # a wrapper, or an agent that adds up what the calls inside have told
    try:
        usage = usage_of(attributes, frame[SITE].facts["provider"])
    except UsageError as error:
        trouble("a span's usage could not be read", error)
        return NOT_COUNTED
    if _is_streamed(attributes):
        details.source = "missing" if usage is None else "provider"
    if usage is None:
        return NOT_COUNTED
    if is_recorded(node.own, usage):
        claim(frame, usage, None)  # what returns the answer later must not count it either
        details.metadata = {"usage": "counted where it was recorded"}
        return COUNTED
    add_usage(frame, usage, None, explicit=False)
    if details.usage is None:
        details.metadata = {"usage": "counted where it was recorded"}
    else:
        announce(node.own, usage, details_of)
    return COUNTED


def _count_tool(node: Node) -> None:
    """Let the agent around a tool know of its call, so that the answer which asked for it does not count it again."""
    around = node.execution_around()
    outer = None if around is None else execution_of(around)
    if outer is not None:
        count_tool_in(outer)


def _is_same_tool(node: Node, span: "ReadableSpan", attributes: Attributes) -> bool:
    """Tell whether a call of a tool stands directly in a call of that tool: a framework's, or our decorator's."""
    around = node.execution_around()
    site = None if around is None else around[SITE]
    return (
        site is not None and site.kind == "tool" and site.name == site_of("tool", span.name, attributes).name
    )


def _describe(details: Details, node: Node, span: "ReadableSpan", attributes: Attributes) -> None:
    """Note which span it was, what has no column, and the content if it is wanted."""
    (trace_id, span_id), scope = node.key, span.instrumentation_scope
    link: dict[str, Any] = {
        "trace_id": f"{trace_id:032x}",
        "span_id": f"{span_id:016x}",
        **(details.metadata or {}),
    }
    if scope is not None:
        link["instrumentation"] = identifier(scope.name)
    for name, short in _KEPT.items():
        value = attributes.get(name)
        if value is not None:
            link[short] = plain(value)
    details.metadata = {_MARK: link}
    first = _first_chunk(span, attributes)
    if first is not None:
        details.first_token_ns = first
    if state.capture_content:
        given, returned = content_of(attributes)
        if given is not None:
            details.input = content(given)
        if returned is not None:
            details.output = content(returned)


def _is_streamed(attributes: Attributes) -> bool:
    return any(attributes.get(name) is True for name in _STREAMED)


def _first_chunk(span: "ReadableSpan", attributes: Attributes) -> int | None:
    """Tell how long the first chunk took, in ns."""
    seconds = attributes.get("gen_ai.response.time_to_first_chunk")
    if isinstance(seconds, (int, float)) and 0 <= seconds < 1e6:
        return int(seconds * 1_000_000_000)
    for event in span.events:
        if event.name in _FIRST_CHUNK:
            return max(event.timestamp - (span.start_time or 0), 0)
    return None


def _status(span: "ReadableSpan", details: Details, attributes: Attributes) -> Status:
    """Tell how a span ended, and note its error."""
    kind = first_text(attributes, ("error.type",))
    if span.status.status_code.value != _ERROR and kind is None:
        return Status.SUCCESS
    message = span.status.description or ""
    for event in span.events:
        if event.name == "exception":
            raised: Attributes = event.attributes or {}
            kind = kind or first_text(raised, ("exception.type",))
            message = first_text(raised, ("exception.message",)) or message
    # Some write the class as it prints: <class 'openai.InternalServerError'>.
    name = (kind or "Error").removeprefix("<class '").removesuffix("'>").rpartition(".")[2]
    details.error = (identifier(name), redacted_message(clean(message)))
    if name in {"TimeoutError", "timeout"}:
        return Status.TIMEOUT
    return Status.CANCELLED if name in {"CancelledError", "Cancelled"} else Status.ERROR
