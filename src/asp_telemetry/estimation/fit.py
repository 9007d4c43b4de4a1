"""What a fitted model tells, whatever its shape: predictions, their spread, and what each point would be without itself."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import fsum, inf, sqrt
from typing import NamedTuple

from asp_telemetry.estimation.point import LEAST, Point
from asp_telemetry.estimation.student import both_tails, quantile

_UNLIKELY = 0.05
_ROUNDING = 1e-12


class Interval(NamedTuple):
    """Bound where one more task will lie.

    Attributes:
        level: How probable that is, from 0 to 1.
        low: The lower end; never below 0.
        high: The upper end.
    """

    level: float
    low: float
    high: float


class Outlier(NamedTuple):
    """Name a task that does not fit the rest.

    Attributes:
        task_id: The task.
        actual: What it took.
        expected: What the other tasks make one expect of it.
        probability: How probable a deviation as great is for the greatest of as many tasks.
    """

    task_id: str
    actual: float
    expected: float
    probability: float


class Fit(ABC):
    """Be a model of what tasks take, fitted by (weighted) least squares.

    Attributes:
        points: What it was fitted to.
        parameters: How many numbers were fitted.
    """

    points: tuple[Point, ...]
    parameters: int

    @abstractmethod
    def at(self, x: float) -> float:
        """Return what is expected at a size.

        Args:
            x: The size: an estimated complexity, or a planned value in the figure's unit.

        Returns:
            What it takes, in the figure's unit: ms, tokens or USD.
        """

    @abstractmethod
    def spread(self, x: float) -> float:
        """Return the variance of one more task at a size, as a multiple of the variance of a task of weight 1.

        Args:
            x: The size: an estimated complexity, or a planned value in the figure's unit.

        Returns:
            A multiple, without unit; not below 0.
        """

    @abstractmethod
    def weight(self, point: Point) -> float:
        """Return how much a point counts.

        Args:
            point: A finished task that it was fitted to.

        Returns:
            A factor, without unit; above 0.
        """

    @abstractmethod
    def leverage(self, point: Point) -> float:
        """Return how much a point decides what is expected of itself, from 0 to 1.

        Args:
            point: A finished task that it was fitted to.

        Returns:
            A share, from 0 to 1.
        """

    @property
    def degrees(self) -> int:
        """The degrees of freedom that are left."""
        return len(self.points) - self.parameters

    @property
    def deviation(self) -> float:
        """The standard deviation of a task of weight 1 around what is expected."""
        return sqrt(self._squares() / self.degrees) if self.degrees > 0 else 0.0

    def interval(self, x: float, level: float) -> Interval | None:
        """Return where one more task of a size will lie; None if there are too few tasks to say.

        PSP's prediction interval: t times the deviation times sqrt(1 + 1/n + (x - mean)^2 / sum of squares), its lower
        end at least 0. See W. S. Humphrey, A Discipline for Software Engineering (1995), chapter 5 and appendix A; in slides:
        https://slideplayer.com/slide/14055943

        Args:
            x: The size.
            level: How probable it shall be, from 0 to 1.
        """
        if self.degrees < 1:
            return None
        reach = quantile((1.0 + level) / 2.0, self.degrees) * self.deviation * sqrt(self.spread(x))
        middle = self.at(x)
        return Interval(level, max(middle - reach, 0.0), middle + reach)

    def left_out(self) -> list[tuple[Point, float]]:
        """Return for each point what is expected of it by the model that is fitted to all others.

        Points without which there would be no model are missing. The short way, without fitting anew:
        https://en.wikipedia.org/wiki/PRESS_statistic
        """
        return [
            (point, point.y - (point.y - self.at(point.x)) / (1.0 - leverage))
            for point in self.points
            if (leverage := self.leverage(point)) < 1.0 - _ROUNDING
        ]

    def outliers(self) -> list[Outlier]:
        """Return the points that deviate more than chance explains, by Bonferroni's test of deleted residuals.

        https://en.wikipedia.org/wiki/Studentized_residual#Internal_and_external_studentization
        """
        degrees = self.degrees - 1
        if degrees < 1:
            return []
        squares = self._squares()
        greatest = max((point.y for point in self.points), default=0.0)
        found = []
        for point, expected in self.left_out():
            room = 1.0 - self.leverage(point)
            residual = sqrt(self.weight(point)) * (point.y - self.at(point.x))
            if abs(point.y - expected) <= _ROUNDING * greatest:
                continue
            rest = squares * room - residual**2
            # Without it the others may lie on the line to the last digit: then nothing explains it.
            t = inf if rest <= _ROUNDING * squares else residual * sqrt(degrees / rest)
            probability = min(both_tails(t, degrees) * len(self.points), 1.0)
            if probability < _UNLIKELY:
                found.append(Outlier(point.task_id, point.y, max(expected, 0.0), probability))
        return found

    def _squares(self) -> float:
        return fsum(self.weight(point) * (point.y - self.at(point.x)) ** 2 for point in self.points)


class Accuracy(NamedTuple):
    """Tell how right a model is about tasks that it has not seen.

    Attributes:
        mape: The mean absolute error in percent of the actual value; None where no actual value is above 0.
        r_squared: How much of the variation it foresees: 1 is all, 0 no more than the mean does, below 0 less.
        tasks: How many tasks it was tried on.
    """

    mape: float | None
    r_squared: float | None
    tasks: int


def leave_one_out(fit: Fit) -> Accuracy:
    """Judge a model by what it says of each task when it is fitted to all others.

    Args:
        fit: The model.
    """
    tried = fit.left_out()
    errors = [abs(point.y - expected) / point.y for point, expected in tried if point.y >= LEAST]
    return Accuracy(
        mape=100.0 * fsum(errors) / len(errors) if errors else None,
        r_squared=_foreseen(tried),
        tasks=len(tried),
    )


def _foreseen(tried: Sequence[tuple[Point, float]]) -> float | None:
    if not tried:
        return None
    mean = fsum(point.y for point, _ in tried) / len(tried)
    varied = fsum((point.y - mean) ** 2 for point, _ in tried)
    if varied == 0.0:
        return None
    return 1.0 - fsum((point.y - expected) ** 2 for point, expected in tried) / varied
