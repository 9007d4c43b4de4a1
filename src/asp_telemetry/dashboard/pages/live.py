"""`/live`: the part of the overview that is asked for again every two seconds, what is running now."""

from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from asp_telemetry.analytics.filters import ExecutionFilter
from asp_telemetry.dashboard.asking import ask
from asp_telemetry.dashboard.filters import Filters
from asp_telemetry.dashboard.formatting import NOTHING, duration, moment
from asp_telemetry.dashboard.rendering import linked, plain_page, segment

SHOWN: Final = 50
"""How many executions are listed."""

_TIMES: Final = {"days", "since", "until"}


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
        filters: What the page is narrowed to; now is now, whatever time the page is about.
    """
    narrowed = {
        name: value for name, value in filters.narrowed(ExecutionFilter).items() if name not in _TIMES
    }
    running = await ask(request).running(**narrowed)
    now = datetime.now(UTC)
    rows = [
        [
            linked(filters.link(f"/traces/{segment(one.id)}"), one.name, id=f"run-{one.id}"),
            one.kind or NOTHING,
            one.agent_role or NOTHING,
            one.task_id or NOTHING,
            moment(one.started_at),
            duration(max(0.0, (now - one.started_at).total_seconds() * 1000)),
        ]
        for one in running[: -SHOWN - 1 : -1]
    ]
    return {"running": rows, "running_count": len(running)}
