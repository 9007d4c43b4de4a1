"""`/`: what the work of the chosen time has cost, how long it took, and what failed."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from asp_telemetry.analytics.filters import CostFilter, RoleFilter
from asp_telemetry.dashboard.asking import ask
from asp_telemetry.dashboard.filters import Filters
from asp_telemetry.dashboard.pages.live import running_now
from asp_telemetry.dashboard.rendering import render


async def overview(request: Request) -> Response:
    """Answer with the sums, the days, and what runs now.

    Args:
        request: What is being answered.
    """
    filters = Filters.read(request.query_params)
    spent, ended = filters.narrowed(CostFilter), filters.narrowed(RoleFilter)
    now = await running_now(request, filters)
    costs, outcomes, roles = await asyncio.gather(
        ask(request).cost_in_all(**spent),
        ask(request).outcomes_in_all(**ended),
        ask(request).cost_by_agent_role(**spent),
    )
    return render(
        request,
        "overview.html",
        title="Overview",
        filters=filters,
        costs=costs,
        outcomes=outcomes,
        roles=roles,
        **{name: value for name, value in now.items() if name not in {"filters", "now"}},
    )
