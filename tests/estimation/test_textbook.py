"""Estimation agrees with the published results of PSP, digit by digit."""

import pytest
from textbook import ACTUAL, HOURS, NEW, PLANNED, PROXY, line, points

from asp_telemetry.estimation import leave_one_out
from asp_telemetry.estimation.choice import choose

# Test cases 1 to 4 of the assignment kit for program 3: intercept, slope, r, r squared, estimate.
REGRESSIONS = {
    "proxy to size": (PROXY, ACTUAL, -22.55, 1.7279, 0.9545, 0.9111, 644.429),
    "proxy to time": (PROXY, HOURS, -4.039, 0.1681, 0.9333, 0.8711, 60.858),
    "plan to size": (PLANNED, ACTUAL, -23.92, 1.43097, 0.9631, 0.9276, 528.4294),
    "plan to time": (PLANNED, HOURS, -4.604, 0.140164, 0.9480, 0.8988, 49.4994),
}
# Test cases 1 and 2 of the assignment kit for program 6: significance, range, upper and lower end at 70 %.
INTERVALS = {
    "proxy to size": (PROXY, ACTUAL, 1.77517e-05, 230.0017197, 874.4311035, 414.427664),
    "proxy to time": (PROXY, HOURS, 7.98203e-05, 27.55764748, 88.41565276, 33.3003578),
}


@pytest.mark.parametrize("case", REGRESSIONS)
def test_regressions_are_those_of_the_book(case):
    """The four regressions that every PSP student calculates come out alike."""
    x, y, intercept, slope, r, r_squared, expected = REGRESSIONS[case]
    found = line(x, y)
    assert found.intercept == pytest.approx(intercept, abs=0.005)
    assert found.slope == pytest.approx(slope, abs=0.00005)
    assert found.r_squared**0.5 == pytest.approx(r, abs=0.00005)
    assert found.r_squared == pytest.approx(r_squared, abs=0.00005)
    assert found.at(NEW) == pytest.approx(expected, abs=0.0005)


@pytest.mark.parametrize("case", INTERVALS)
def test_prediction_intervals_are_those_of_the_course(case):
    """Significance and the 70 % prediction interval agree to seven digits."""
    x, y, significance, reach, upper, lower = INTERVALS[case]
    found = line(x, y)
    interval = found.interval(NEW, 0.7)
    assert interval is not None
    assert found.significance == pytest.approx(significance, rel=1e-5)
    assert (interval.high - interval.low) / 2 == pytest.approx(reach, rel=1e-7)
    assert interval.high == pytest.approx(upper, rel=1e-7)
    assert interval.low == pytest.approx(lower, rel=1e-7)


def test_the_interval_of_90_percent_is_that_of_the_book():
    """The second interval of program 6A, 258 to 1030, comes out alike."""
    interval = line(PROXY, ACTUAL).interval(NEW, 0.9)
    assert interval is not None
    assert interval.high == pytest.approx(1030, abs=0.5)
    assert interval.low == pytest.approx(258, abs=0.5)


def test_the_book_s_programs_support_method_a():
    """Ten programs that correlate so well are estimated by regression on the proxy, as the book does."""
    chosen = choose(points(PROXY, ACTUAL), points(PLANNED, ACTUAL), NEW, None)
    assert chosen.method == "A"
    assert chosen.fit is not None
    assert chosen.fit.at(chosen.x) == pytest.approx(644.429, abs=0.0005)


def test_the_book_s_programs_are_foreseen_from_one_another():
    """Leave-one-out gives what fitting nine programs at a time gives."""
    accuracy = leave_one_out(line(PROXY, ACTUAL))
    errors = []
    for place in range(len(PROXY)):
        rest = line(PROXY[:place] + PROXY[place + 1 :], ACTUAL[:place] + ACTUAL[place + 1 :])
        errors.append(abs(ACTUAL[place] - rest.at(PROXY[place])) / ACTUAL[place])
    assert accuracy.mape == pytest.approx(100 * sum(errors) / len(errors), rel=1e-9)
