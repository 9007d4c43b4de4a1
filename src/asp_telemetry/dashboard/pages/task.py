"""`/tasks/{task_id}`: one task: its estimate against what it took, what ran for it, and its defects."""

import asyncio
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from asp_telemetry.analytics import Rows
from asp_telemetry.analytics.defects import Defect
from asp_telemetry.analytics.single_task import TaskExecution
from asp_telemetry.dashboard.asking import ask, estimator
from asp_telemetry.dashboard.figures import figure
from asp_telemetry.dashboard.formatting import NOTHING, duration, money, short
from asp_telemetry.dashboard.pages.tasks import off, status_text, task_link
from asp_telemetry.dashboard.rendering import render, segment
from asp_telemetry.dashboard.tables import Column, Table, at, linked, marked, numbers, tabled, text, under
from asp_telemetry.estimation import Comparison, FigureComparison
from asp_telemetry.estimation.figures import NAMES

_SHOWN = 200


async def task(request: Request) -> Response:
    """Answer with what is known of a task.

    Args:
        request: What is being answered; the path names the task.
    """
    task_id = request.path_params["task_id"]
    found, compared, ran, defects = await asyncio.gather(
        ask(request).task(task_id),
        estimator(request).compare(task_id),
        ask(request).task_executions(task_id, _SHOWN + 1),
        ask(request).task_defects(task_id),
    )
    return render(
        request,
        "task.html",
        title=f"Task {task_id}",
        task=found,
        state=status_text(found.status),
        figures=_compared(compared),
        executions=_executions(ran[:_SHOWN]),
        has_more=len(ran) > _SHOWN,
        shown=_SHOWN,
        defects=defect_table("Defects of the task", defects, with_task=False),
    )


def defect_table(caption: str, defects: Rows[Defect], *, with_task: bool) -> Table:
    """Return defects as they were logged.

    Args:
        caption: What the table is called.
        defects: The defects.
        with_task: Whether it says whose they are.
    """
    name: Column[Defect] = Column("Defect", lambda row: row.defect_id)
    if with_task:
        name = Column("Defect and task", lambda row: under(row.defect_id, task_link(row.task_id)))
    return tabled(
        caption,
        defects,
        name,
        Column("Found (UTC)", lambda row: at(row.created_at)),
        Column("Type", lambda row: row.defect_type.replace("_", " ")),
        Column("Severity", _severity),
        Column("Phases", lambda row: under(row.phase_injected, f"removed in {row.phase_removed}")),
        Column("Description", _description),
        Column("State", _state),
    )


def _description(row: Defect) -> str:
    return row.description if row.component_path is None else under(row.description, row.component_path)


def _severity(row: Defect) -> str:
    return marked(row.severity, "bad") if row.severity in {"Critical", "High"} else text(row.severity)


def _state(row: Defect) -> str:
    if row.false_positive:
        return "false positive"
    told = "open" if row.resolved_at is None else "resolved"
    return f"{told}, confirmed by a person" if row.validated_by_human else told


def _compared(found: Comparison) -> Table:
    def within(row: FigureComparison) -> str:
        return NOTHING if row.within_70 is None else "yes" if row.within_70 else marked("no", "bad")

    return tabled(
        "Estimated against actual",
        found.figures,
        Column("Figure", lambda row: NAMES[row.figure]),
        numbers("Estimated", lambda row: figure(row.figure, row.estimated)),
        numbers("Actual", lambda row: figure(row.figure, row.actual)),
        numbers("Off", lambda row: off(row.actual, row.estimated)),
        Column("In the 70 % range", within),
    )


def _executions(found: Sequence[TaskExecution]) -> Table:
    return tabled(
        "What ran for the task, in order; cost and tokens are those of the execution itself",
        found,
        Column("Execution", lambda row: linked(f"/traces/{segment(row.id)}", row.name)),
        Column("Kind", lambda row: text(row.kind)),
        Column("Agent role", lambda row: text(row.agent_role)),
        Column("Began (UTC)", lambda row: at(row.started_at)),
        numbers("Took", lambda row: duration(row.duration_ms)),
        Column("Status", lambda row: status_text(row.status)),
        Column("Error", lambda row: text(row.error_type)),
        numbers("Cost", lambda row: money(row.cost_usd)),
        numbers("Tokens", lambda row: short(row.tokens, "tokens")),
    )
