"""Knows where each open OpenTelemetry span stands: under which of our executions, and under which other span.

A span's execution belongs to whatever began last around it: the execution of ours that was current when it began, or
the OpenTelemetry span that is its parent. Spans that are none of ours (HTTP, databases) are passed through.
"""

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from asp_telemetry.capture import state
from asp_telemetry.capture.definition import Scope, site_for
from asp_telemetry.capture.encoder import identifier
from asp_telemetry.capture.timed import begin_timed
from asp_telemetry.integrations.opentelemetry.kinds import (
    Attributes,
    attributes_of,
    first_text,
    kind_of,
    may_become_one,
    site_of,
)
from asp_telemetry.journal.layout import SCOPE, SITE, SPAN_ID, STARTED

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

Key = tuple[int, int]
"""A trace id and a span id."""

NOT_COUNTED: Final = 0
COUNTED_BEYOND: Final = 1
"""A model call inside has been counted, but in a tool or agent between, whose call it is."""
COUNTED: Final = 2
"""A model call inside has been counted: usage that is told again further out is the same."""

_LOW: Final = (1 << 64) - 1
_MOST_SCOPES: Final = 1024
# What an execution belongs to, and which attributes name it. Those beginning with `asp.` are what our own spans bear.
_FACTS: Final = {
    "session_id": (
        "gen_ai.conversation.id",
        "session.id",
        "traceloop.association.properties.session_id",
        "langfuse.session.id",
    ),
    "user_id": ("user.id", "enduser.id", "traceloop.association.properties.user_id", "langfuse.user.id"),
    "task_id": ("asp.task.id",),
    "subtask_id": ("asp.subtask.id",),
    "project_id": ("asp.project.id",),
    "environment": ("deployment.environment.name", "deployment.environment"),
    "release": ("service.version",),
}


class Node:
    """Hold what is known of one OpenTelemetry span.

    Attributes:
        own: What was current of ours when it began.
        around: The node of its parent, if that was seen.
        frame: Its execution, once it is known to be one.
        counted: Whether a model call inside has been counted.
        kept: Whether the journal has kept its execution, if it is one.
    """

    __slots__ = (
        "around", "counted", "frame", "kept", "key", "own", "remote_parent", "span", "surroundings"
    )  # fmt: skip

    def __init__(self, span: "ReadableSpan", around: "Node | None", own: state.SpanList | None) -> None:
        self.span: ReadableSpan | None = span
        self.key = key_of(span.get_span_context())
        self.around = around
        self.own = own
        self.frame: state.SpanList | None = None
        self.surroundings: state.SpanList | None = None
        self.counted = NOT_COUNTED
        self.kept = True
        self.remote_parent = 0

    def execution(self) -> state.SpanList | None:
        """Return the span's own execution or, if it is none, the one around it."""
        if self.frame is None and self.span is not None:
            attributes = attributes_of(self.span)
            scope = self.span.instrumentation_scope
            kind = kind_of(attributes)
            if kind is None and scope is not None and may_become_one(scope.name):
                kind = "span"
            if kind is not None:
                self.place(kind, self.span, attributes)
        return self.execution_around() if self.frame is None else self.frame

    def execution_around(self) -> state.SpanList | None:
        """Return the execution around the span, which stays the same once somebody has asked."""
        if self.surroundings is None:
            self.surroundings = self._find_around()
        return self.surroundings

    def _find_around(self) -> state.SpanList | None:
        own = self.own
        outer = None if self.around is None else self.around.execution()
        if own is None or not own[SPAN_ID]:
            return outer
        if outer is None or own[SPAN_ID] == outer[SPAN_ID] or own[STARTED] > outer[STARTED]:
            return own
        return outer

    def place(self, kind: str, span: "ReadableSpan", attributes: Attributes) -> state.SpanList:
        """Make the span's execution, or bring what it is up to date.

        Args:
            kind: Which kind it is.
            span: The span as it is now.
            attributes: Its attributes as they are now.

        Returns:
            The execution.
        """
        site = site_for(*site_of(kind, span.name, attributes))
        frame = self.frame
        if frame is not None and frame[SITE] is site:
            return frame
        trace_id, span_id = self.key
        around = self.execution_around()
        begun = begin_timed(
            site,
            around,
            trace=(trace_id >> 64, trace_id & _LOW),
            span_id=span_id,
            started=span.start_time or 0,
            scope=self._scope(around, attributes),
            remote_parent=self.remote_parent,
        )
        if frame is None:
            frame = self.frame = begun
        else:
            frame[:] = begun  # executions inside refer to it already
        return frame

    def _scope(self, around: state.SpanList | None, attributes: Attributes) -> Scope:
        own, outer = self.own, None if self.around is None else self.around.own
        scope: Scope = state.default_scope if around is None else around[SCOPE]
        if own is not None and own is not outer:
            scope = own[SCOPE]  # what context() has set since the parent began
        return _with_facts(scope, attributes)


_scopes: dict[tuple[Any, ...], Scope] = {}


def _with_facts(scope: Scope, attributes: Attributes) -> Scope:
    """Add the conversation, user, task and so on that a span names, where nobody has set others further out."""
    known = scope.facts
    named = {}
    for fact, names in _FACTS.items():
        value = None if known.get(fact) else first_text(attributes, names)
        if value is not None:
            named[fact] = identifier(value)
    if not named:
        return scope
    key = (scope, *named.items())
    found = _scopes.get(key)
    if found is None:
        found = scope.with_facts(**named)
        if len(_scopes) >= _MOST_SCOPES:
            _scopes.clear()
        _scopes[key] = found
    return found


def key_of(context: "SpanContext | None") -> Key:
    """Return the ids of a span.

    Args:
        context: The span's context, or that of its parent; every span has one, whatever its type says.

    Returns:
        Trace id and span id.
    """
    return (0, 0) if context is None else (context.trace_id, context.span_id)


class Bounded(OrderedDict[Key, Any]):
    """Keep the newest entries only, so that spans which never end cannot fill the memory."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def __setitem__(self, key: Key, value: Any) -> None:
        """Add an entry, and let go of the oldest when there are too many."""
        super().__setitem__(key, value)
        if len(self) > self._limit:
            self.popitem(last=False)
