"""`/traces/{id}`: one trace as a waterfall, and all that is known of one execution in it."""

import json
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from asp_telemetry.analytics import Trace, TracedExecution
from asp_telemetry.dashboard.asking import ask
from asp_telemetry.dashboard.filters import Filters
from asp_telemetry.dashboard.rendering import render
from asp_telemetry.dashboard.waterfall import scale, waterfall
from asp_telemetry.errors import ConfigurationError

LINES: Final = 500
"""How many lines of a waterfall are on a page."""
_LONGEST: Final = 20_000
_WAITS: Final = 5


async def trace(request: Request) -> Response:
    """Answer with the trace that an execution belongs to.

    Args:
        request: What is being answered; its path has the id of any execution of the trace.
    """
    filters = Filters.read(request.query_params)
    asked = request.path_params["id"]
    found = await ask(request).trace(asked)
    lines = waterfall(found)
    start = _start(request, len(lines))
    chosen = found.find(found.asked_for) if found.asked_for else next(iter(found.roots), None)
    roles = {execution.id: execution.agent_role for _, execution in found.walk()}
    longest = sorted(found.critical_path, key=lambda step: step.duration_ms, reverse=True)[:_WAITS]
    return render(
        request,
        "trace.html",
        title=f"Trace of {_name(found)}",
        trace=found,
        lines=lines[start : start + LINES],
        line_count=len(lines),
        start=start,
        page=LINES,
        scale=scale(found),
        chosen=chosen,
        contents=[] if chosen is None else _contents(chosen),
        waits=[(step, roles[step.execution_id]) for step in longest],
        links=filters,
    )


def _start(request: Request, count: int) -> int:
    text = request.query_params.get("from", "0")
    try:
        start = int(text)
    except ValueError:
        start = -1
    if not 0 <= start < max(count, 1):
        raise ConfigurationError(f"from={text} is no line of this trace; give a number from 0 to {count - 1}")
    return start


def _name(found: Trace) -> str:
    first = next(iter(found.roots), None)
    if first is None:
        return found.root_id
    return f"task {first.task_id}" if first.kind == "task" and first.task_id else first.name


def _contents(chosen: TracedExecution) -> list[tuple[str, str, int]]:
    """Return what was recorded of what went in and came out: label, text, and how many characters were left out."""
    found = []
    for label, value in (
        ("Input", chosen.input),
        ("Output", chosen.output),
        ("Prompt", chosen.prompt_text),
        ("Context", chosen.context),
        ("Usage", chosen.usage),
    ):
        if value is not None:
            text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
            found.append((label, text[:_LONGEST], max(len(text) - _LONGEST, 0)))
    return found
