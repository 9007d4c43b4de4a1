"""Says how sure a difference is: 95 % intervals around it, exact for few values as well as for many."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, fsum, lgamma, log, log1p, sqrt
from statistics import NormalDist
from typing import Final

_LEVEL: Final = 0.95
_FEWEST_ALIKE: Final = 5
"""So many values on each side have to be all alike before that is taken for certainty."""
_TINY: Final = 1e-300
_STEPS: Final = 10_000


@dataclass(frozen=True)
class Interval:
    """Be a difference, and the limits between which it lies with a confidence of 95 %."""

    difference: float
    low: float
    high: float


def mean(values: Sequence[float]) -> float | None:
    """Return the mean, the same in whatever order the values come; None of nothing.

    Args:
        values: The values, in any unit.

    Example:
        >>> mean([1.0, 2.0, 4.5])
        2.5
    """
    return fsum(values) / len(values) if values else None


def difference_of_means(before: Sequence[float], after: Sequence[float]) -> Interval | None:
    """Return by how much the mean has changed, by Welch's method, which asks for no equal variances.

    Source: B. L. Welch, Biometrika 34, 1947, https://doi.org/10.1093/biomet/34.1-2.28

    Args:
        before: At least two values.
        after: At least two values.

    Returns:
        The change and its interval; None with fewer values, or with fewer than five that do not vary at all, which says
        nothing about how much they would.

    Example:
        >>> found = difference_of_means([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
        >>> round(found.difference, 3), round(found.low, 3), round(found.high, 3)
        (3.0, 0.733, 5.267)
    """
    if len(before) < 2 or len(after) < 2:
        return None
    means = [fsum(values) / len(values) for values in (before, after)]
    errors = [
        fsum((value - middle) ** 2 for value in values) / (len(values) - 1) / len(values)
        for values, middle in zip((before, after), means, strict=True)
    ]
    difference, error = means[1] - means[0], fsum(errors)
    if error == 0 and difference and min(len(before), len(after)) < _FEWEST_ALIKE:
        return None
    if error == 0:
        return Interval(difference, difference, difference)
    # As parts of their sum, because the squares of very small errors would be 0.
    parts = [one / error for one in errors]
    freedom = 1 / (parts[0] ** 2 / (len(before) - 1) + parts[1] ** 2 / (len(after) - 1))
    reach = student_t((1 + _LEVEL) / 2, freedom) * sqrt(error)
    return Interval(difference, difference - reach, difference + reach)


def difference_of_shares(before: tuple[int, int], after: tuple[int, int]) -> Interval | None:
    """Return by how much a share has changed, by Newcombe's hybrid score method, which holds near 0 and 1 as well.

    Source: R. G. Newcombe, Statistics in Medicine 17, 1998, method 10,
    https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I

    Args:
        before: How many did, of how many.
        after: The same later.

    Returns:
        The change and its interval, from -1 to 1; None if one of them is of nothing.

    Example:
        >>> found = difference_of_shares((48, 80), (56, 70))
        >>> round(found.difference, 4), round(found.low, 4), round(found.high, 4)
        (0.2, 0.0524, 0.3339)
    """
    if not before[1] or not after[1]:
        return None
    first, second = before[0] / before[1], after[0] / after[1]
    first_low, first_high = _wilson(*before)
    second_low, second_high = _wilson(*after)
    difference = second - first
    return Interval(
        difference,
        difference - sqrt((second - second_low) ** 2 + (first_high - first) ** 2),
        difference + sqrt((second_high - second) ** 2 + (first - first_low) ** 2),
    )


def student_t(probability: float, freedom: float) -> float:
    """Return the quantile of Student's t distribution.

    Args:
        probability: From 0.5 to less than 1.
        freedom: Degrees of freedom, greater than 0; need not be whole.

    Example:
        >>> round(student_t(0.975, 10), 4)
        2.2281
    """
    low, high = 0.0, 1.0
    while _above(high, freedom) > 1 - probability:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in {low, high}:
            break
        low, high = (middle, high) if _above(middle, freedom) > 1 - probability else (low, middle)
    return (low + high) / 2


def _above(value: float, freedom: float) -> float:
    """Return the probability of more than a value: https://dlmf.nist.gov/8.17.E5 with x = freedom / (freedom + t²)."""
    return (
        _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + value * value), value * value / freedom) / 2
    )


def _incomplete_beta(a: float, b: float, x: float, odds: float) -> float:
    """Return the regularised incomplete beta function: https://dlmf.nist.gov/8.17.E22, by Lentz's method.

    Args:
        a: First parameter.
        b: Second parameter.
        x: From 0 to 1.
        odds: (1 - x) / x, given apart because 1 - x loses its digits where x is near 1.
    """
    if x >= 1 or odds == 0:
        return 1.0
    rest = odds * x
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) - a * log1p(odds) + b * log(rest))
    if x > (a + 1) / (a + b + 2):
        return 1 - front * _fraction(b, a, rest) / b
    return front * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function, https://dlmf.nist.gov/3.10#iii says how."""
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d or _TINY)
    found = d
    for m in range(1, _STEPS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / ((1 + term * d) or _TINY)
            c = (1 + term / c) or _TINY
            change = c * d
            found *= change
        if abs(change - 1) < 1e-15:
            break
    return found


def _wilson(did: int, of: int) -> tuple[float, float]:
    """Return the Wilson interval of a share."""
    z = NormalDist().inv_cdf((1 + _LEVEL) / 2)
    middle = 2 * did + z * z
    reach = z * sqrt(z * z + 4 * did * (of - did) / of)
    return (middle - reach) / (2 * (of + z * z)), (middle + reach) / (2 * (of + z * z))
