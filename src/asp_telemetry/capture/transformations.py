"""Transformations: one agent becomes or calls another; each is one row of `agent_transformation_events`."""

from typing import Any, Final
from uuid import UUID

from asp_telemetry.capture import scores, state
from asp_telemetry.capture.blocks import Block
from asp_telemetry.capture.content import content, content_text, redacted_message
from asp_telemetry.capture.context import Frame
from asp_telemetry.capture.definition import Site
from asp_telemetry.capture.encoder import MAX_TEXT, clean, identifier, json_size, plain
from asp_telemetry.capture.lifecycle import child_frame
from asp_telemetry.capture.redaction import redact
from asp_telemetry.guard import describe, trouble
from asp_telemetry.journal.layout import SCOPE, Kind

_INSIDE: Final = "transformation"
"""The scope's fact that names the transformation which a block is inside of."""
_MAX_AGENT = 255
_MAX_STRATEGY = 200
_MAX_KEYS = 500
_MAX_SIZE = (1 << 31) - 1
_SITE = Site("transformation", "span")


class _Inside(Frame):
    """Let what a block does be inside a transformation, in whatever thread or process it is done."""

    __slots__ = ("_event",)

    def __init__(self, event: str) -> None:
        super().__init__()
        self._event = event

    def made(self, outer: state.SpanList | None) -> state.SpanList:
        scope = state.default_scope if outer is None else outer[SCOPE]
        return child_frame(outer, scope.with_facts(**{_INSIDE: self._event}))


class Transformation(Block):
    """Record one transformation; made by `transformation()`.

    Nothing here raises: what cannot be recorded is counted in `stats()` with its reason. What happens inside names its
    `id` as the parent.
    """

    __slots__ = ("_described", "_frame", "_marked", "_outcome")

    kind = Kind.TRANSFORMATION
    what = "a transformation"

    def __init__(self, source: str | None, target: str) -> None:
        super().__init__()
        self._described: dict[str, Any] = {"target_agent": identifier(target, _MAX_AGENT)}
        if source is not None:
            self._described["source_agent"] = identifier(source, _MAX_AGENT)
        self._outcome: dict[str, Any] = {}
        self._frame: _Inside | None = None
        self._marked = 0

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
            facts = self._described
            if reason is not None:
                facts["transformation_reason"] = content_text(reason)
            if user_request is not None:
                facts["user_request"] = content_text(user_request)
            if strategy is not None:
                facts["routing_strategy"] = identifier(strategy, _MAX_STRATEGY)
            if confidence is not None:
                facts["routing_confidence"] = scores.score("confidence", confidence)
            if definition_id is not None:
                facts["agent_definition_id"] = str(UUID(str(definition_id)))
            if context is not None:
                self._take_context(context)
        except Exception as error:
            trouble("a transformation was given something that cannot be stored", error)

    def transformed(self) -> None:
        """Note that the target has taken over: until here it took `transformation_duration_ms`."""
        self._note("transformed", lambda: self._mark("transformation_ns"))

    def initialized(self) -> None:
        """Note that the target is ready to work: since it took over, or began, it took `initialization_duration_ms`."""
        self._note("initialized", lambda: self._mark("initialization_ns"))

    def quality(self, score: float) -> None:
        """Say how well it went.

        Args:
            score: From 0 to 1.
        """
        self._note("quality", lambda: self._outcome.update(quality_score=scores.score("quality", score)))

    def failed(self, error_type: str, message: str | None = None) -> None:
        """Note that it failed, for a reason that no exception tells.

        Args:
            error_type: Such as `"refused"`.
            message: What happened.
        """

        def fail() -> None:
            self._outcome["error_type"] = identifier(error_type, 200)
            if message is not None:
                self._outcome["error_message"] = redacted_message(identifier(message, MAX_TEXT))

        self._note("failed", fail)

    def _take_context(self, context: Any) -> None:
        handed = plain(context)
        if isinstance(handed, dict):
            self._described["context_keys"] = [identifier(redact(name)) for name in list(handed)[:_MAX_KEYS]]
        self._described["context_size_bytes"] = min(json_size(context), _MAX_SIZE)
        self._described["context_snapshot"] = content(context)

    def _mark(self, name: str) -> None:
        now = self.elapsed()
        self._outcome[name], self._marked = max(now - self._marked, 0), now

    def _site(self) -> Site:
        return _SITE

    def _enter(self, span: state.SpanList) -> None:
        self._outcome = {"parent_event_id": span[SCOPE].facts.get(_INSIDE)}
        self._marked = 0
        self._frame = _Inside(self.id)
        self._frame.__enter__()

    def _leave(self) -> None:
        frame, self._frame = self._frame, None
        if frame is not None:
            frame.__exit__()

    def _facts(self, error: BaseException | None) -> dict[str, Any]:
        facts = self._described | self._outcome
        if error is not None:
            facts["error_type"] = type(error).__name__
            facts["error_message"] = redacted_message(clean(describe(error)))
        return {**facts, "success": "error_type" not in facts}


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
