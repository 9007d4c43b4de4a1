"""PROBE's choice of a method: the best that the finished tasks support, and why not a better one.

Method A is the regression on the estimated proxy, B that on planned values, C the historical average, D says that there
is not enough data. Their conditions: W. S. Humphrey, PSP: A Self-Improvement Process for Software Engineers (2005),
chapter 6; in short at https://www.processdash.com/static/help/Topics/Planning/UsingProbeTool.html
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from asp_telemetry.errors import EstimationError
from asp_telemetry.estimation.fit import Fit
from asp_telemetry.estimation.line import Line
from asp_telemetry.estimation.point import Point
from asp_telemetry.estimation.rate import Rate

LEAST_R_SQUARED = 0.5
MOST_INTERCEPT = 0.25
SLOPES = (0.5, 2.0)
"""What the slope may be, as a multiple of the average rate; PSP's 0.5 to 2.0 are those of a rate of about 1."""

METHODS = {
    "A": "regression on estimated complexity",
    "B": "regression on planned values",
    "C": "historical average",
    "D": "not enough data",
}


class Choice(NamedTuple):
    """Say which method was chosen.

    Attributes:
        method: A, B, C or D.
        reasons: Why it, and before that why no better one: sentences.
        fit: The model; None for D.
        x: The size at which to ask it: the complexity, for B the planned value.
    """

    method: str
    reasons: tuple[str, ...]
    fit: Fit | None
    x: float


def choose(
    by_complexity: Sequence[Point],
    by_plan: Sequence[Point],
    complexity: float,
    planned: float | None,
    *,
    written: Callable[[float], str] = "{:,.4g}".format,
) -> Choice:
    """Choose the method for one figure.

    Args:
        by_complexity: Finished tasks: what each took at its estimated complexity.
        by_plan: Finished tasks: what each took at what it was planned to take.
        complexity: How complex the new task is thought to be.
        planned: What it is planned to take; None if nobody planned.
        written: Writes a value of the figure with its unit, for the reasons.

    Returns:
        The method with its reasons.

    Raises:
        EstimationError: If a finished task has a figure that cannot have happened.

    Example:
        >>> choose([Point("T-1", 1, 3.0)], [], 2, None).reasons[-1]
        'D: an average needs at least 2 finished tasks and has 1; finish more first'
    """
    reasons: list[str] = []
    for points in (by_complexity, by_plan):
        _refuse_nonsense(points)
    tried = _line("A", by_complexity, complexity, reasons, written)
    if tried is not None:
        return Choice("A", tuple(reasons), tried, complexity)
    if planned is None:
        reasons.append("not B: no planned value was given for this task")
    elif (tried := _line("B", by_plan, planned, reasons, written)) is not None:
        return Choice("B", tuple(reasons), tried, planned)
    try:
        rate = Rate(by_complexity)
    except EstimationError as error:
        return Choice("D", (*reasons, f"D: {error}"), None, complexity)
    reasons.append(f"C: the average of {len(by_complexity)} finished tasks")
    return Choice("C", tuple(reasons), rate, complexity)


def _refuse_nonsense(points: Sequence[Point]) -> None:
    # Too few are a reason for another method, a negative cost is one for none.
    for point in points:
        if point.y < 0:
            raise EstimationError(
                f"task {point.task_id} has an actual value of {point.y:g}, and nothing takes less than 0; correct it, or "
                "leave the task out"
            )


def _line(
    method: str, points: Sequence[Point], x: float, reasons: list[str], written: Callable[[float], str]
) -> Line | None:
    try:
        line = Line(points)
    except EstimationError as error:
        reasons.append(f"not {method}: {error}")
        return None
    doubts = _doubts(line, x, written, planned=method == "B")
    if doubts:
        reasons.append(f"not {method}: {'; '.join(doubts)}")
        return None
    reasons.append(
        f"{method}: {len(points)} finished tasks, r squared {line.r_squared:.2f}, and intercept and slope make sense"
    )
    return line


def _doubts(line: Line, x: float, written: Callable[[float], str], *, planned: bool) -> list[str]:
    """Say what speaks against a line."""
    doubts = []
    if line.r_squared < LEAST_R_SQUARED:
        doubts.append(f"r squared is {line.r_squared:.2f}, below {LEAST_R_SQUARED}")
    expected = line.at(x)
    if expected <= 0:
        size = f"a plan of {written(x)}" if planned else f"complexity {x:g}"
        doubts.append(f"the line foresees {written(expected)} at {size}, which is not above 0")
    elif abs(line.intercept) > MOST_INTERCEPT * expected:
        doubts.append(
            f"the intercept of {written(line.intercept)} is more than {MOST_INTERCEPT * 100:g} % of the "
            f"{written(expected)} foreseen"
        )
    sizes, taken = sum(point.x for point in line.points), sum(point.y for point in line.points)
    rate = taken / sizes
    low, high = SLOPES
    if not low * rate <= line.slope <= high * rate or line.slope <= 0:
        # What a plan became is a number of times the plan, what complexity takes is a value of the figure.
        slope, usual = (f"{one:.3g}" if planned else written(one) for one in (line.slope, rate))
        doubts.append(
            f"the slope of {slope} is not within {low:g} to {high:g} times the average rate of {usual}"
            + ("" if planned else " per unit of complexity")
        )
    return doubts
