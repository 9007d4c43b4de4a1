"""`/`: what the work of the chosen time has cost, how long it took, and what failed; against the time before."""

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from asp_telemetry.analytics.costs import DaySpending, RoleSpending, Spending
from asp_telemetry.analytics.filters import CostFilter, ExecutionFilter
from asp_telemetry.analytics.latency import DayLatency, Durations
from asp_telemetry.analytics.reliability import DayOutcomes, Outcomes
from asp_telemetry.dashboard import formatting
from asp_telemetry.dashboard.asking import ask
from asp_telemetry.dashboard.charts import Axis, BarChart, Chart, LineChart, Series
from asp_telemetry.dashboard.days import Day, each_day, ended_in_all, spent_in_all
from asp_telemetry.dashboard.filters import Filters
from asp_telemetry.dashboard.pages.live import running_now
from asp_telemetry.dashboard.rendering import linked, render


@dataclass(frozen=True)
class Sums:
    """Be the sums of a period.

    Attributes:
        costs: What was spent.
        latency: How long runs of agents took.
        outcomes: How executions ended.
    """

    costs: Spending
    latency: Durations
    outcomes: Outcomes

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing was recorded."""
        spent = self.costs
        return not (spent.agent_runs or spent.model_calls or spent.cost_usd or self.outcomes.executions)


async def overview(request: Request) -> Response:
    """Answer with the sums, the days, and what runs now.

    Args:
        request: What is being answered.
    """
    filters = Filters.read(request.query_params)
    spent = filters.narrowed(CostFilter)
    # The slowest first: what is quick finds its place beside them.
    (costs, latency, outcomes), roles, before, all_latency, running = await asyncio.gather(
        _by_day(request, filters),
        ask(request).cost_by_agent_role(**spent),
        _before(request, filters),
        ask(request).latency_in_all(**spent),
        running_now(request, filters),
    )
    sums = Sums(spent_in_all(costs), all_latency, ended_in_all(outcomes))
    days = each_day(filters, costs, latency, outcomes)
    return render(
        request,
        "overview.html",
        title="Overview",
        filters=filters,
        sums=sums,
        tiles=_tiles(sums, before),
        compared=None if before is None or before.is_empty else filters.before(),
        days=days,
        charts=_charts(days),
        tables=_tables(days) | {"roles": _roles(filters, roles)},
        **running,
    )


async def _by_day(
    request: Request, filters: Filters
) -> tuple[list[DaySpending], list[DayLatency], list[DayOutcomes]]:
    spent = filters.narrowed(CostFilter)
    costs, latency, outcomes = await asyncio.gather(
        ask(request).cost_by_day(**spent),
        ask(request).latency_by_day(**spent),
        ask(request).outcomes_by_day(**filters.narrowed(ExecutionFilter)),
    )
    return costs, latency, outcomes


async def _before(request: Request, filters: Filters) -> Sums | None:
    earlier = filters.before()
    if earlier is None:
        return None
    spent, ended = earlier.narrowed(CostFilter), earlier.narrowed(ExecutionFilter)
    return Sums(
        *await asyncio.gather(
            ask(request).cost_in_all(**spent),
            ask(request).latency_in_all(**spent),
            ask(request).outcomes_in_all(**ended),
        )
    )


def _tiles(now: Sums, before: Sums | None) -> list[tuple[str, str, list[str]]]:
    """Return label, figure and comparison of each sum."""

    def tile(label: str, write: Any, figure: Any, *, compare: bool = True) -> tuple[str, str, list[str]]:
        value = figure(now)
        if before is None or before.is_empty:
            return label, write(value), []
        then = figure(before)
        changed = formatting.change(value, then) if compare else None
        return label, write(value), [f"before: {write(then)}", *([f"({changed})"] if changed else [])]

    return [
        tile("Cost", formatting.money, lambda sums: sums.costs.cost_usd),
        tile("Input tokens", formatting.short, lambda sums: sums.costs.tokens_in),
        tile("Output tokens", formatting.short, lambda sums: sums.costs.tokens_out),
        tile("Runs of agents", formatting.number, lambda sums: sums.costs.agent_runs),
        tile("Median run", formatting.duration, lambda sums: sums.latency.p50_ms),
        tile("95 % of runs within", formatting.duration, lambda sums: sums.latency.p95_ms),
        tile(
            "Executions that failed", formatting.share, lambda sums: sums.outcomes.error_rate, compare=False
        ),
    ]


def _tokens(value: int) -> str:
    return formatting.short(value, "tokens")


def _charts(days: list[Day]) -> dict[str, Chart]:
    labels = [formatting.day(one.day) for one in days]
    axis = Axis("Day (UTC)")
    costs = [one.costs for one in days]
    latency = [one.latency for one in days]
    return {
        "cost": BarChart(
            axis,
            Axis("Cost", "USD"),
            labels,
            [Series("Cost", [one.cost_usd if one else 0 for one in costs])],
        ),
        "tokens": BarChart(
            axis,
            Axis("Tokens", "tokens"),
            labels,
            [
                Series("Input", [one.tokens_in if one else 0 for one in costs]),
                Series("Output", [one.tokens_out if one else 0 for one in costs]),
            ],
            stacked=True,
        ),
        "latency": LineChart(
            axis,
            Axis("Time of a run", "ms"),
            labels,
            [
                Series("Median", [one.p50_ms if one else None for one in latency]),
                Series("95 % are within", [one.p95_ms if one else None for one in latency]),
            ],
        ),
        "errors": LineChart(
            axis,
            Axis("Executions that failed", "share"),
            labels,
            [Series("Failed", [one.outcomes.error_rate if one.outcomes else None for one in days])],
        ),
    }


def _tables(days: list[Day]) -> dict[str, list[list[str]]]:
    """Return the cells under the charts; days without any figure are left out."""
    number, duration = formatting.number, formatting.duration
    found: dict[str, list[list[str]]] = {"cost": [], "tokens": [], "latency": [], "errors": []}
    for one in days:
        day = formatting.day(one.day)
        if costs := one.costs:
            found["cost"].append([day, formatting.money(costs.cost_usd), number(costs.model_calls)])
            found["tokens"].append(
                [day, number(costs.tokens_in, "tokens"), number(costs.tokens_out, "tokens")]
            )
        if took := one.latency:
            times = [duration(value) for value in (took.p50_ms, took.p95_ms, took.max_ms)]
            found["latency"].append([day, number(took.measured), *times])
        if ended := one.outcomes:
            counts = (ended.executions, ended.errors, ended.timeouts, ended.abandoned)
            found["errors"].append([day, *map(number, counts), formatting.share(ended.error_rate)])
    return found


def _roles(filters: Filters, roles: list[RoleSpending]) -> list[list[str]]:
    return [
        [
            linked(filters.link("/", role=one.agent_role), one.agent_role),
            formatting.number(one.agent_runs),
            formatting.money(one.cost_usd),
            _tokens(one.tokens_in),
            _tokens(one.tokens_out),
            formatting.duration(one.latency_ms),
        ]
        for one in roles
    ]
