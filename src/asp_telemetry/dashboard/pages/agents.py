"""`/agents`: how well the agents of each role do, which versions of them ran, and the services and hooks around them."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from asp_telemetry.analytics import Rows
from asp_telemetry.analytics.filters import ExecutionFilter, RoleFilter
from asp_telemetry.analytics.reliability import AgentReliability, EndpointReliability, HookReliability
from asp_telemetry.analytics.versions import AgentVersion
from asp_telemetry.dashboard.asking import ask
from asp_telemetry.dashboard.charts import Axis, BarChart, Series
from asp_telemetry.dashboard.filters import Filters
from asp_telemetry.dashboard.formatting import duration, money, number, share
from asp_telemetry.dashboard.rendering import render, segment
from asp_telemetry.dashboard.tables import Column, Table, at, linked, numbers, tabled, text


async def agents(request: Request) -> Response:
    """Answer with the roles, their versions, endpoints and hooks.

    Args:
        request: What is being answered.
    """
    filters = Filters.read(request.query_params)
    narrowed = filters.narrowed(ExecutionFilter)
    roles, versions, endpoints, hooks = await asyncio.gather(
        ask(request).agent_reliability(**narrowed),
        ask(request).agent_versions(**filters.narrowed(RoleFilter)),
        ask(request).endpoint_reliability(**narrowed),
        ask(request).hook_reliability(**narrowed),
    )
    return render(
        request,
        "agents.html",
        title="Agents",
        filters=filters,
        takes=ExecutionFilter,
        roles=role_table("Agents by role", roles, filters),
        latencies=_latencies(roles),
        drawn=_drawn(roles),
        versions=version_table(versions, filters),
        endpoints=_endpoints(endpoints),
        hooks=_hooks(hooks),
    )


def role_table(caption: str, roles: Rows[AgentReliability], filters: Filters) -> Table:
    """Return how well the agents of roles do.

    Args:
        caption: What the table is called.
        roles: One row per role.
        filters: What the page is narrowed to; links keep it.
    """
    return tabled(
        caption,
        roles,
        Column("Agent role", lambda row: role_link(row.agent_role, filters)),
        numbers("Runs", lambda row: number(row.executions)),
        numbers("Succeeded", lambda row: share(row.success_rate)),
        numbers("Failed", lambda row: share(row.error_rate)),
        numbers("Cancelled", lambda row: number(row.cancelled)),
        numbers("Average", lambda row: duration(row.average_ms)),
        numbers("Median", lambda row: duration(row.p50_ms)),
        numbers("95th percentile", lambda row: duration(row.p95_ms)),
        numbers("Cost", lambda row: money(row.cost_usd)),
        numbers("Cost per success", lambda row: money(row.cost_per_success_usd)),
    )


def version_table(versions: Rows[AgentVersion], filters: Filters) -> Table:
    """Return which versions of agents ran.

    Args:
        versions: One row per role and version.
        filters: What the page is narrowed to; links keep it.
    """
    return tabled(
        "Versions of agents, those that ran last first",
        versions,
        Column("Agent role", lambda row: role_link(row.agent_role, filters)),
        Column("Version", lambda row: text(row.version)),
        numbers("Runs", lambda row: number(row.runs)),
        Column("First run ended (UTC)", lambda row: at(row.first_run_at)),
        Column("Last run ended (UTC)", lambda row: at(row.last_run_at)),
    )


def role_link(role: str | None, filters: Filters) -> str:
    """Return a link to the page of a role.

    Args:
        role: The role; None where it was not told, which has no page.
        filters: What the page is narrowed to; the link keeps it, but for the role.
    """
    if role is None:
        return text(role)
    return linked(filters.link(f"/agents/{segment(role)}", role=None), role)


def _latencies(roles: Rows[AgentReliability]) -> BarChart | None:
    timed = [row for row in roles if row.p50_ms is not None]
    if not timed:
        return None
    return BarChart(
        Axis("Agent role"),
        Axis("Latency", "ms"),
        [text(row.agent_role) for row in timed],
        [
            Series("Median", [row.p50_ms for row in timed]),
            Series("95th percentile", [row.p95_ms for row in timed]),
        ],
        horizontal=True,
    )


def _drawn(roles: Rows[AgentReliability]) -> Table:
    return tabled(
        "How long a run takes",
        roles,
        Column("Agent role", lambda row: text(row.agent_role)),
        numbers("Runs measured", lambda row: number(row.measured)),
        numbers("Median", lambda row: duration(row.p50_ms)),
        numbers("95th percentile", lambda row: duration(row.p95_ms)),
    )


def _endpoints(rows: Rows[EndpointReliability]) -> Table:
    return tabled(
        "Calls of services",
        rows,
        Column("Endpoint", lambda row: f"{row.method} {row.path}"),
        Column("Service", lambda row: row.service),
        numbers("Calls", lambda row: number(row.calls)),
        numbers("Succeeded", lambda row: share(row.success_rate)),
        numbers("Timeouts", lambda row: number(row.timeouts)),
        numbers("Retries", lambda row: number(row.retries)),
        numbers("Median", lambda row: duration(row.p50_ms)),
        numbers("95th percentile", lambda row: duration(row.p95_ms)),
        Column("Last failure (UTC)", lambda row: at(row.last_failure_at)),
    )


def _hooks(rows: Rows[HookReliability]) -> Table:
    return tabled(
        "Hooks",
        rows,
        Column("Hook", lambda row: row.hook_type),
        Column("Tool", lambda row: text(row.tool_name)),
        numbers("Runs", lambda row: number(row.runs)),
        numbers("Succeeded", lambda row: share(row.success_rate)),
        numbers("Timeouts", lambda row: number(row.timeouts)),
        numbers("Median", lambda row: duration(row.p50_ms)),
        numbers("95th percentile", lambda row: duration(row.p95_ms)),
        Column("Last began (UTC)", lambda row: at(row.last_started_at)),
    )
