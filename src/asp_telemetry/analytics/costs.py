"""Questions about what work costs: by agent role, model, project, user and day."""

from dataclasses import dataclass, field
from datetime import date
from typing import Unpack

from asp_telemetry.analytics.asking import Questions, question
from asp_telemetry.analytics.filters import CostFilter
from asp_telemetry.analytics.rows import Rows, SummedMilliseconds, Usd, set_derived, share


@dataclass(frozen=True)
class Spending:
    """Add up what was spent.

    Attributes:
        agent_runs: Finished executions of agents.
        model_calls: Answers of models whose tokens are known.
        cost_usd: In USD, exact; None where no price is known, never 0.
        tokens_in: Input tokens, cached ones included.
        tokens_out: Output tokens, those of reasoning included.
        tokens_cache_read: Input tokens that came out of a cache.
        tokens_cache_write: Input tokens that were written into a cache.
        tokens_reasoning: Output tokens of reasoning.
        tool_calls: Calls of tools.
        retries: Repeated attempts.
        latency_ms: Wall time of agents in ms, of those inside another agent of the task not counted again; None where
            no agent ran.
        cache_read_share: Part of the input tokens that came out of a cache, from 0 to 1; None without input.
        reasoning_share: Part of the output tokens that was reasoning, from 0 to 1; None without output.
        output_share: Part of all tokens that was output, from 0 to 1; None without tokens.
    """

    agent_runs: int
    model_calls: int
    cost_usd: Usd | None
    tokens_in: int
    tokens_out: int
    tokens_cache_read: int
    tokens_cache_write: int
    tokens_reasoning: int
    tool_calls: int
    retries: int
    latency_ms: SummedMilliseconds | None
    cache_read_share: float | None = field(init=False)
    reasoning_share: float | None = field(init=False)
    output_share: float | None = field(init=False)

    def __post_init__(self) -> None:
        """Work out the shares."""
        set_derived(
            self,
            cache_read_share=share(self.tokens_cache_read, self.tokens_in),
            reasoning_share=share(self.tokens_reasoning, self.tokens_out),
            output_share=share(self.tokens_out, self.tokens_in + self.tokens_out),
        )


@dataclass(frozen=True)
class _OfRole:
    agent_role: str


@dataclass(frozen=True)
class _OfModel:
    model: str
    provider: str | None


@dataclass(frozen=True)
class _OfProject:
    project_id: str | None


@dataclass(frozen=True)
class _OfUser:
    user_id: str | None


@dataclass(frozen=True)
class _OfDay:
    day: date


# The second base's fields come first: a dataclass collects them from the last base to the first.
@dataclass(frozen=True)
class RoleSpending(Spending, _OfRole):
    """Be what an agent role has spent; see `Spending`."""


@dataclass(frozen=True)
class ModelSpending(Spending, _OfModel):
    """Be what was spent on a model of a provider (None: unknown); runs, time and calls of tools belong to none."""


@dataclass(frozen=True)
class ProjectSpending(Spending, _OfProject):
    """Be what a project has spent; `project_id` None stands for work outside of any. See `Spending`."""


@dataclass(frozen=True)
class UserSpending(Spending, _OfUser):
    """Be what a user has spent; `user_id` None stands for work of nobody. See `Spending`."""


@dataclass(frozen=True)
class DaySpending(Spending, _OfDay):
    """Be what was spent on a day in UTC; see `Spending`."""


class CostQuestions(Questions):
    """Ask what work costs; every question can be narrowed by `CostFilter`."""

    @question
    async def cost_by_agent_role(self, **filters: Unpack[CostFilter]) -> Rows[RoleSpending]:
        """Return what each agent role has spent, the dearest first."""
        return await self._ask("costs.by_agent_role", RoleSpending, filters)

    @question
    async def cost_by_model(self, **filters: Unpack[CostFilter]) -> Rows[ModelSpending]:
        """Return what was spent on each model, with its shares of cached and reasoning tokens, the dearest first."""
        return await self._ask("costs.by_model", ModelSpending, filters)

    @question
    async def cost_by_project(self, **filters: Unpack[CostFilter]) -> Rows[ProjectSpending]:
        """Return what each project has spent, the dearest first."""
        return await self._ask("costs.by_project", ProjectSpending, filters)

    @question
    async def cost_by_user(self, **filters: Unpack[CostFilter]) -> Rows[UserSpending]:
        """Return what each user has spent, the dearest first."""
        return await self._ask("costs.by_user", UserSpending, filters)

    @question
    async def cost_by_day(self, **filters: Unpack[CostFilter]) -> Rows[DaySpending]:
        """Return what was spent on each day in UTC, in order; days without work have no row."""
        return await self._ask("costs.by_day", DaySpending, filters)

    @question
    async def cost_in_all(self, **filters: Unpack[CostFilter]) -> Spending:
        """Return what was spent altogether."""
        [row] = await self._ask("costs.in_all", Spending, filters)
        return row
