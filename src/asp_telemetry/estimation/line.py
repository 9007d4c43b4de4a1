"""Linear regression: PROBE's methods A and B."""

from collections.abc import Iterable
from math import fsum, inf, sqrt

from asp_telemetry.errors import EstimationError
from asp_telemetry.estimation.fit import Fit
from asp_telemetry.estimation.point import Point, checked
from asp_telemetry.estimation.student import both_tails

LEAST_POINTS = 3


class Line(Fit):
    """Fit a straight line by least squares: y = intercept + slope * x.

    The formulas: W. S. Humphrey, A Discipline for Software Engineering (1995), appendix A;
    https://en.wikipedia.org/wiki/Simple_linear_regression

    Args:
        points: At least three finished tasks of at least two sizes.

    Attributes:
        intercept: What a task of size 0 would take.
        slope: What each unit of size adds.
        r_squared: How much of the variation the line explains, from 0 to 1; 0 where nothing varies.

    Raises:
        EstimationError: If there are too few points, all of one size, or some that cannot have happened.

    Example:
        >>> line = Line([Point("T-1", 1, 3.0), Point("T-2", 2, 5.0), Point("T-3", 3, 7.0)])
        >>> line.intercept, line.slope, line.at(4)
        (1.0, 2.0, 9.0)
    """

    parameters = 2

    def __init__(self, points: Iterable[Point]) -> None:
        self.points = checked(points)
        number = len(self.points)
        if number < LEAST_POINTS:
            raise EstimationError(
                f"a regression needs at least {LEAST_POINTS} finished tasks and has {number}; finish more first"
            )
        self._mean = fsum(point.x for point in self.points) / number
        mean = fsum(point.y for point in self.points) / number
        self._width = fsum((point.x - self._mean) ** 2 for point in self.points)
        if len({point.x for point in self.points}) == 1 or self._width == 0.0:
            raise EstimationError(
                f"all {number} tasks have the same size of {self.points[0].x:g}, and one size says nothing of others; "
                "finish tasks of other sizes first"
            )
        common = fsum((point.x - self._mean) * (point.y - mean) for point in self.points)
        height = fsum((point.y - mean) ** 2 for point in self.points)
        self.slope = common / self._width
        self.intercept = mean - self.slope * self._mean
        # In this order neither product can leave the range of doubles.
        self.r_squared = 0.0 if height == 0.0 else min((common / self._width) * (common / height), 1.0)

    @property
    def significance(self) -> float:
        """How probable so close a relation is where there is none: PSP's two-sided significance, from 0 to 1."""
        if self.degrees < 1:
            return 1.0
        rest = 1.0 - self.r_squared
        return both_tails(inf if rest <= 0 else sqrt(self.r_squared * self.degrees / rest), self.degrees)

    def at(self, x: float) -> float:
        """Return what is expected at a size.

        Args:
            x: The size: an estimated complexity, or a planned value in the figure's unit.

        Returns:
            What it takes, in the figure's unit: ms, tokens or USD.
        """
        return self.intercept + self.slope * x

    def spread(self, x: float) -> float:
        """Return the variance of one more task, as a multiple of the variance around the line.

        Args:
            x: The size: an estimated complexity, or a planned value in the figure's unit.

        Returns:
            A multiple, without unit; above 1.
        """
        return 1.0 + 1.0 / len(self.points) + (x - self._mean) ** 2 / self._width

    def weight(self, point: Point) -> float:  # noqa: ARG002 - the same for all
        """Return 1: all points count alike.

        Args:
            point: A finished task that it was fitted to.
        """
        return 1.0

    def leverage(self, point: Point) -> float:
        """Return how much a point decides where the line passes it.

        Args:
            point: A finished task that it was fitted to.

        Returns:
            A share, from 0 to 1.
        """
        return 1.0 / len(self.points) + (point.x - self._mean) ** 2 / self._width
