"""`asp-telemetry estimate`: prints what a task will take, the range, the method and why; stores it; compares it."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Annotated, Any

import anyio
import typer

from asp_telemetry.bootstrap.capability import percent
from asp_telemetry.cli.options import DatabaseOption, DbPathOption, JsonOption, chosen_period, chosen_settings
from asp_telemetry.cli.output import print_json, print_table
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.estimation import Comparison, Estimate, Estimator, FigureComparison, FigureEstimate
from asp_telemetry.estimation.estimator import MOST_TASKS
from asp_telemetry.estimation.figures import NAMES, Number, shown


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("estimate", short_help="Estimate what a task will take.")(run_estimate)


def run_estimate(
    *,
    complexity: Annotated[
        int | None,
        typer.Option("--complexity", metavar="N", help="How complex the task is thought to be, at least 1."),
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", metavar="ID", help="Learn from this project's tasks alone.")
    ] = None,
    task_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Learn from tasks of this type alone.")
    ] = None,
    days: Annotated[
        float | None,
        typer.Option("--days", metavar="N", help="Learn from tasks completed in the last N days alone."),
    ] = None,
    most: Annotated[
        int, typer.Option("--most", metavar="N", min=1, help="Learn from the newest N finished tasks.")
    ] = MOST_TASKS,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="TASK-ID", help="Leave a finished task out; may be repeated."),
    ] = None,
    planned_latency_ms: Annotated[
        float | None, typer.Option("--planned-latency-ms", metavar="MS", help="What is planned, in ms.")
    ] = None,
    planned_tokens: Annotated[
        float | None, typer.Option("--planned-tokens", metavar="N", help="What is planned, in tokens.")
    ] = None,
    planned_cost: Annotated[
        float | None, typer.Option("--planned-cost", metavar="USD", help="What is planned, in USD.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option("--store", metavar="TASK-ID", help="Store it as the estimate of this task."),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option("--compare", metavar="TASK-ID", help="Compare this task with its estimate instead."),
    ] = None,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate latency, tokens and cost of a task from finished tasks, by the PROBE method of PSP.

    Prints the estimate, the ranges in which it lies 70 and 90 % of the time, the method and why it was chosen. Planned
    values open the regression on planned values, if complexity foresees too little.
    """
    if (complexity is None) == (compare is None):
        raise ConfigurationError("give either --complexity N to estimate, or --compare TASK-ID")
    url = chosen_settings(database, db_path).database
    if compare is not None:
        _print_comparison(anyio.run(_compare, url, compare), as_json=as_json)
        return
    assert complexity is not None
    planned = {
        figure: value
        for figure, value in (
            ("latency_ms", planned_latency_ms),
            ("tokens", planned_tokens),
            ("api_cost_usd", planned_cost),
        )
        if value is not None
    }
    filters = {
        "project_id": project,
        "task_type": task_type,
        "since": chosen_period(days, None, None)[0],
        "most": most,
    }
    found = anyio.run(_estimate, url, complexity, planned, without or [], filters, store)
    if as_json:
        print_json({**found.as_dict(), "stored": store})
        return
    _print(found, is_narrowed=project is not None or task_type is not None)
    if store is not None:
        print(f"stored as the estimate of {store}")


async def _estimate(
    url: str,
    complexity: int,
    planned: dict[str, float],
    without: list[str],
    filters: Any,
    store: str | None,
) -> Estimate:
    async with Estimator(url) as estimator:
        found = await estimator.estimate(complexity, planned=planned, without=without, **filters)
        if store is not None:
            if not found.vector:
                raise ConfigurationError(
                    f"nothing was stored for {store}: there is not enough data for an estimate; finish tasks with an "
                    "estimated complexity first"
                )
            await estimator.store(store, found)
        return found


async def _compare(url: str, task_id: str) -> Comparison:
    async with Estimator(url) as estimator:
        return await estimator.compare(task_id)


def _print(found: Estimate, *, is_narrowed: bool) -> None:
    print(f"a task of complexity {found.complexity} will take:")
    print_table(
        ["", "estimate", "70 % of the time", "90 % of the time"],
        [
            [
                told.name,
                "unknown" if told.value is None else shown(told.figure, told.value),
                _range(told, 70),
                _range(told, 90),
            ]
            for told in found.figures
        ],
    )
    # Nothing recorded for a name is told by a note: to finish more would be the wrong advice.
    is_unheard_of = is_narrowed and not any(told.tasks for told in found.figures)
    for (method, *why), alike in _alike(found.figures).items():
        print(f"{', '.join(alike)}: {method}")
        for line in () if is_unheard_of else why:
            print(f"  {line}")
    for note in found.notes:
        print(f"note: {note}")


def _alike(figures: Iterable[FigureEstimate]) -> dict[tuple[str, ...], list[str]]:
    """Return the names of the figures by what is said of them, so that it is said once."""
    found: dict[tuple[str, ...], list[str]] = {}
    for told in figures:
        method = f"{told.method_name} (method {told.method})"
        found.setdefault((method, *_why(told)), []).append(told.name)
    return found


def _range(told: FigureEstimate, level: int) -> str | None:
    for kept in told.ranges:
        if kept.level == level:
            low, high = shown(told.figure, kept.low), shown(told.figure, kept.high)
            # The unit stands once where both have the same: 500 ms to 2 s have not.
            unit = f" {high.split()[-1]}"
            return f"{low.removesuffix(unit)} to {high}"
    return None


def _why(told: FigureEstimate) -> Iterator[str]:
    yield from told.reasons
    if told.mape is not None:
        foreseen = told.r_squared_left_out
        rest = "" if foreseen is None else f", r squared {foreseen:.2f}"
        yield f"each task foreseen from the others: wrong by {percent(told.mape)} on average (MAPE){rest}"
    for outlier in told.outliers:
        yield (
            f"does not fit: {outlier.task_id} took {shown(told.figure, outlier.actual)}, expected "
            f"{shown(told.figure, outlier.expected)}; if you know why, use --without {outlier.task_id}"
        )


def _print_comparison(found: Comparison, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(found))
        return
    print(f"{found.task_id}: {found.status}")
    rows: list[list[object]] = [
        ["complexity", found.estimated_complexity, found.actual_complexity, None, None]
    ]
    rows += [
        [
            NAMES[told.figure],
            _figure(told, told.estimated),
            _figure(told, told.actual),
            None if told.error_percent is None else f"{told.error_percent:+.1f} %",
            {True: "yes", False: "no", None: None}[told.within_70],
        ]
        for told in found.figures
    ]
    print_table(["", "estimated", "actual", "error", "in the 70 % range"], rows)


def _figure(told: FigureComparison, value: Number | None) -> str | None:
    return None if value is None else shown(told.figure, value)
