"""An estimate: what a task of some complexity will take, within which range, by which method and why."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from math import isfinite
from typing import Any

from asp_telemetry.errors import EstimationError
from asp_telemetry.estimation.choice import METHODS, choose
from asp_telemetry.estimation.comparison import Comparison
from asp_telemetry.estimation.figures import FIGURES, NAMES, UNITS, Number, exact, shown
from asp_telemetry.estimation.fit import leave_one_out
from asp_telemetry.estimation.line import Line
from asp_telemetry.estimation.task import FinishedTask

LEVELS = (0.7, 0.9)
MAKER = "PROBE_AI"
MOST_COMPLEXITY = 2**31 - 1
"""More than that no task can have in the database."""


@dataclass(frozen=True, slots=True)
class Range:
    """Say where the figure of one task lies, `level` percent of the time."""

    level: int
    low: Number
    high: Number


@dataclass(frozen=True, slots=True)
class UnlikelyTask:
    """Name a finished task that does not fit the others; values in the unit of the figure, `probability` from 0 to 1."""

    task_id: str
    actual: Number
    expected: Number
    probability: float


@dataclass(frozen=True, slots=True)
class FigureEstimate:
    """Be the estimate of one figure.

    Attributes:
        figure: latency_ms, tokens or api_cost_usd.
        unit: ms, tokens or USD.
        value: The estimate; None where there is not enough data.
        ranges: Where it will lie 70 and 90 percent of the time; empty where there are too few tasks to say.
        method: A, B, C or D.
        method_name: What that is.
        reasons: Why that method, and why no better one.
        tasks: How many finished tasks it rests on.
        intercept: Of the regression, in the unit; None for averages.
        slope: What each unit of size adds, in the unit; for averages the rate.
        r_squared: How much of the variation the regression explains, 0 to 1.
        significance: How probable so close a relation is by chance, 0 to 1.
        mape: The mean absolute error in percent, each task foreseen from all others.
        r_squared_left_out: How much of the variation is foreseen so; below 0 where the mean would be better.
        outliers: The tasks that do not fit the others.
    """

    figure: str
    unit: str
    value: Number | None
    ranges: tuple[Range, ...]
    method: str
    method_name: str
    reasons: tuple[str, ...]
    tasks: int
    intercept: float | None = None
    slope: float | None = None
    r_squared: float | None = None
    significance: float | None = None
    mape: float | None = None
    r_squared_left_out: float | None = None
    outliers: tuple[UnlikelyTask, ...] = ()

    @property
    def name(self) -> str:
        """What people call the figure."""
        return NAMES[self.figure]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Be what a task of some complexity will take; pass it to `task(..., estimate=...)`.

    Attributes:
        complexity: How complex the task is thought to be.
        figures: latency_ms, tokens and api_cost_usd, in this order.
        notes: What else one should know: sentences.
    """

    complexity: int
    figures: tuple[FigureEstimate, ...]
    notes: tuple[str, ...] = ()

    def __getitem__(self, figure: str) -> FigureEstimate:
        """Return the estimate of one figure.

        Args:
            figure: latency_ms, tokens or api_cost_usd.
        """
        return next(found for found in self.figures if found.figure == figure)

    @property
    def vector(self) -> dict[str, float]:
        """The estimated cost vector as `task_metadata` keeps it: latency_ms, tokens, api_cost_usd, where known."""
        return {
            found.figure: found.value if isinstance(found.value, int) else float(found.value)
            for found in self.figures
            if found.value is not None
        }

    def task_facts(self) -> dict[str, Any]:
        """Return what is recorded of the task: the complexity, the vector, and in the metadata how it was made."""
        made = {
            "by": MAKER,
            "methods": {found.figure: found.method for found in self.figures},
            "ranges": {
                found.figure: {str(kept.level): [float(kept.low), float(kept.high)] for kept in found.ranges}
                for found in self.figures
                if found.ranges
            },
        }
        return {
            "estimated_complexity": self.complexity,
            "estimated_cost_vector": self.vector,
            "metadata": {"estimate": made},
        }

    def as_dict(self) -> dict[str, Any]:
        """Return everything as dicts and lists, for JSON."""
        return {
            "complexity": self.complexity,
            "figures": [asdict(found) for found in self.figures],
            "notes": list(self.notes),
        }

    def report_actual(self, task_id: str, report: Callable[[Comparison], object]) -> None:
        """Tell how a task that has just ended compares; called by `task()`.

        Args:
            task_id: The task.
            report: Called with the comparison.
        """
        from asp_telemetry.estimation.ending import outcome  # noqa: PLC0415 - few ask for it

        found = outcome(task_id)
        if found is not None:
            report(found)

    async def areport_actual(self, task_id: str, report: Callable[[Comparison], object]) -> None:
        """Do as `report_actual`, without blocking the event loop.

        Args:
            task_id: The task.
            report: Called with the comparison.
        """
        from asp_telemetry.estimation.ending import aoutcome  # noqa: PLC0415 - few ask for it

        found = await aoutcome(task_id)
        if found is not None:
            report(found)


def estimate(
    tasks: Iterable[FinishedTask],
    complexity: int,
    *,
    planned: Mapping[str, float] | None = None,
    without: Sequence[str] = (),
) -> Estimate:
    """Estimate what a task will take from tasks that are finished.

    Args:
        tasks: The finished tasks.
        complexity: How complex the task is thought to be; from 1 to `MOST_COMPLEXITY`.
        planned: What it is planned to take, by figure: latency_ms, tokens, api_cost_usd. Opens method B.
        without: Ids of finished tasks to leave out, such as outliers with a reason.

    Returns:
        The estimate of each figure, with its method and ranges.

    Raises:
        EstimationError: If the complexity makes no sense, or a finished task has a figure that cannot have happened.
        ConfigurationError: If scipy is not installed.

    Example:
        >>> estimate([], 18)["tokens"].method_name
        'not enough data'
    """
    if not 1 <= complexity <= MOST_COMPLEXITY:
        raise EstimationError(
            f"complexity has the value {complexity}; give how complex the task is, from 1 to {MOST_COMPLEXITY}"
        )
    plan = _checked_plan(planned or {})
    left, used = set(without), []
    for task in tasks:
        if task.task_id in without:
            left.discard(task.task_id)
        else:
            used.append(task)
    figures = tuple(_figure(figure, used, complexity, plan.get(figure)) for figure in FIGURES)
    return Estimate(complexity, figures, (*_unfound(left), *_notes(used, complexity)))


def expected(tasks: Sequence[FinishedTask], complexity: int) -> dict[str, float]:
    """Return the vector of an estimate alone, by figure where known: quicker, and without scipy.

    Args:
        tasks: The finished tasks.
        complexity: How complex the task is thought to be; at least 1.

    Raises:
        EstimationError: If a finished task has a figure that cannot have happened.

    Example:
        >>> expected([], 18)
        {}
    """
    found = {}
    for figure in FIGURES:
        points = [point for task in tasks if (point := task.by_complexity(figure)) is not None]
        choice = choose(points, [], complexity, None)
        if choice.fit is not None:
            found[figure] = choice.fit.at(choice.x)
    return found


def _checked_plan(planned: Mapping[str, float]) -> Mapping[str, float]:
    for figure, value in planned.items():
        if figure not in FIGURES:
            raise EstimationError(f"planned has a figure {figure!r}; known are {', '.join(FIGURES)}")
        if not isfinite(value) or value <= 0:
            raise EstimationError(
                f"planned {figure} has the value {value}; give a number above 0, in {UNITS[figure]}"
            )
    return planned


def _figure(
    figure: str, tasks: Sequence[FinishedTask], complexity: int, planned: float | None
) -> FigureEstimate:
    by_complexity = [point for task in tasks if (point := task.by_complexity(figure)) is not None]
    by_plan = [point for task in tasks if (point := task.by_plan(figure)) is not None]
    choice = choose(by_complexity, by_plan, complexity, planned, written=partial(shown, figure))
    named = (choice.method, METHODS[choice.method], choice.reasons)
    fit = choice.fit
    if fit is None:
        return FigureEstimate(figure, UNITS[figure], None, (), *named, len(by_complexity))
    accuracy = leave_one_out(fit)
    intervals = [found for level in LEVELS if (found := fit.interval(choice.x, level)) is not None]
    line = fit if isinstance(fit, Line) else None
    return FigureEstimate(
        figure,
        UNITS[figure],
        exact(figure, fit.at(choice.x)),
        tuple(
            Range(round(100 * kept.level), exact(figure, kept.low), exact(figure, kept.high))
            for kept in intervals
        ),
        *named,
        len(fit.points),
        intercept=None if line is None else line.intercept,
        slope=fit.at(1.0) if line is None else line.slope,
        r_squared=None if line is None else line.r_squared,
        significance=None if line is None else line.significance,
        mape=accuracy.mape,
        r_squared_left_out=accuracy.r_squared,
        outliers=tuple(
            UnlikelyTask(
                found.task_id,
                exact(figure, found.actual),
                exact(figure, found.expected),
                found.probability,
            )
            for found in fit.outliers()
        ),
    )


def _unfound(left: Iterable[str]) -> Iterator[str]:
    names = ", ".join(sorted(left))
    if names:
        yield f"not among the finished tasks, so nothing was left out for: {names}"


def _notes(tasks: Sequence[FinishedTask], complexity: int) -> list[str]:
    notes = []
    sized = [task.estimated_complexity for task in tasks if task.estimated_complexity > 0]
    if len(sized) < len(tasks):
        notes.append(
            f"left out, because their estimated complexity is not above 0: {len(tasks) - len(sized)}"
        )
    if sized and not min(sized) <= complexity <= max(sized):
        notes.append(
            f"{complexity} lies outside of the complexities seen so far, {min(sized)} to {max(sized)}: the ranges hold "
            "only if what is bigger or smaller behaves alike"
        )
    return notes
