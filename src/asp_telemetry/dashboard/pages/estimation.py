"""`/estimation`: what a task of some complexity will take, within which range, by which method and why."""

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple, TypedDict
from urllib.parse import urlencode

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from asp_telemetry.dashboard.asking import estimator
from asp_telemetry.dashboard.charts import Axis, FitChart, Point
from asp_telemetry.dashboard.charts import Band as DrawnBand
from asp_telemetry.dashboard.figures import AXES, between, figure
from asp_telemetry.dashboard.filters import Filters
from asp_telemetry.dashboard.formatting import NOTHING, number, share
from asp_telemetry.dashboard.pages.tasks import task_link
from asp_telemetry.dashboard.rendering import render
from asp_telemetry.dashboard.tables import Column, Table, linked, numbers, tabled
from asp_telemetry.errors import ConfigurationError, EstimationError
from asp_telemetry.estimation import (
    Band,
    Estimate,
    FigureEstimate,
    FinishedTask,
    Foreseen,
    UnlikelyTask,
    band,
    estimate,
)
from asp_telemetry.estimation.estimate import MOST_COMPLEXITY

DEFAULT_COMPLEXITY: Final = 18


class OfProject(TypedDict, total=False):
    """Narrow an estimate to the tasks of a project; it learns from the newest, of whatever time."""

    project: str | None


class Drawing(NamedTuple):
    """Be one figure of the estimate, drawn and explained."""

    figure: FigureEstimate
    chart: FitChart | None
    steps: Table
    outliers: Table


async def estimation(request: Request) -> Response:
    """Answer with an estimate, its picture and its reasons.

    Args:
        request: What is being answered; `complexity`, `type` and `without` say what is estimated from what.
    """
    filters = Filters.read(request.query_params)
    complexity = _complexity(request.query_params.get("complexity"))
    task_type = request.query_params.get("type") or None
    without = [task_id for task_id in request.query_params.getlist("without") if task_id]
    found = await estimator(request).finished_tasks(project_id=filters.project, task_type=task_type)
    trouble, told = "", None
    drawings: list[Drawing] = []
    try:
        # A thousand tasks take a moment, in which others shall be answered, too.
        told, drawings = await anyio.to_thread.run_sync(
            partial(_estimated, found, complexity, without, request)
        )
    except (EstimationError, ConfigurationError) as error:
        trouble = str(error)
    return render(
        request,
        "estimation.html",
        title="Estimation",
        filters=filters,
        takes=OfProject,
        complexity=complexity,
        task_type=task_type,
        without=without,
        finished=len(found),
        trouble=trouble,
        summary=None if told is None else _summary(told),
        notes=() if told is None else told.notes,
        drawings=drawings,
    )


def _complexity(text: str | None) -> int:
    if not text:
        return DEFAULT_COMPLEXITY
    try:
        found = int(text)
    except ValueError:
        found = 0
    if not 1 <= found <= MOST_COMPLEXITY:
        raise ConfigurationError(
            f"complexity={text} is none that a task can have; give a whole number from 1 to {MOST_COMPLEXITY}"
        )
    return found


def _estimated(
    found: Sequence[FinishedTask], complexity: int, without: Sequence[str], request: Request
) -> tuple[Estimate, list[Drawing]]:
    told = estimate(found, complexity, without=without)
    used = [task for task in found if task.task_id not in without]
    drawings = []
    for one in told.figures:
        picture = band(used, one.figure, complexity)
        drawings.append(
            Drawing(one, _chart(picture, one, complexity), _steps(picture), _outliers(one, request))
        )
    return told, drawings


def _summary(told: Estimate) -> Table:
    def within(level: int) -> Column[FigureEstimate]:
        def ends(row: FigureEstimate) -> str:
            kept = next((one for one in row.ranges if one.level == level), None)
            if kept is None:
                return NOTHING
            return between(row.figure, kept.low, "to", kept.high)

        return numbers(f"{level} % of the time", ends)

    return tabled(
        f"What a task of complexity {told.complexity} will take",
        told.figures,
        Column("Figure", lambda row: row.name),
        numbers("Estimate", lambda row: figure(row.figure, row.value)),
        within(70),
        within(90),
        Column("Method", lambda row: f"{row.method}: {row.method_name}"),
        numbers("Tasks", lambda row: number(row.tasks)),
        numbers("r squared", lambda row: number(row.r_squared)),
        numbers("Mean error (MAPE)", lambda row: share(None if row.mape is None else row.mape / 100)),
    )


def _chart(picture: Band, told: FigureEstimate, complexity: int) -> FitChart | None:
    if not picture.points:
        return None
    return FitChart(
        Axis("Estimated complexity"),
        AXES[picture.figure],
        [Point(point.x, point.y, point.task_id) for point in picture.points],
        line=[(step.complexity, step.value) for step in picture.foreseen],
        line_name="Regression" if told.r_squared is not None else "Average",
        bands=[
            DrawnBand(f"{level} % of tasks", ranges)
            for level, ranges in ((70, _ranges(picture, 70)), (90, _ranges(picture, 90)))
            if ranges
        ],
        marked=None
        if told.value is None
        else Point(complexity, told.value, f"complexity {complexity}, estimated"),
    )


def _ranges(picture: Band, level: int) -> list[tuple[float, float, float]]:
    return [
        (step.complexity, low, high)
        for step in picture.foreseen
        if (low := getattr(step, f"low_{level}")) is not None
        and (high := getattr(step, f"high_{level}")) is not None
    ]


def _steps(picture: Band) -> Table:
    def ends(level: int) -> Column[Foreseen]:
        def written(step: Foreseen) -> str:
            low, high = getattr(step, f"low_{level}"), getattr(step, f"high_{level}")
            if low is None or high is None:
                return NOTHING
            return between(picture.figure, low, "to", high)

        return numbers(f"{level} % of tasks", written)

    return tabled(
        f"{AXES[picture.figure].title} foreseen, by complexity",
        picture.foreseen,
        Column("Complexity", lambda step: number(step.complexity)),
        numbers("Foreseen", lambda step: figure(picture.figure, step.value)),
        ends(70),
        ends(90),
    )


def _outliers(told: FigureEstimate, request: Request) -> Table:
    def left_out(row: UnlikelyTask) -> str:
        kept = [*request.query_params.multi_items(), ("without", row.task_id)]
        return linked(f"{request.url.path}?{urlencode(kept)}", "estimate without it")

    return tabled(
        "Tasks that do not fit the others",
        told.outliers,
        Column("Task", lambda row: task_link(row.task_id)),
        numbers("Took", lambda row: figure(told.figure, row.actual)),
        numbers("Expected", lambda row: figure(told.figure, row.expected)),
        Column("If you know why", left_out),
    )
