"""Carries the trace across processes and services, in the headers of W3C Trace Context."""

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, TypeVar, overload

from asp_telemetry.capture import state
from asp_telemetry.capture.context import Frame
from asp_telemetry.capture.definition import Scope
from asp_telemetry.capture.details import Details
from asp_telemetry.guard import note, trouble
from asp_telemetry.ids import execution_uuid
from asp_telemetry.journal.layout import (
    DETAILS,
    FLAGS,
    PARENT,
    SCOPE,
    SPAN_ID,
    TRACE_HIGH,
    TRACE_LOW,
    Flag,
)

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
CORRELATION_ID = "X-Correlation-ID"

_UNSAMPLED = int(Flag.UNSAMPLED)
_LOW_HALF = (1 << 64) - 1
_SAMPLED = 1
_HEX = frozenset("0123456789abcdef")
_MOST_TRACESTATE = 512  # what the specification asks everyone to pass on, at least

Headers = MutableMapping[str, str]
AnyHeaders = Mapping[Any, Any] | Iterable[tuple[Any, Any]]
H = TypeVar("H", bound=Headers)


@overload
def inject() -> dict[str, str]: ...
@overload
def inject(headers: H) -> H: ...
def inject(headers: Any = None) -> Any:
    """Write the current trace into the headers of a request or message, for `extract()` on the other side.

    The format: https://www.w3.org/TR/trace-context/

    Args:
        headers: Any mutable mapping of texts; a new dict if left out. Headers of these names are replaced, whatever
            their case.

    Returns:
        The headers, with `traceparent`, `tracestate` where the trace came with one, and `X-Correlation-ID`, the
        root's id; unchanged where nothing is being tracked.

    Example:
        >>> import asp_telemetry as asp
        >>> with asp.span("calling"):
        ...     sorted(asp.inject())
        ['X-Correlation-ID', 'traceparent']
    """
    carrier: Headers = {} if headers is None else headers
    try:
        span = state.get_current()
        if span is None or not span[SPAN_ID] or not state.enabled:
            return carrier
        flags = 0 if span[FLAGS] & _UNSAMPLED else _SAMPLED
        high, low = span[TRACE_HIGH], span[TRACE_LOW]
        written = {
            TRACEPARENT: f"00-{high:016x}{low:016x}-{span[SPAN_ID]:016x}-{flags:02x}",
            CORRELATION_ID: execution_uuid(high, low),
        }
        tracestate = tracestate_of(span)
        if tracestate:
            written[TRACESTATE] = tracestate
        lowered = {name.lower() for name in (*written, TRACESTATE)}
        for name in [name for name in carrier if name.lower() in lowered]:
            del carrier[name]
        for name, value in written.items():
            carrier[name] = value
    except Exception as error:
        trouble("the trace could not be written into headers", error)
    return carrier


def tracestate_of(span: state.SpanList | None) -> str | None:
    """Return what other tracing systems sent along with the trace that a span continues, if anything."""
    while span is not None:
        details: Details | None = span[DETAILS]
        if details is not None and details.tracestate is not None:
            return details.tracestate
        span = span[PARENT]
    return None


class Extract(Frame):
    """Continue a caller's trace; made by `extract()`."""

    __slots__ = ("_headers", "_sampled")

    def __init__(self, headers: AnyHeaders, sampled: bool | None) -> None:
        super().__init__()
        self._headers = headers
        self._sampled = sampled

    def made(self, outer: state.SpanList | None) -> state.SpanList | None:
        """Make the stand-in for the caller's span; None if the headers name none."""
        try:
            parents, states = _found(self._headers)
        except Exception as error:
            note("headers could not be read", error, "a trace of its own begins")
            return None
        if not parents:
            return None
        parent = parse_traceparent(parents[0]) if len(parents) == 1 else None
        if parent is None:
            # Not `trouble`: what strangers send must not raise, however strict the tests are.
            note("a traceparent header was malformed", remedy="a trace of its own begins")
            return None
        trace_id, span_id, sampled = parent
        scope = state.default_scope if outer is None else outer[SCOPE]
        tracestate = ",".join(states) if len(",".join(states)) <= _MOST_TRACESTATE else None
        sampled = sampled if self._sampled is None else self._sampled
        return foreign_frame(
            trace_id, span_id, scope, 0 if sampled else _UNSAMPLED, tracestate=tracestate, outer=outer
        )


def extract(headers: AnyHeaders, *, sampled: bool | None = None) -> Extract:
    """Continue the trace that a caller has written into headers, with `with` or `async with`.

    What is tracked inside belongs to the caller's trace: its parent is the caller's span. Whether the trace is recorded
    the caller has decided, whatever the sample rate here, so that a tree is kept or left out as a whole.
    Without a `traceparent`, or with a malformed one, which is counted, nothing is continued. Task, user and session are
    not in the headers: say them here, too, by an argument `task_id` and `context()`, else a task's sums lack what is
    spent here.

    Args:
        headers: A mapping or pairs; names in any case, also as WSGI has them; texts or bytes.
        sampled: Whether to record the trace, against what the caller says: for callers that sample for themselves.

    Returns:
        A context manager.

    Example:
        >>> import asp_telemetry as asp
        >>> headers = {"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
        >>> with asp.extract(headers), asp.span("answering") as s:
        ...     s.root_id
        '0af76519-16cd-43dd-8448-eb211c80319c'
    """
    return Extract(headers, sampled)


def foreign_frame(
    trace_id: int,
    span_id: int,
    scope: Scope,
    flags: int,
    *,
    agent: Any = None,
    tracestate: str | None = None,
    outer: state.SpanList | None = None,
) -> state.SpanList:
    """Make the stand-in for a span of another process: a parent for what follows, never written itself.

    Args:
        trace_id: 128 bits.
        span_id: 64 bits.
        scope: What it belongs to.
        flags: `UNSAMPLED`, and what else its children inherit.
        agent: The site of the agent it is or runs in, if any.
        tracestate: What other tracing systems sent along.
        outer: What surrounds it here.
    """
    details = None
    if tracestate:
        details = Details()
        details.tracestate = tracestate
    return [
        trace_id >> 64, trace_id & _LOW_HALF, span_id, 0, None, scope, agent, 1, flags, 0, 0, outer, details, 0, 0,
    ]  # fmt: skip


def parse_traceparent(value: str) -> tuple[int, int, bool] | None:
    """Read a `traceparent`: trace id, span id, and whether the caller records; None if it is malformed.

    Example:
        >>> parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
        (14576827793038113322513871894673895836, 13235353014750950193, False)
    """
    parts = value.strip(" \t").split("-")
    if len(parts) < 4 or [len(part) for part in parts[:4]] != [2, 32, 16, 2]:
        return None
    version, trace_id, span_id, flags = parts[:4]
    if version == "ff" or (version == "00" and len(parts) > 4) or not _HEX.issuperset("".join(parts[:4])):
        return None
    trace, span = int(trace_id, 16), int(span_id, 16)
    return (trace, span, bool(int(flags, 16) & _SAMPLED)) if trace and span else None


def _found(headers: AnyHeaders) -> tuple[list[str], list[str]]:
    """Return the values of `traceparent` and of `tracestate`, in their order."""
    found: dict[str, list[str]] = {TRACEPARENT: [], TRACESTATE: []}
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    for name, value in pairs:
        values = found.get(_text(name).lower().removeprefix("http_"))
        if values is not None:
            values.append(_text(value))
    return found[TRACEPARENT], found[TRACESTATE]


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, (bytes, bytearray)) else str(value)
