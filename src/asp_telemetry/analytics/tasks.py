"""Questions about tasks: what they were thought to take against what they took, and what a success costs."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Unpack

from asp_telemetry.analytics.asking import Questions, question
from asp_telemetry.analytics.filters import TaskWorkFilter
from asp_telemetry.analytics.rows import Rows, Usd, each, set_derived, share

_STEP: Final = Decimal("1E-10")


class TaskFilter(TaskWorkFilter, total=False):
    """Narrow a list of tasks; a time is that of their creation.

    Attributes:
        status: pending, in_progress, completed or failed.
        task_type: The type that the application gave.
        limit: How many at most, the newest; 100 when left out.
    """

    status: str | None
    task_type: str | None
    limit: int | None


@dataclass(frozen=True)
class Task:
    """Be a task with what was estimated and what it took.

    Attributes:
        estimated: The estimated cost vector as it was recorded.
        actual: The actual cost vector as it was recorded: the sums of the task's metrics.
        estimated_latency_ms: In ms, like `actual_latency_ms`; None where it is no number, as for all that follow.
        estimated_tokens: Input and output, like `actual_tokens`.
        estimated_cost_usd: In USD, like `actual_cost_usd`.
        latency_error: (actual - estimated) / estimated: 0.25 is a quarter longer than estimated.
        tokens_error: The same for the tokens.
        cost_error: The same for the cost.
        complexity_error: The same for the complexity.
        defect_density: Defects for each unit of actual, else estimated, complexity.
    """

    task_id: str
    project_id: str | None
    task_type: str | None
    description: str | None
    user_id: str | None
    status: str
    bootstrap_phase: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    estimated_complexity: int | None
    actual_complexity: int | None
    estimated: dict[str, Any] | None
    actual: dict[str, Any] | None
    defect_count: int | None
    human_reviewed: bool | None
    estimated_latency_ms: float | None = field(init=False)
    actual_latency_ms: float | None = field(init=False)
    estimated_tokens: float | None = field(init=False)
    actual_tokens: float | None = field(init=False)
    estimated_cost_usd: Decimal | None = field(init=False)
    actual_cost_usd: Decimal | None = field(init=False)
    latency_error: float | None = field(init=False)
    tokens_error: float | None = field(init=False)
    cost_error: float | None = field(init=False)
    complexity_error: float | None = field(init=False)
    defect_density: float | None = field(init=False)

    def __post_init__(self) -> None:
        """Take the figures out of the vectors, and compare them."""
        thought, took = self.estimated, self.actual
        latencies = figure_of(thought, "latency_ms"), figure_of(took, "latency_ms")
        tokens = figure_of(thought, "tokens"), figure_of(took, "tokens")
        costs = figure_of(thought, "api_cost_usd"), figure_of(took, "api_cost_usd")
        complexity = self.estimated_complexity if self.actual_complexity is None else self.actual_complexity
        set_derived(
            self,
            estimated_latency_ms=latencies[0],
            actual_latency_ms=latencies[1],
            estimated_tokens=tokens[0],
            actual_tokens=tokens[1],
            estimated_cost_usd=_usd(costs[0]),
            actual_cost_usd=_usd(costs[1]),
            latency_error=_error(*latencies),
            tokens_error=_error(*tokens),
            cost_error=_error(*costs),
            complexity_error=_error(self.estimated_complexity, self.actual_complexity),
            defect_density=share(self.defect_count, complexity),
        )


@dataclass(frozen=True)
class TaskCost:
    """Be what successful tasks of a project and type cost, failed ones included.

    Attributes:
        tasks: Those that have ended, completed or failed.
        successes: Those that were completed.
        priced: Those of which a cost is known.
        cost_usd: What all of them cost in USD, whenever it was spent; None where no cost is known.
        success_rate: Part that was completed, from 0 to 1.
        cost_per_success_usd: The cost of all of them for each completed one, in USD; None if none was.
    """

    project_id: str | None
    task_type: str | None
    tasks: int
    successes: int
    priced: int
    cost_usd: Usd | None
    success_rate: float | None = field(init=False)
    cost_per_success_usd: Decimal | None = field(init=False)

    def __post_init__(self) -> None:
        """Work out the rate and the cost of a success."""
        set_derived(
            self,
            success_rate=share(self.successes, self.tasks),
            cost_per_success_usd=each(self.cost_usd, self.successes),
        )


class TaskQuestions(Questions):
    """Ask what tasks were thought to take, and what they took."""

    @question
    async def tasks(self, **filters: Unpack[TaskFilter]) -> Rows[Task]:
        """Return tasks with estimate against actual, the newest first."""
        return await self._ask("tasks.list", Task, filters)

    @question
    async def cost_per_successful_task(self, **filters: Unpack[TaskWorkFilter]) -> Rows[TaskCost]:
        """Return what a successful task costs, by project and type; a time is that of the task's end."""
        return await self._ask("tasks.cost_per_success", TaskCost, filters)


def figure_of(vector: Any, name: str) -> float | None:
    """Return a figure out of a cost vector, which applications write as they like.

    Args:
        vector: The vector as it is stored: a dict, or anything else.
        name: The key of the figure.

    Returns:
        The figure in the unit that its name says; None where the vector has no such number.
    """
    value = vector.get(name) if isinstance(vector, dict) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _usd(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(repr(value)).quantize(_STEP)


def _error(thought: float | None, took: float | None) -> float | None:
    return None if thought is None or took is None or thought <= 0 else (took - thought) / thought
