"""`/choices/NAME`: names that a field of the filters suggests, asked for once somebody goes to the field."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from asp_telemetry.analytics import Analytics, Rows
from asp_telemetry.analytics.filters import Period
from asp_telemetry.dashboard.asking import ask
from asp_telemetry.dashboard.filters import Filters
from asp_telemetry.dashboard.rendering import plain_page

SUGGESTED: Final = 100
"""How many names are suggested, those that have cost the most."""

_QUESTIONS: Final[dict[str, tuple[Callable[..., Awaitable[Rows[Any]]], str]]] = {
    "project": (Analytics.cost_by_project, "project_id"),
    "role": (Analytics.cost_by_agent_role, "agent_role"),
    "model": (Analytics.cost_by_model, "model"),
    "user": (Analytics.cost_by_user, "user_id"),
}


async def choices(request: Request) -> Response:
    """Answer with the names that were recorded in a time, whatever else the page is narrowed to.

    Args:
        request: What is being answered.
    """
    name = request.path_params["name"]
    if name not in _QUESTIONS:
        raise HTTPException(404)
    question, column = _QUESTIONS[name]
    found = await question(ask(request), **Filters.read(request.query_params).narrowed(Period))
    # A model of two providers has two rows; what belongs to no project or user has no name.
    names = list(dict.fromkeys(filter(None, (getattr(row, column) for row in found))))
    return plain_page("choices.html", 200, names=names[:SUGGESTED])
