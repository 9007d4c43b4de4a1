"""Questions about how long agents and models take, as percentiles."""

from dataclasses import dataclass
from datetime import date
from typing import Unpack

from asp_telemetry.analytics.asking import Questions, question
from asp_telemetry.analytics.filters import CostFilter
from asp_telemetry.analytics.rows import Milliseconds, Rows


@dataclass(frozen=True)
class Durations:
    """Tell how durations are distributed, in ms.

    A percentile is a value that occurred: the smallest of which it is true that so many per cent are not greater
    (nearest rank, https://en.wikipedia.org/wiki/Percentile#The_nearest-rank_method).

    Attributes:
        measured: How many durations are known.
        average_ms: Their mean in ms; like all that follows None if none is known.
        p50_ms: Their median in ms.
        p90_ms: The 90th percentile in ms.
        p95_ms: The 95th percentile in ms.
        p99_ms: The 99th percentile in ms.
        max_ms: The longest in ms.
    """

    measured: int
    average_ms: Milliseconds | None
    p50_ms: Milliseconds | None
    p90_ms: Milliseconds | None
    p95_ms: Milliseconds | None
    p99_ms: Milliseconds | None
    max_ms: Milliseconds | None


@dataclass(frozen=True)
class _OfRole:
    agent_role: str


@dataclass(frozen=True)
class _OfDay:
    day: date


@dataclass(frozen=True)
class _OfModel:
    model: str | None
    provider: str | None


# The last base's fields come first.
@dataclass(frozen=True)
class RoleLatency(Durations, _OfRole):
    """Be the wall times of the runs of an agent role, those inside other agents included; see `Durations`."""


@dataclass(frozen=True)
class DayLatency(Durations, _OfDay):
    """Be the wall times of all runs of agents that ended on a day in UTC; see `Durations`."""


@dataclass(frozen=True)
class FirstToken(Durations, _OfModel):
    """Be how long a model took to its first token; see `Durations`."""


class LatencyQuestions(Questions):
    """Ask how long agents and models take; every question can be narrowed by `CostFilter`."""

    @question
    async def latency_by_agent_role(self, **filters: Unpack[CostFilter]) -> Rows[RoleLatency]:
        """Return how long the runs of each agent role took, in ms."""
        return await self._ask("latency.by_agent_role", RoleLatency, filters)

    @question
    async def latency_by_day(self, **filters: Unpack[CostFilter]) -> Rows[DayLatency]:
        """Return how long the runs of agents took on each day in UTC, in ms."""
        return await self._ask("latency.by_day", DayLatency, filters)

    @question
    async def latency_in_all(self, **filters: Unpack[CostFilter]) -> Durations:
        """Return how long all runs of agents took, in ms."""
        [row] = await self._ask("latency.in_all", Durations, filters)
        return row

    @question
    async def first_token_by_model(self, **filters: Unpack[CostFilter]) -> Rows[FirstToken]:
        """Return how long each model took to its first token, in ms."""
        return await self._ask("latency.first_token_by_model", FirstToken, filters)
