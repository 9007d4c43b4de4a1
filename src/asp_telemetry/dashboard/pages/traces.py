"""`/traces`: the traces that have begun last, and a way to any of them by an id."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from asp_telemetry.analytics.filters import ExecutionFilter
from asp_telemetry.dashboard.asking import ask
from asp_telemetry.dashboard.filters import Filters
from asp_telemetry.dashboard.rendering import render, segment
from asp_telemetry.errors import NotRecordedError

SHOWN: Final = 50
"""How many traces are on a page."""
_STEP: Final = timedelta(microseconds=1)


async def traces(request: Request) -> Response:
    """Answer with the newest traces, or lead to the one whose id was typed.

    Args:
        request: What is being answered.
    """
    filters = Filters.read(request.query_params)
    if wanted := request.query_params.get("id", "").strip():
        return RedirectResponse(filters.link(f"/traces/{segment(await _meant(request, wanted))}"), 303)
    failures = request.query_params.get("failures") == "1"
    found = await ask(request).recent_traces(
        **filters.narrowed(ExecutionFilter), failures=failures, limit=SHOWN + 1
    )
    older = None
    if len(found) > SHOWN:
        # The first trace of the next page began just before its end.
        until = (found[SHOWN].started_at + _STEP).isoformat().replace("+00:00", "Z")
        older = filters.link("/traces", until=until, failures="1" if failures else None)
    return render(
        request,
        "traces.html",
        title="Traces",
        filters=filters,
        takes=ExecutionFilter,
        traces=found[:SHOWN],
        failures=failures,
        older=older,
    )


async def _meant(request: Request, wanted: str) -> str:
    """Return the id of a task's newest trace; what is no task is an id itself, whose page says so if nothing has it."""
    try:
        return await ask(request).newest_trace_id(wanted)
    except NotRecordedError:
        try:
            UUID(wanted)
        except ValueError:
            pass
        else:
            return wanted
        raise
