"""Transformations: one agent becomes or calls another; each is one row of `agent_transformation_events`."""

from time import perf_counter_ns, time_ns
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

from asp_telemetry.capture import state
from asp_telemetry.capture.content import content, redacted_message
from asp_telemetry.capture.context import Frame
from asp_telemetry.capture.encoder import clean, identifier, json_size, plain, shown
from asp_telemetry.capture.facts import send
from asp_telemetry.capture.lifecycle import child_frame
from asp_telemetry.capture.redaction import redact
from asp_telemetry.guard import describe, trouble
from asp_telemetry.ids import execution_uuid
from asp_telemetry.journal.layout import FLAGS, SCOPE, Flag, Kind

_UNSAMPLED = int(Flag.UNSAMPLED)
_INSIDE: Final = "transformation"
"""The scope's fact that names the transformation which a block is inside of."""
_MAX_AGENT = 255
_MAX_STRATEGY = 200
_MAX_KEYS = 500
_MAX_SIZE = (1 << 31) - 1


class _Inside(Frame):
    """Let what a block does be inside a transformation, in whatever thread or process it is done."""

    __slots__ = ("_event",)

    def __init__(self, event: str) -> None:
        super().__init__()
        self._event = event

    def made(self, outer: state.SpanList | None) -> state.SpanList:
        scope = state.default_scope if outer is None else outer[SCOPE]
        return child_frame(outer, scope.with_facts(**{_INSIDE: self._event}))


class Transformation:
    """Record one transformation; made by `transformation()`.

    Nothing here raises: what cannot be recorded is counted in `stats()` with its reason.
    """

    __slots__ = ("_clock", "_done", "_facts", "_frame", "_marked", "_span", "_started", "id")

    def __init__(self, source: str | None, target: str) -> None:
        self.id = execution_uuid(time_ns(), state.next_id())
        """The event's id, a UUID: what transformations inside it name as their parent."""
        self._facts: dict[str, Any] = {"target_agent": identifier(target, _MAX_AGENT)}
        if source is not None:
            self._facts["source_agent"] = identifier(source, _MAX_AGENT)
        self._frame: _Inside | None = None
        self._span: state.SpanList | None = None
        self._started = self._clock = self._marked = 0
        self._done = True

    def describe(
        self,
        reason: str | None = None,
        context: Any = None,
        user_request: str | None = None,
        confidence: float | None = None,
        strategy: str | None = None,
        definition_id: str | UUID | None = None,
    ) -> None:
        """Say more about it; what is given is stored, without secrets. The arguments are those of `transformation`."""
        try:
            facts = self._facts
            if reason is not None:
                facts["transformation_reason"] = _text(reason)
            if user_request is not None:
                facts["user_request"] = _text(user_request)
            if strategy is not None:
                facts["routing_strategy"] = identifier(strategy, _MAX_STRATEGY)
            if confidence is not None:
                self._share("routing_confidence", confidence)
            if definition_id is not None:
                facts["agent_definition_id"] = str(UUID(str(definition_id)))
            if context is not None:
                self._take_context(context)
        except Exception as error:
            trouble("a transformation was given something that cannot be stored", error)

    def transformed(self) -> None:
        """Note that the target has taken over: until here it took `transformation_duration_ms`."""
        self._mark("transformation_ns")

    def initialized(self) -> None:
        """Note that the target is ready to work: since it took over, or began, it took `initialization_duration_ms`."""
        self._mark("initialization_ns")

    def quality(self, score: float) -> None:
        """Say how well it went.

        Args:
            score: From 0 to 1.
        """
        self._share("quality_score", score)

    def failed(self, error_type: str, message: str | None = None) -> None:
        """Note that it failed, for a reason that no exception tells.

        Args:
            error_type: Such as `"refused"`.
            message: What happened.
        """
        self._facts["error_type"] = identifier(error_type, 200)
        if message is not None:
            self._facts["error_message"] = redacted_message(clean(message))

    def _take_context(self, context: Any) -> None:
        handed = plain(context)
        if isinstance(handed, dict):
            self._facts["context_keys"] = [identifier(redact(name)) for name in list(handed)[:_MAX_KEYS]]
        self._facts["context_size_bytes"] = min(json_size(context), _MAX_SIZE)
        self._facts["context_snapshot"] = content(context)

    def _mark(self, name: str) -> None:
        if not self._done:
            now = perf_counter_ns()
            self._facts[name], self._marked = now - self._marked, now

    def _share(self, name: str, value: Any) -> None:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = -1.0
        if 0.0 <= number <= 1.0:
            self._facts[name] = number
            return
        trouble(
            "a transformation was given a score outside of 0 to 1",
            remedy=f"{name}={shown(value)} was refused",
        )

    def _begin(self) -> None:
        if not state.enabled:
            return
        self._span = state.get_current()
        scope = state.default_scope if self._span is None else self._span[SCOPE]
        parent = scope.facts.get(_INSIDE)
        if parent is not None:
            self._facts["parent_event_id"] = parent
        self._frame = _Inside(self.id)
        self._frame.__enter__()
        self._started = time_ns()
        self._clock = self._marked = perf_counter_ns()
        self._done = False

    def _end(self, error: BaseException | None) -> None:
        duration = perf_counter_ns() - self._clock
        span, facts = self._span, self._facts
        if span is not None and span[FLAGS] & _UNSAMPLED:
            return  # a trace is left out with everything in it
        if error is not None:
            facts["error_type"] = type(error).__name__
            facts["error_message"] = redacted_message(clean(describe(error)))
        facts["success"] = "error_type" not in facts
        facts["id"], facts["started_ns"], facts["duration_ns"] = self.id, self._started, duration
        send(Kind.TRANSFORMATION, facts, span)

    def __enter__(self) -> Self:
        try:
            self._begin()
        except Exception as error:
            trouble("a transformation could not begin", error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._frame is not None:
                self._frame.__exit__()
                self._frame = None
            if not self._done:
                self._done = True
                self._end(error)
        except Exception as failure:
            trouble("a transformation could not be recorded", failure)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


def transformation(
    source: str | None,
    target: str,
    *,
    reason: str | None = None,
    context: Any = None,
    user_request: str | None = None,
    confidence: float | None = None,
    strategy: str | None = None,
    definition_id: str | UUID | None = None,
) -> Transformation:
    """Record that one agent becomes or calls another, with `with` or `async with`; one inside another names it as parent.

    Args:
        source: Who hands over; None where nobody did.
        target: Who takes over.
        reason: Why.
        context: What is handed over, a mapping as a rule: stored with its names and its size, without secrets.
        user_request: What the user had asked for; stored if it is given, without secrets.
        confidence: How sure the router was, from 0 to 1.
        strategy: How the target was found, such as `"explicit"` or `"learned_pattern"`.
        definition_id: The target's row in `agent_definitions`.

    Returns:
        The transformation; tell it how it went. An exception that leaves the block is its failure.

    Example:
        >>> import asp_telemetry as asp
        >>> with asp.transformation("coordinator", "debugger", reason="a failing test", context={"file": "a.py"}) as x:
        ...     x.quality(0.93)
    """
    found = Transformation(source, target)
    if state.enabled:
        found.describe(reason, context, user_request, confidence, strategy, definition_id)
    return found


def _text(value: Any) -> str | None:
    found = content(str(value))
    return found if isinstance(found, str) or found is None else str(found)
