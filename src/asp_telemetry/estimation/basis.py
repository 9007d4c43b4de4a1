"""What estimates rest on: by figure the method, how good it has been, and the ranges for a task of middling complexity."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

from asp_telemetry.estimation.estimate import FigureEstimate, estimate
from asp_telemetry.estimation.figures import Number
from asp_telemetry.estimation.task import FinishedTask

_NO_COMPLEXITY = 1


@dataclass(frozen=True, slots=True)
class EstimateBasis:
    """Be what the estimates of one figure rest on.

    Attributes:
        figure: latency, tokens or cost.
        unit: ms, tokens or USD: that of the estimate and its ranges.
        method: What PROBE chooses, with its letter; the reasons are what `Estimator.estimate` says.
        tasks: How many finished tasks it rests on.
        r_squared: How much of the variation the regression explains, 0 to 1; None for averages.
        mape_share: The mean absolute error, each task foreseen from all others: 0.2 is 20 %; None without tasks.
        complexity: The middling complexity of the finished tasks; None without tasks.
        estimate: What a task of that complexity will take; None where there is not enough data.
        low_70: It will take more than this and
        high_70: less than this 70 % of the time; None where there are too few tasks to say.
        low_90: It will take more than this and
        high_90: less than this 90 % of the time.
    """

    figure: str
    unit: str
    method: str
    tasks: int
    r_squared: float | None
    mape_share: float | None
    complexity: int | None
    estimate: Number | None
    low_70: Number | None
    high_70: Number | None
    low_90: Number | None
    high_90: Number | None


def basis_of(tasks: Sequence[FinishedTask]) -> list[EstimateBasis]:
    """Return what estimates rest on that are made from finished tasks, by figure.

    Args:
        tasks: The finished tasks.

    Raises:
        EstimationError: If one of them has a figure that cannot have happened.
        ConfigurationError: If scipy is not installed.

    Example:
        >>> [(found.figure, found.method) for found in basis_of([])][0]
        ('latency', 'not enough data (D)')
    """
    sizes = [task.estimated_complexity for task in tasks if task.estimated_complexity > 0]
    complexity = median_low(sizes) if sizes else None
    found = estimate(tasks, complexity or _NO_COMPLEXITY)
    return [_basis(figure, complexity) for figure in found.figures]


def _basis(found: FigureEstimate, complexity: int | None) -> EstimateBasis:
    ranges = {kept.level: (kept.low, kept.high) for kept in found.ranges}
    unknown = (None, None)
    return EstimateBasis(
        found.name,
        found.unit,
        f"{found.method_name} ({found.method})",
        found.tasks,
        found.r_squared,
        None if found.mape is None else found.mape / 100.0,
        complexity,
        found.value,
        *ranges.get(70, unknown),
        *ranges.get(90, unknown),
    )
