"""One finished task as a regression sees it: how big it was thought to be, and what it took."""

from collections.abc import Iterable
from typing import NamedTuple

from asp_telemetry.errors import EstimationError

GREATEST = 1e15
"""More of anything no task can take: each of its metrics is below 1e14 in the database."""

LEAST = 1e-10
"""What is less is counted in no figure, and an error in percent of it would be beyond all numbers: it is as good as 0."""


class Point(NamedTuple):
    """Pair a size with what became of it.

    Attributes:
        task_id: Whose it is.
        x: The proxy: the estimated complexity, or a planned value.
        y: What it took, in the unit of the figure.
    """

    task_id: str
    x: float
    y: float


def checked(points: Iterable[Point]) -> tuple[Point, ...]:
    """Return points of which all could have happened.

    Args:
        points: The finished tasks.

    Raises:
        EstimationError: If a number is negative, infinite or none at all.

    Example:
        >>> checked([Point("T-1", 5, 20.0)])
        (Point(task_id='T-1', x=5, y=20.0),)
    """
    found = tuple(points)
    for point in found:
        for name, value in (("a size", point.x), ("an actual value", point.y)):
            if not 0 <= value <= GREATEST:
                raise EstimationError(
                    f"task {point.task_id} has {name} of {value}, but none is below 0 or above {GREATEST:g}; correct it, or "
                    "leave the task out"
                )
    return found
