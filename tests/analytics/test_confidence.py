"""The limits around a difference are those of the published methods, and hold as often as they say."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asp_telemetry.analytics.confidence import difference_of_means, difference_of_shares, student_t

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20)


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.706), (2, 4.303), (5, 2.571), (10, 2.228), (30, 2.042), (100, 1.984), (1e9, 1.960)],
)
def test_quantiles_are_those_of_the_table(freedom: float, quantile: float) -> None:
    """As in the NIST handbook: https://www.itl.nist.gov/div898/handbook/eda/section3/eda3672.htm."""
    assert student_t(0.975, freedom) == pytest.approx(quantile, abs=5e-4)


@pytest.mark.parametrize(
    ("after", "before", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926), ((0, 10), (0, 10), -0.2775, 0.2775),
    ],
)  # fmt: skip
def test_shares_are_those_of_the_paper(
    after: tuple[int, int], before: tuple[int, int], low: float, high: float
) -> None:
    """As in Newcombe's table II, method 10, small and extreme samples among them."""
    found = difference_of_shares(before, after)
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


def test_limits_hold_as_often_as_they_say() -> None:
    """Of two thousand pairs of small samples with different variances about 95 % have the true difference within limits."""
    dice = Random(7)
    held = 0
    for _ in range(2000):
        found = difference_of_means(
            [dice.gauss(10, 1) for _ in range(5)], [dice.gauss(12, 4) for _ in range(9)]
        )
        assert found is not None
        held += found.low <= 2 <= found.high
    assert 0.935 <= held / 2000 <= 0.965


@given(before=NUMBERS, after=NUMBERS)
def test_a_difference_lies_within_its_limits(before: list[float], after: list[float]) -> None:
    """Whatever the values, the limits lie around the difference, and change sides when the versions do."""
    found, other = difference_of_means(before, after), difference_of_means(after, before)
    assert (found is None) == (other is None)
    if found is not None and other is not None:
        assert found.low <= found.difference <= found.high
        assert (found.low, found.high) == (pytest.approx(-other.high), pytest.approx(-other.low))


def test_too_little_tells_nothing() -> None:
    """One value has no spread, and a few that are all alike do not show how much they would vary."""
    assert difference_of_means([1.0], [2.0, 3.0]) is None
    assert difference_of_means([1.0, 1.0], [2.0, 2.0]) is None
    assert difference_of_means([1.0] * 5, [2.0] * 5) is not None
    assert difference_of_shares((0, 0), (1, 2)) is None
