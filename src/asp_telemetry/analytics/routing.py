"""Questions about the router and about what was learned: is it fast and right, and does offering patterns help?"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Unpack

from asp_telemetry.analytics.asking import Questions, question
from asp_telemetry.analytics.filters import ExecutionFilter
from asp_telemetry.analytics.rows import Rows, set_derived, share


@dataclass(frozen=True)
class RouterQuality:
    """Tell how well decisions were made; times in µs, confidences and rates from 0 to 1.

    Attributes:
        decisions: How many there were.
        average_us: Mean time of a decision; like the percentiles (nearest rank) None where no time is known.
        p50_us: The median.
        p95_us: The 95th percentile.
        p99_us: The 99th percentile.
        max_us: The longest.
        over_target: Decisions that took more than 100 000 µs.
        cache_hits: Decisions that came out of the cache.
        cache_misses: Decisions that did not.
        confidence: Mean total confidence.
        trigger_confidence: Mean of the part that the triggers gave (weight 40 %).
        context_confidence: Mean of the part that the context gave (30 %).
        capability_confidence: Mean of the part that the capabilities gave (20 %).
        historical_confidence: Mean of the part that history gave (10 %).
        validated: Decisions of which is known how they went.
        judged: Those of which is known whether they succeeded.
        successes: Those that succeeded.
        prediction_error: Mean of confidence less quality: above 0 the router was too sure.
        absolute_prediction_error: Mean distance of confidence and quality.
        cache_hit_rate: Part of the decisions that came out of the cache.
        success_rate: Part of the judged ones that succeeded.
    """

    decisions: int
    average_us: float | None
    p50_us: int | None
    p95_us: int | None
    p99_us: int | None
    max_us: int | None
    over_target: int
    cache_hits: int
    cache_misses: int
    confidence: float | None
    trigger_confidence: float | None
    context_confidence: float | None
    capability_confidence: float | None
    historical_confidence: float | None
    validated: int
    judged: int
    successes: int
    prediction_error: float | None
    absolute_prediction_error: float | None
    cache_hit_rate: float | None = field(init=False)
    success_rate: float | None = field(init=False)

    def __post_init__(self) -> None:
        """Work out the rates."""
        set_derived(
            self,
            cache_hit_rate=share(self.cache_hits, self.cache_hits + self.cache_misses),
            success_rate=share(self.successes, self.judged),
        )


@dataclass(frozen=True)
class _OfStrategy:
    strategy: str | None


@dataclass(frozen=True)
class _OfAgent:
    selected_agent: str | None


# The last base's fields come first.
@dataclass(frozen=True)
class StrategyQuality(RouterQuality, _OfStrategy):
    """Be how well one strategy of the router does; see `RouterQuality`."""


@dataclass(frozen=True)
class SelectionQuality(RouterQuality, _OfAgent):
    """Be how well the choices of one agent turned out; see `RouterQuality`."""


@dataclass(frozen=True)
class PatternEffectiveness:
    """Be how a success pattern did when it was offered.

    Attributes:
        pattern_id: Its id.
        intent: What it is for.
        template: What was asked, without values and secrets; None if that is not known.
        agent: The agent that it leads to.
        success_score: How clear the success was that it comes from, from 0 to 1.
        offered: How often it was offered.
        used: How often it was used.
        successes: How often using it succeeded.
        partial_successes: How often it ended well though something inside did not.
        failures: How often using it failed.
        average_match: Mean match score of the offers, from 0 to 1.
        average_variance: Mean of (actual - expected) / expected duration: above 0 it took longer.
        last_used_at: When it was last used, in UTC, whatever time the question is about.
        use_rate: Part of the offers that were used, from 0 to 1.
        success_rate: Part of the uses with a known end that succeeded in all, from 0 to 1.
    """

    pattern_id: str
    intent: str
    template: str | None
    agent: str
    success_score: float | None
    offered: int
    used: int
    successes: int
    partial_successes: int
    failures: int
    average_match: float | None
    average_variance: float | None
    last_used_at: datetime | None
    use_rate: float | None = field(init=False)
    success_rate: float | None = field(init=False)

    def __post_init__(self) -> None:
        """Work out the rates."""
        set_derived(
            self,
            use_rate=share(self.used, self.offered),
            success_rate=share(self.successes, self.successes + self.partial_successes + self.failures),
        )


class RoutingQuestions(Questions):
    """Ask about the router's decisions, which belong to the execution around them, and about success patterns."""

    @question
    async def router_quality(self, **filters: Unpack[ExecutionFilter]) -> Rows[StrategyQuality]:
        """Return how fast and how right each strategy of the router is, the most used first."""
        return await self._ask("routing.by_strategy", StrategyQuality, filters)

    @question
    async def router_quality_by_agent(self, **filters: Unpack[ExecutionFilter]) -> Rows[SelectionQuality]:
        """Return how fast and how right the choices of each agent were, the most chosen first."""
        return await self._ask("routing.by_agent", SelectionQuality, filters)

    @question
    async def pattern_effectiveness(self, **filters: Unpack[ExecutionFilter]) -> Rows[PatternEffectiveness]:
        """Return how each success pattern did when it was offered, the most offered first.

        Filters are about the execution that it was offered to; patterns without such offers come last.
        """
        return await self._ask("routing.patterns", PatternEffectiveness, filters)
