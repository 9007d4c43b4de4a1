"""The picture of an estimate: each finished task as a point, and for sizes between them what is foreseen and how surely."""

from collections.abc import Sequence
from dataclasses import dataclass

from asp_telemetry.estimation.choice import choose
from asp_telemetry.estimation.estimate import LEVELS
from asp_telemetry.estimation.figures import UNITS
from asp_telemetry.estimation.point import Point
from asp_telemetry.estimation.task import FinishedTask

_STEPS = 40


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Be what is foreseen at one size, in the unit of the figure.

    Attributes:
        complexity: The size.
        value: What is expected.
        low_70: The lower end of where 70 % of tasks will lie; like the others None where there are too few tasks to say.
        high_70: The upper end.
        low_90: The lower end for 90 %.
        high_90: The upper end.
    """

    complexity: float
    value: float
    low_70: float | None
    high_70: float | None
    low_90: float | None
    high_90: float | None


@dataclass(frozen=True, slots=True)
class Band:
    """Be the points of one figure, and the line with its ranges through them.

    Attributes:
        figure: latency_ms, tokens or api_cost_usd.
        unit: ms, tokens or USD.
        points: The finished tasks: complexity, and what each took.
        foreseen: The line with its ranges; empty where there is not enough data.
    """

    figure: str
    unit: str
    points: tuple[Point, ...]
    foreseen: tuple[Foreseen, ...]


def band(tasks: Sequence[FinishedTask], figure: str, complexity: int) -> Band:
    """Return what an estimate looks like beside the tasks that it rests on.

    Args:
        tasks: The finished tasks.
        figure: latency_ms, tokens or api_cost_usd.
        complexity: How complex the new task is thought to be; the line is that of the method chosen for it.

    Raises:
        EstimationError: If a finished task has a figure that cannot have happened.

    Example:
        >>> band([], "tokens", 18).foreseen
        ()
    """
    points = tuple(point for task in tasks if (point := task.by_complexity(figure)) is not None)
    fit = choose(points, [], complexity, None).fit
    if fit is None:
        return Band(figure, UNITS[figure], points, ())
    sizes = [complexity, *(point.x for point in points)]
    low, high = min(sizes), max(sizes)
    # A range is bent, so a line between its ends would lie; the asked size is one of the steps.
    steps = sorted({low + (high - low) * step / _STEPS for step in range(_STEPS + 1)} | {float(complexity)})
    found = []
    for size in steps:
        ranges = [fit.interval(size, level) for level in LEVELS]
        ends = [end for kept in ranges for end in ((None, None) if kept is None else (kept.low, kept.high))]
        found.append(Foreseen(size, fit.at(size), *ends))
    return Band(figure, UNITS[figure], points, tuple(found))
