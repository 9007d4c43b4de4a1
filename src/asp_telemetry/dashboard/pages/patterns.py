"""`/patterns`: what was learned: what worked and whether offering it helps, who calls whom, and which errors come again."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from asp_telemetry.analytics import Rows
from asp_telemetry.analytics.filters import ExecutionFilter, Period
from asp_telemetry.analytics.learned import ChainingPattern, ErrorPattern
from asp_telemetry.analytics.routing import PatternEffectiveness
from asp_telemetry.dashboard.asking import ask
from asp_telemetry.dashboard.charts import Axis, BarChart, Series
from asp_telemetry.dashboard.filters import Filters
from asp_telemetry.dashboard.formatting import duration, number, share
from asp_telemetry.dashboard.pages.routing import signed
from asp_telemetry.dashboard.rendering import render
from asp_telemetry.dashboard.tables import Column, Table, at, numbers, tabled, text, under

_SHOWN = 100
_DRAWN = 15


async def patterns(request: Request) -> Response:
    """Answer with patterns of success, chains of agents and patterns of errors.

    Args:
        request: What is being answered.
    """
    filters = Filters.read(request.query_params)
    narrowed = filters.narrowed(Period)
    successes, chains, errors = await asyncio.gather(
        ask(request).pattern_effectiveness(**filters.narrowed(ExecutionFilter)),
        ask(request).chaining_patterns(**narrowed, limit=_SHOWN),
        ask(request).error_patterns(**narrowed, limit=_SHOWN),
    )
    offered = [row for row in successes if row.offered][:_DRAWN]
    return render(
        request,
        "patterns.html",
        title="Patterns",
        filters=filters,
        takes=ExecutionFilter,
        learned=len(successes),
        shown=_SHOWN,
        successes=_effectiveness("What worked, and whether offering it helps", successes[:_SHOWN]),
        drawn=_effectiveness("The patterns that were offered most", Rows(offered)),
        chart=_chart(offered),
        chains=_chains(chains),
        errors=_errors(errors),
    )


def _effectiveness(caption: str, rows: list[PatternEffectiveness]) -> Table:
    return tabled(
        caption,
        rows,
        Column("Asked", lambda row: text(row.template)),
        Column("Intent and agent", lambda row: under(row.intent, row.agent)),
        numbers("Times offered", lambda row: number(row.offered)),
        numbers("Used", lambda row: share(row.use_rate)),
        numbers("Succeeded", lambda row: number(row.successes)),
        numbers("In part", lambda row: number(row.partial_successes)),
        numbers("Failed", lambda row: number(row.failures)),
        numbers("Success rate", lambda row: share(row.success_rate)),
        numbers("Match", lambda row: share(row.average_match)),
        numbers("Longer than expected by", lambda row: signed(row.average_variance)),
        Column("Last used (UTC)", lambda row: at(row.last_used_at)),
    )


def _chart(rows: list[PatternEffectiveness]) -> BarChart | None:
    if not rows:
        return None
    return BarChart(
        Axis("Pattern"),
        Axis("Times", "times"),
        [row.template or f"{row.intent}, {row.agent}" for row in rows],
        [
            Series("Succeeded", [row.successes for row in rows]),
            Series("Succeeded in part", [row.partial_successes for row in rows]),
            Series("Failed", [row.failures for row in rows]),
            Series("Not used, or not known", [_open(row) for row in rows]),
        ],
        stacked=True,
        horizontal=True,
    )


def _open(row: PatternEffectiveness) -> int:
    return row.offered - row.successes - row.partial_successes - row.failures


def _chains(rows: Rows[ChainingPattern]) -> Table:
    return tabled(
        "Which agents call which others",
        rows,
        Column("Agent", lambda row: row.primary_agent),
        Column("Calls", lambda row: ", then ".join(map(str, row.delegated_agents))),
        Column("Intent", lambda row: row.intent),
        numbers("Levels", lambda row: number(row.delegation_depth)),
        numbers("Times seen", lambda row: number(row.uses)),
        numbers("Succeeded", lambda row: share(row.success_rate)),
        numbers("Average", lambda row: duration(row.average_ms)),
        numbers("Of that coordination", lambda row: duration(row.average_overhead_ms)),
        Column("Last seen (UTC)", lambda row: at(row.last_used_at)),
    )


def _errors(rows: Rows[ErrorPattern]) -> Table:
    return tabled(
        "Errors that come again",
        rows,
        Column("Error", lambda row: row.error_type),
        Column("It says", lambda row: row.message),
        Column("Where", lambda row: text(row.agent or row.hook_type or row.endpoint_path)),
        Column("Severity", lambda row: text(row.severity)),
        numbers("Times counted", lambda row: number(row.occurrences)),
        Column("First seen (UTC)", lambda row: at(row.first_seen_at)),
        Column("Last seen (UTC)", lambda row: at(row.last_seen_at)),
    )
