"""Questions about what `patterns learn` counts beside successes: errors that come again, and agents that call others."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Unpack

from asp_telemetry.analytics.asking import Questions, question
from asp_telemetry.analytics.filters import Period
from asp_telemetry.analytics.rows import Milliseconds, Rows


class LearnedFilter(Period, total=False):
    """Narrow what was learned to what was last seen within a time.

    Attributes:
        limit: How many at most, the most frequent; 100 when left out.
    """

    limit: int | None


@dataclass(frozen=True)
class ErrorPattern:
    """Be an error that comes again.

    Attributes:
        error_type: The exception's type, or what failed.
        message: What it says, without what changes from one time to the next.
        agent: Whose error it is; None if nobody's.
        hook_type: The hook in which it occurs.
        endpoint_path: The endpoint at which it occurs.
        occurrences: How often it was counted.
        severity: critical, high, medium or low.
        first_seen_at: When it first occurred, in UTC.
        last_seen_at: When it last occurred, in UTC.
    """

    pattern_id: str
    error_type: str
    message: str
    agent: str | None
    hook_type: str | None
    endpoint_path: str | None
    occurrences: int
    severity: str | None
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True)
class ChainingPattern:
    """Be a way in which an agent calls others.

    Attributes:
        primary_agent: The agent that calls.
        delegated_agents: Whom it calls, in order.
        delegation_depth: How many levels of agents there are below it.
        intent: What the request is about, in a word.
        uses: How often that was seen.
        success_rate: Part of them in which the calling agent succeeded, from 0 to 1.
        average_ms: How long it takes on average, in ms.
        average_overhead_ms: How much of that is not spent in agents that it calls, in ms.
        last_used_at: When it was last seen, in UTC.
    """

    pattern_id: str
    primary_agent: str
    delegated_agents: list[Any]
    delegation_depth: int
    intent: str
    uses: int
    success_rate: float
    average_ms: Milliseconds | None
    average_overhead_ms: Milliseconds | None
    last_used_at: datetime | None


class LearnedQuestions(Questions):
    """Ask what was learned from traces; `Patterns.learn` and `asp-telemetry patterns learn` learn it."""

    @question
    async def error_patterns(self, **filters: Unpack[LearnedFilter]) -> Rows[ErrorPattern]:
        """Return the errors that come again, the most frequent first."""
        return await self._ask("learned.errors", ErrorPattern, filters)

    @question
    async def chaining_patterns(self, **filters: Unpack[LearnedFilter]) -> Rows[ChainingPattern]:
        """Return which agents call which others, the most frequent first."""
        return await self._ask("learned.chains", ChainingPattern, filters)
