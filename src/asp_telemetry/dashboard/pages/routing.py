"""`/routing`: how fast the router decides, how sure it is, and how right it turned out to be."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from asp_telemetry.analytics import Rows
from asp_telemetry.analytics.filters import ExecutionFilter
from asp_telemetry.analytics.routing import RouterQuality, StrategyQuality
from asp_telemetry.dashboard.asking import ask
from asp_telemetry.dashboard.charts import Axis, BarChart, Series
from asp_telemetry.dashboard.filters import Filters
from asp_telemetry.dashboard.formatting import NOTHING, duration, number, share
from asp_telemetry.dashboard.rendering import render
from asp_telemetry.dashboard.tables import Column, Table, numbers, tabled, text

Quality = TypeVar("Quality", bound=RouterQuality)


async def routing(request: Request) -> Response:
    """Answer with the quality of the router by strategy and by chosen agent.

    Args:
        request: What is being answered.
    """
    filters = Filters.read(request.query_params)
    narrowed = filters.narrowed(ExecutionFilter)
    strategies, agents = await asyncio.gather(
        ask(request).router_quality(**narrowed), ask(request).router_quality_by_agent(**narrowed)
    )
    return render(
        request,
        "routing.html",
        title="Routing",
        filters=filters,
        takes=ExecutionFilter,
        strategies=_quality("How agents were chosen", strategies, "Strategy", lambda row: row.strategy),
        agents=_quality("Which agents were chosen", agents, "Agent", lambda row: row.selected_agent),
        confidence=_confidence(strategies),
        confidence_chart=_confidence_chart(strategies),
        success_chart=_success_chart(strategies),
        successes=_successes(strategies),
    )


def microseconds(value: float | None) -> str:
    """Write a time that is in µs.

    Args:
        value: The time in µs; None is written as -.

    Example:
        >>> microseconds(23_400), microseconds(None)
        ('23 ms', '-')
    """
    return duration(None if value is None else value / 1000)


def signed(value: float | None) -> str:
    """Write a share that says by its sign in which direction it is off.

    Args:
        value: The share, 1 for 100 %; None is written as -.

    Example:
        >>> signed(0.041), signed(-0.2), signed(None)
        ('+4.1 %', '-20 %', '-')
    """
    return NOTHING if value is None else f"{'+' if value > 0 else ''}{share(value)}"


def _quality(
    caption: str, rows: Sequence[Quality], label: str, name: Callable[[Quality], str | None]
) -> Table:
    return tabled(
        caption,
        rows,
        Column(label, lambda row: _named(name(row))),
        numbers("Decisions", lambda row: number(row.decisions)),
        numbers("Median time", lambda row: microseconds(row.p50_us)),
        numbers("95th percentile", lambda row: microseconds(row.p95_us)),
        numbers("Over 100 ms", lambda row: number(row.over_target)),
        numbers("Out of the cache", lambda row: share(row.cache_hit_rate)),
        numbers("Confidence", lambda row: share(row.confidence)),
        numbers("Too sure by", lambda row: signed(row.prediction_error)),
        numbers("Off by", lambda row: share(row.absolute_prediction_error)),
        numbers("Judged", lambda row: number(row.judged)),
        numbers("Succeeded", lambda row: share(row.success_rate)),
    )


def _named(name: str | None) -> str:
    return text(name).replace("_", " ")


def _confidence(rows: Rows[StrategyQuality]) -> Table:
    return tabled(
        "What confidence is made of, on average",
        rows,
        Column("Strategy", lambda row: _named(row.strategy)),
        numbers("Triggers (weight 40 %)", lambda row: share(row.trigger_confidence)),
        numbers("Context (30 %)", lambda row: share(row.context_confidence)),
        numbers("Capabilities (20 %)", lambda row: share(row.capability_confidence)),
        numbers("History (10 %)", lambda row: share(row.historical_confidence)),
        numbers("In all", lambda row: share(row.confidence)),
    )


def _confidence_chart(rows: Rows[StrategyQuality]) -> BarChart | None:
    if not any(row.trigger_confidence is not None for row in rows):
        return None
    return BarChart(
        Axis("Strategy"),
        Axis("Confidence", "share"),
        [_named(row.strategy) for row in rows],
        [
            Series("Triggers", [row.trigger_confidence for row in rows]),
            Series("Context", [row.context_confidence for row in rows]),
            Series("Capabilities", [row.capability_confidence for row in rows]),
            Series("History", [row.historical_confidence for row in rows]),
        ],
    )


def _success_chart(rows: Rows[StrategyQuality]) -> BarChart | None:
    judged = [row for row in rows if row.judged]
    if not judged:
        return None
    return BarChart(
        Axis("Strategy"),
        Axis("Share", "share"),
        [_named(row.strategy) for row in judged],
        [
            Series("Confidence", [row.confidence for row in judged]),
            Series("Succeeded", [row.success_rate for row in judged]),
        ],
    )


def _successes(rows: Rows[StrategyQuality]) -> Table:
    return tabled(
        "Confidence against success",
        [row for row in rows if row.judged],
        Column("Strategy", lambda row: _named(row.strategy)),
        numbers("Judged", lambda row: number(row.judged)),
        numbers("Confidence", lambda row: share(row.confidence)),
        numbers("Succeeded", lambda row: share(row.success_rate)),
    )
