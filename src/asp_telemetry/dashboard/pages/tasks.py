"""`/tasks`: what tasks were thought to take against what they took, and what a completed one costs."""

import asyncio
from decimal import Decimal
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from asp_telemetry.analytics import Rows
from asp_telemetry.analytics.accuracy import EstimateAccuracy
from asp_telemetry.analytics.filters import TaskWorkFilter
from asp_telemetry.analytics.tasks import Task, TaskCost
from asp_telemetry.dashboard.asking import ask
from asp_telemetry.dashboard.charts import Axis, FitChart, Point
from asp_telemetry.dashboard.figures import figure
from asp_telemetry.dashboard.filters import Filters
from asp_telemetry.dashboard.formatting import NOTHING, change, duration, money, number, share, short
from asp_telemetry.dashboard.rendering import render, segment
from asp_telemetry.dashboard.tables import Column, Table, at, linked, marked, numbers, tabled, text, under
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.estimation.figures import Number

STATUSES: Final = ("pending", "in_progress", "completed", "failed")
SHOWN: Final = 100
"""How many tasks are listed, the newest."""


async def tasks(request: Request) -> Response:
    """Answer with the newest tasks and with how good estimates were.

    Args:
        request: What is being answered; `status` narrows the list.
    """
    filters = Filters.read(request.query_params)
    status = request.query_params.get("status") or None
    if status is not None and status not in STATUSES:
        raise ConfigurationError(
            f"status={status} is none that a task can have; give one of {', '.join(STATUSES)}"
        )
    narrowed = filters.narrowed(TaskWorkFilter)
    found, accuracy, costs = await asyncio.gather(
        ask(request).tasks(**narrowed, status=status, limit=SHOWN + 1),
        ask(request).estimate_accuracy(**narrowed),
        ask(request).cost_per_successful_task(**narrowed),
    )
    listed = Rows(found[:SHOWN])
    return render(
        request,
        "tasks.html",
        title="Tasks",
        filters=filters,
        takes=TaskWorkFilter,
        chosen=status,
        statuses=STATUSES,
        has_more=len(found) > SHOWN,
        shown=SHOWN,
        tasks=_listed(listed),
        chart=_chart(listed),
        drawn=_drawn(listed),
        accuracy=_accuracy(accuracy),
        costs=_costs(costs),
    )


def task_link(task_id: str) -> str:
    """Return a link to the page of a task.

    Args:
        task_id: Its id.
    """
    return linked(f"/tasks/{segment(task_id)}", task_id)


def status_text(status: str) -> str:
    """Return the status of a task or an execution, whose colour says whether it is good.

    Args:
        status: As it is recorded.
    """
    told = status.replace("_", " ")
    if status in {"failed", "error", "timeout", "abandoned"}:
        return marked(told, "bad")
    return marked(told, "good") if status in {"completed", "success"} else told


def off(actual: float | Decimal | None, estimated: float | Decimal | None) -> str:
    """Return how far what a task took is off what was estimated.

    Args:
        actual: What it took.
        estimated: What was estimated.

    Example:
        >>> off(120, 100), off(None, 100)
        ('+20 %', '-')
    """
    return change(actual, estimated) or NOTHING


def _listed(found: Rows[Task]) -> Table:
    return tabled(
        "Tasks, the newest first: what they took, of what was estimated, and how far off that was",
        found,
        Column("Task", lambda row: task_link(row.task_id)),
        Column("Status", lambda row: status_text(row.status)),
        numbers("Complexity", _complexity),
        numbers(
            "Latency", lambda row: _against("latency_ms", row.actual_latency_ms, row.estimated_latency_ms)
        ),
        numbers("Tokens", lambda row: _against("tokens", row.actual_tokens, row.estimated_tokens)),
        numbers("Cost", lambda row: _against("api_cost_usd", row.actual_cost_usd, row.estimated_cost_usd)),
        numbers("Defects", lambda row: number(row.defect_count)),
        Column("Project and type", lambda row: _kind(row.project_id, row.task_type)),
        Column("Created (UTC)", lambda row: at(row.created_at)),
    )


def _kind(project: str | None, task_type: str | None) -> str:
    return text(project) if task_type is None else under(text(project), task_type)


def _against(name: str, actual: Number | None, estimated: Number | None) -> str:
    if estimated is None:
        return figure(name, actual)
    if actual is None:
        return f"{NOTHING} of {figure(name, estimated)}"
    # Tokens are named in the line above.
    told = short(round(estimated)) if name == "tokens" else figure(name, estimated)
    return under(figure(name, actual), f"of {told}, {off(actual, estimated)}")


def _complexity(row: Task) -> str:
    actual = number(row.actual_complexity)
    return actual if row.estimated_complexity is None else f"{actual} of {number(row.estimated_complexity)}"


def _chart(found: Rows[Task]) -> FitChart | None:
    points = [
        Point(row.estimated_latency_ms, row.actual_latency_ms, row.task_id)
        for row in found
        if row.estimated_latency_ms is not None and row.actual_latency_ms is not None
    ]
    if len(points) < 2:
        return None
    most = max(max(float(point.x), float(point.y)) for point in points)
    return FitChart(
        Axis("Estimated latency", "ms"),
        Axis("Actual latency", "ms"),
        points,
        line=[(0, 0), (most, most)],
        line_name="As estimated",
    )


def _drawn(found: Rows[Task]) -> Table:
    return tabled(
        "Latency of tasks",
        [row for row in found if row.estimated_latency_ms is not None and row.actual_latency_ms is not None],
        Column("Task", lambda row: task_link(row.task_id)),
        numbers("Estimated", lambda row: duration(row.estimated_latency_ms)),
        numbers("Actual", lambda row: duration(row.actual_latency_ms)),
    )


def _accuracy(found: Rows[EstimateAccuracy]) -> Table:
    return tabled(
        "How good the estimates of completed tasks were",
        [row for row in found if row.tasks],
        Column("Figure", lambda row: row.figure),
        numbers("Tasks", lambda row: number(row.tasks)),
        numbers("Mean error (MAPE)", lambda row: share(row.mape_share)),
        numbers("Off in all", lambda row: off(1 + (row.bias_share or 0), 1)),
        numbers("Within 20 %", lambda row: share(row.near_share)),
    )


def _costs(found: Rows[TaskCost]) -> Table:
    return tabled(
        "What a completed task costs, failed ones included",
        found,
        Column("Project", lambda row: text(row.project_id)),
        Column("Type", lambda row: text(row.task_type)),
        numbers("Ended", lambda row: number(row.tasks)),
        numbers("Completed", lambda row: share(row.success_rate)),
        numbers("Cost", lambda row: money(row.cost_usd)),
        numbers("Cost per completed task", lambda row: money(row.cost_per_success_usd)),
    )
