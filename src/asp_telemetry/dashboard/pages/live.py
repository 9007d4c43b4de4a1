"""`/live`: the part of the overview that is asked for again every two seconds, what is running now."""

from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from asp_telemetry.analytics.filters import RoleFilter
from asp_telemetry.dashboard.asking import ask
from asp_telemetry.dashboard.filters import Filters
from asp_telemetry.dashboard.rendering import plain_page

SHOWN: Final = 50
"""How many executions are listed."""


async def live(request: Request) -> Response:
    """Answer with the executions that run now.

    Args:
        request: What is being answered.
    """
    return plain_page("live.html", 200, **await running_now(request, Filters.read(request.query_params)))


async def running_now(request: Request, filters: Filters) -> dict[str, Any]:
    """Return what the template needs.

    Args:
        request: What is being answered.
        filters: What the page is narrowed to; the newest are listed.
    """
    running = await ask(request).running(**filters.narrowed(RoleFilter))
    return {
        "running": running[::-1][:SHOWN],
        "running_count": len(running),
        "filters": filters,
        "now": datetime.now(UTC),
    }
