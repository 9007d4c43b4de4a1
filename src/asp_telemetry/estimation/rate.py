"""The historical average: PROBE's method C, as what each unit of size has taken so far."""

from collections.abc import Iterable
from math import fsum

from asp_telemetry.errors import EstimationError
from asp_telemetry.estimation.fit import Fit
from asp_telemetry.estimation.point import Point, checked

LEAST_POINTS = 2


class Rate(Fit):
    """Expect of each unit of size what it took on average: the sum of all that was taken by the sum of all sizes.

    That ratio is also the least-squares line through the origin where the variance grows with the size, which is what
    gives it intervals: https://en.wikipedia.org/wiki/Ratio_estimator

    Args:
        points: At least two finished tasks with sizes above 0.

    Attributes:
        rate: What a unit of size takes.

    Raises:
        EstimationError: If there are too few points, or some that cannot have happened.

    Example:
        >>> Rate([Point("T-1", 1, 3.0), Point("T-2", 3, 5.0)]).at(2)
        4.0
    """

    parameters = 1

    def __init__(self, points: Iterable[Point]) -> None:
        self.points = checked(points)
        if len(self.points) < LEAST_POINTS:
            raise EstimationError(
                f"an average needs at least {LEAST_POINTS} finished tasks and has {len(self.points)}; finish more first"
            )
        for point in self.points:
            if point.x == 0:
                raise EstimationError(
                    f"task {point.task_id} has a size of 0, of which there is no rate; leave it out"
                )
        self._sizes = fsum(point.x for point in self.points)
        self.rate = fsum(point.y for point in self.points) / self._sizes

    def at(self, x: float) -> float:
        """Return what is expected at a size.

        Args:
            x: The size: an estimated complexity, or a planned value in the figure's unit.

        Returns:
            What it takes, in the figure's unit: ms, tokens or USD.
        """
        return self.rate * x

    def spread(self, x: float) -> float:
        """Return the variance of one more task, as a multiple of the variance of a task of size 1.

        Args:
            x: The size: an estimated complexity, or a planned value in the figure's unit.

        Returns:
            A multiple, without unit.
        """
        return x + x * x / self._sizes

    def weight(self, point: Point) -> float:
        """Return how much a point counts: the less, the bigger it is.

        Args:
            point: A finished task that it was fitted to.

        Returns:
            One by its size.
        """
        return 1.0 / point.x

    def leverage(self, point: Point) -> float:
        """Return how much of all size a point is.

        Args:
            point: A finished task that it was fitted to.

        Returns:
            A share, from 0 to 1.
        """
        return point.x / self._sizes
