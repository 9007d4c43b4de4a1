"""What happens within an execution beside calls: routing decisions, hooks, endpoint calls, transformations."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Routing:
    """Be one decision of a router, and how it turned out where that is known; scores from 0 to 1, durations in ms."""

    id: str
    execution_id: str
    user_request: str
    selected_agent: str | None
    selection_reason: str | None
    confidence_total: float
    confidence_trigger: float | None
    confidence_context: float | None
    confidence_capability: float | None
    confidence_historical: float | None
    alternatives: Any
    routing_strategy: str | None
    cache_hit: bool | None
    duration_ms: float
    decided_at: datetime
    actual_success: bool | None = None
    actual_quality: float | None = None
    prediction_error: float | None = None

    @property
    def started_at(self) -> datetime:
        """When the router began; what it called to decide comes behind."""
        return self.decided_at - timedelta(milliseconds=self.duration_ms)


@dataclass(frozen=True, slots=True)
class Hook:
    """Be one run of a hook; `gates` are those it found passed, `gathered` what it has run, `parent_id` the hook around."""

    id: str
    execution_id: str
    hook_type: str
    tool_name: str | None
    hook_script: str | None
    started_at: datetime
    completed_at: datetime | None
    duration_ms: float | None
    status: str
    gates: list[Any] | None
    gathered: list[Any] | None
    error_message: str | None
    parent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Be one call of a service; `status` is that of HTTP, `hook_id` the hook that it was made in."""

    id: str
    execution_id: str
    service: str
    method: str
    path: str
    status: int | None
    success: bool
    started_at: datetime
    completed_at: datetime | None
    duration_ms: float | None
    retries: int | None
    error_type: str | None
    error_message: str | None
    hook_id: str | None = None


@dataclass(frozen=True, slots=True)
class Transformation:
    """Be one event of an agent becoming or calling another; `quality_score` from 0 to 1."""

    id: str
    execution_id: str
    event_type: str
    source_agent: str | None
    target_agent: str
    reason: str | None
    parent_event_id: str | None
    quality_score: float | None
    success: bool | None
    started_at: datetime
    completed_at: datetime | None
    duration_ms: float | None
    error_type: str | None
    error_message: str | None


Event: TypeAlias = Routing | Hook | Endpoint | Transformation


def described(event: Event) -> tuple[str, str, str | None]:
    """Tell people of an event: what it was, what it concerned, and how it ended.

    Args:
        event: The event.
    """
    if isinstance(event, Routing):
        return "routing", f"to {event.selected_agent or 'nobody'} ({event.confidence_total:.2f})", None
    if isinstance(event, Hook):
        tool = f" {event.tool_name}" if event.tool_name else ""
        return "hook", f"{event.hook_type}{tool}", event.status
    if isinstance(event, Endpoint):
        # A call that got no answer has no status, and has failed all the same.
        failure = None if event.success else event.error_type or "error"
        status = failure if event.status is None else str(event.status)
        return "endpoint", f"{event.service} {event.method} {event.path}", status
    result = None if event.success is None else "success" if event.success else "error"
    return "transformation", f"{event.source_agent or '?'} to {event.target_agent}", result
