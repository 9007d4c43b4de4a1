"""An execution as a trace shows it: what was recorded of it, what it took by itself, and what with all inside it."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

from asp_telemetry.analytics.events import Event

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Figures:
    """Add up what executions took.

    Attributes:
        executions: How many there were.
        errors: How many of them failed or ran into a time limit.
        cost_usd: Their cost in USD.
        tokens_in: Input tokens, cached ones included.
        tokens_out: Output tokens, those of reasoning included.
        tool_calls: Calls of tools.
        retries: Repeated attempts.
    """

    executions: int = 0
    errors: int = 0
    cost_usd: Decimal = _ZERO
    tokens_in: int = 0
    tokens_out: int = 0
    tool_calls: int = 0
    retries: int = 0

    def __add__(self, other: "Figures") -> "Figures":
        """Add the figures of others."""
        return Figures(
            self.executions + other.executions,
            self.errors + other.errors,
            self.cost_usd + other.cost_usd,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.tool_calls + other.tool_calls,
            self.retries + other.retries,
        )


@dataclass(frozen=True, slots=True)
class Metric:
    """Be one measure of an execution, as `agent_cost_vector` has it."""

    execution_id: str
    type: str
    value: Decimal
    unit: str
    model: str | None
    provider: str | None


@dataclass(frozen=True, slots=True)
class Execution:
    """Be one row of `execution_traces`; durations are in ms, times in UTC."""

    id: str
    root_id: str
    parent_id: str | None
    kind: str | None
    name: str
    agent_role: str | None
    task_id: str | None
    subtask_id: str | None
    iteration: int | None
    session_id: str
    user_id: str | None
    environment: str | None
    release: str | None
    source: str
    started_at: datetime
    completed_at: datetime | None
    duration_ms: float | None
    status: str
    error_type: str | None
    error_message: str | None
    context: dict[str, Any] | None
    tags: list[str] | None
    usage: dict[str, Any] | None
    input: Any
    output: Any
    prompt_text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedExecution(Execution):
    """Be an execution in its trace.

    Attributes:
        metrics: What was measured of it.
        events: Routing decisions, hooks, endpoint calls and transformations within it, in order.
        children: The executions that it has called, in the order of their start.
        own: What it took by itself.
        subtree: What it took with all executions inside it.
        own_ms: The part of its time, in ms, in which none of its children was running.
    """

    metrics: tuple[Metric, ...] = ()
    events: tuple[Event, ...] = ()
    # A tree may be deeper than Python's own stack: its text stops here.
    children: tuple["TracedExecution", ...] = field(default=(), repr=False)
    own: Figures = field(default_factory=Figures)
    subtree: Figures = field(default_factory=Figures)
    own_ms: float = 0.0

    @property
    def inside(self) -> list["TracedExecution | Event"]:
        """Its children and events, in the order of their start."""
        return sorted([*self.events, *self.children], key=attrgetter("started_at"))


_FAILED: Final = frozenset({"error", "timeout"})


def figures_of(execution: Execution, metrics: tuple[Metric, ...]) -> Figures:
    """Return what an execution took by itself.

    Args:
        execution: The execution.
        metrics: Its own metrics.
    """
    sums: dict[str, Decimal] = {}
    for metric in metrics:
        sums[metric.type] = sums.get(metric.type, _ZERO) + metric.value
    return Figures(
        1,
        int(execution.status in _FAILED),
        sums.get("API_Cost", _ZERO),
        int(sums.get("Tokens_In", 0)),
        int(sums.get("Tokens_Out", 0)),
        int(sums.get("Tool_Calls", 0)),
        int(sums.get("Retries", 0)),
    )
