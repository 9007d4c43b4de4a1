"""`/agents/{role}`: one agent role: what it costs and how long it takes by day, what fails, and two versions compared."""

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from asp_telemetry.analytics import Rows
from asp_telemetry.analytics.costs import DaySpending
from asp_telemetry.analytics.filters import ProjectFilter
from asp_telemetry.analytics.latency import DayLatency
from asp_telemetry.analytics.reliability import NamedOutcomes, RecordedError
from asp_telemetry.analytics.versions import AgentVersion, VersionChange
from asp_telemetry.dashboard.asking import ask
from asp_telemetry.dashboard.charts import Axis, LineChart, Series
from asp_telemetry.dashboard.days import Day, each_day
from asp_telemetry.dashboard.figures import measured
from asp_telemetry.dashboard.filters import Filters
from asp_telemetry.dashboard.formatting import NOTHING, day, duration, money, number, share, short
from asp_telemetry.dashboard.pages.agents import role_table, version_table
from asp_telemetry.dashboard.rendering import render, segment
from asp_telemetry.dashboard.tables import Column, Table, at, linked, marked, numbers, tabled, text
from asp_telemetry.errors import NotRecordedError

_SHOWN = 50


async def agent(request: Request) -> Response:
    """Answer with what is known of a role.

    Args:
        request: What is being answered; the path names the role.
    """
    filters = Filters.read(request.query_params)
    role = request.path_params["role"]
    narrowed = {**filters.narrowed(ProjectFilter), "role": role}
    roles, versions, costs, latencies, endings, errors = await asyncio.gather(
        ask(request).agent_reliability(**narrowed),
        ask(request).agent_versions(**narrowed),
        ask(request).cost_by_day(**narrowed),
        ask(request).latency_by_day(**narrowed),
        ask(request).error_rates(**narrowed),
        ask(request).errors(**narrowed),
    )
    if not (roles or costs or endings) and not await _is_known(request, role):
        raise NotRecordedError(
            f"no agent has the role {role!r}; see Agents for those that have run, or the filters"
        )
    before, after = _pair(request, versions)
    changes: Rows[VersionChange] = Rows()
    if before is not None and after is not None:
        changes = await ask(request).compare_versions(role, before, after, **filters.narrowed(ProjectFilter))
    days = each_day(filters, costs, latencies, ())
    named = sorted({row.version for row in versions if row.version is not None})
    return render(
        request,
        "agent.html",
        title=f"Agent {role}",
        filters=filters,
        takes=ProjectFilter,
        role=role,
        summary=roles[0] if roles else None,
        roles=role_table(f"Runs of {role}", roles, filters),
        versions=version_table(versions, filters),
        version_names=named,
        before=before,
        after=after,
        changes=_changes(changes, before, after),
        costs=_costs(costs),
        cost_chart=_cost_chart(days),
        latencies=_latencies(latencies),
        latency_chart=_latency_chart(days),
        endings=_endings(endings),
        errors=_errors(errors),
    )


async def _is_known(request: Request, role: str) -> bool:
    """Tell whether a role has ever run, at whatever time."""
    return bool(await ask(request).agent_versions(role=role))


def _pair(request: Request, versions: Rows[AgentVersion]) -> tuple[str | None, str | None]:
    """Return the versions to compare: those asked for, else the two that ran last."""
    newest = [row.version for row in versions if row.version is not None][:2]
    after = request.query_params.get("after") or (newest[0] if newest else None)
    before = request.query_params.get("before") or (newest[1] if len(newest) == 2 else None)
    return before, after


def _changes(changes: Rows[VersionChange], before: str | None, after: str | None) -> Table:
    def interval(row: VersionChange) -> str:
        if row.low is None or row.high is None:
            return NOTHING
        return f"{measured(_apart(row.unit), row.low)} to {measured(_apart(row.unit), row.high)}"

    def verdict(row: VersionChange) -> Any:
        mark = {"better": "good", "worse": "bad"}.get(row.verdict)
        return row.verdict if mark is None else marked(row.verdict, mark)

    return tabled(
        f"From version {before} to {after}; the difference lies within the limits with a confidence of 95 %",
        changes,
        Column("Measure", lambda row: row.measure),
        numbers(f"{before}", lambda row: measured(row.unit, row.before)),
        numbers(f"{after}", lambda row: measured(row.unit, row.after)),
        numbers("Difference", lambda row: measured(_apart(row.unit), row.difference)),
        numbers("Limits", interval),
        numbers("Samples", lambda row: f"{number(row.samples_before)} and {number(row.samples_after)}"),
        Column("Verdict", verdict),
    )


def _apart(unit: str) -> str:
    # Two shares are apart by percentage points: 10 % more of a share would be something else.
    return "points" if unit == "share" else unit


def _costs(days: Rows[DaySpending]) -> Table:
    return tabled(
        "Cost by day (UTC)",
        days,
        Column("Day", lambda row: day(row.day)),
        numbers("Cost", lambda row: money(row.cost_usd)),
        numbers("Runs", lambda row: number(row.agent_runs)),
        numbers("Input", lambda row: short(row.tokens_in, "tokens")),
        numbers("Output", lambda row: short(row.tokens_out, "tokens")),
        numbers("Out of a cache", lambda row: share(row.cache_read_share)),
        numbers("Tool calls", lambda row: number(row.tool_calls)),
        numbers("Retries", lambda row: number(row.retries)),
    )


def _cost_chart(days: Sequence[Day]) -> LineChart | None:
    values = [None if one.costs is None else one.costs.cost_usd for one in days]
    if not any(value is not None for value in values):
        return None
    return LineChart(
        Axis("Day"), Axis("Cost", "USD"), [day(one.day) for one in days], [Series("Cost", values)]
    )


def _latencies(days: Rows[DayLatency]) -> Table:
    return tabled(
        "Wall time of runs by day (UTC)",
        days,
        Column("Day", lambda row: day(row.day)),
        numbers("Runs", lambda row: number(row.measured)),
        numbers("Average", lambda row: duration(row.average_ms)),
        numbers("Median", lambda row: duration(row.p50_ms)),
        numbers("95th percentile", lambda row: duration(row.p95_ms)),
        numbers("Longest", lambda row: duration(row.max_ms)),
    )


def _latency_chart(days: Sequence[Day]) -> LineChart | None:
    if not any(one.latency is not None for one in days):
        return None
    return LineChart(
        Axis("Day"),
        Axis("Latency", "ms"),
        [day(one.day) for one in days],
        [
            Series("Median", [None if one.latency is None else one.latency.p50_ms for one in days]),
            Series("95th percentile", [None if one.latency is None else one.latency.p95_ms for one in days]),
        ],
    )


def _endings(rows: Rows[NamedOutcomes]) -> Table:
    return tabled(
        "How the executions of the role end, those with most failures first",
        rows[:_SHOWN],
        Column("Execution", lambda row: row.name),
        Column("Kind", lambda row: text(row.kind)),
        numbers("Ended", lambda row: number(row.executions)),
        numbers("Errors", lambda row: number(row.errors)),
        numbers("Timeouts", lambda row: number(row.timeouts)),
        numbers("Abandoned", lambda row: number(row.abandoned)),
        numbers("Failed", lambda row: share(row.error_rate)),
    )


def _errors(rows: Rows[RecordedError]) -> Table:
    return tabled(
        "Errors, the most frequent first",
        rows[:_SHOWN],
        Column("Error", lambda row: text(row.error_type)),
        Column("Execution", lambda row: row.name),
        numbers("Times", lambda row: number(row.occurrences)),
        Column(
            "Last seen (UTC)", lambda row: linked(f"/traces/{segment(row.newest_id)}", at(row.last_seen_at))
        ),
        Column("It said", lambda row: text(row.newest_message)),
    )
