"""The statistics agree with scipy and with the definitions, whatever the data; nonsense is refused with a sentence."""

from math import fsum, inf, nan, sqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as some
from scipy import stats

from asp_telemetry.errors import EstimationError
from asp_telemetry.estimation import Line, Point, Rate, leave_one_out

sizes = some.one_of(some.integers(1, 1000).map(float), some.floats(0.5, 1e4))
values = some.one_of(some.integers(0, 10_000).map(float), some.floats(0, 1e7))
clouds = some.lists(some.tuples(sizes, values), min_size=3, max_size=30).map(
    lambda pairs: [Point(f"T-{place}", *pair) for place, pair in enumerate(pairs)]
)


def spread_out(cloud: list[Point]) -> bool:
    """Tell whether the sizes differ by more than rounding errors."""
    xs = [point.x for point in cloud]
    return max(xs) - min(xs) > 1e-3 * max(xs)


@settings(max_examples=300, deadline=None)
@given(clouds.filter(spread_out))
def test_a_line_is_that_of_scipy(cloud):
    """Slope, intercept, correlation and significance are those of scipy.stats.linregress."""
    xs, ys = [point.x for point in cloud], [point.y for point in cloud]
    scale = max(*ys, 1e-9)
    found = Line(cloud)
    expected = stats.linregress(xs, ys)
    assert found.slope == pytest.approx(expected.slope, rel=1e-6, abs=1e-9 * scale)
    assert found.intercept == pytest.approx(expected.intercept, rel=1e-6, abs=1e-6 * scale)
    if np.ptp(ys) > 1e-6 * scale:
        assert found.r_squared == pytest.approx(expected.rvalue**2, rel=1e-5, abs=1e-9)
        assume(found.r_squared < 1 - 1e-9)
        assert found.significance == pytest.approx(expected.pvalue, rel=1e-3, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(clouds.filter(spread_out), sizes, some.sampled_from([0.5, 0.7, 0.9, 0.99]))
def test_an_interval_is_that_of_the_definition(cloud, x, level):
    """The reach is t times the standard error of a prediction, as linregress and scipy's t distribution give it."""
    xs, ys = np.array([point.x for point in cloud]), np.array([point.y for point in cloud])
    found = Line(cloud)
    expected = stats.linregress(xs, ys)
    residuals = ys - (expected.intercept + expected.slope * xs)
    error = sqrt(
        fsum(residuals**2)
        / (len(xs) - 2)
        * (1 + 1 / len(xs) + (x - xs.mean()) ** 2 / fsum((xs - xs.mean()) ** 2))
    )
    reach = stats.t.ppf((1 + level) / 2, len(xs) - 2) * error
    interval = found.interval(x, level)
    assert interval is not None
    tolerance = 1e-6 * max(*map(abs, ys), abs(found.at(x)), 1e-9)
    assert interval.high == pytest.approx(found.at(x) + reach, rel=1e-4, abs=tolerance)
    assert interval.low == pytest.approx(max(found.at(x) - reach, 0), rel=1e-4, abs=tolerance)
    assert 0 <= interval.low <= interval.high or found.at(x) < 0


@settings(max_examples=100, deadline=None)
@given(clouds, sizes)
def test_an_average_is_the_regression_of_numpy_through_the_origin(cloud, x):
    """The historical average, its deviation and its interval are those of weighted least squares."""
    xs, ys = np.array([point.x for point in cloud]), np.array([point.y for point in cloud])
    design = np.sqrt(xs)  # x and y divided by the root of x
    [expected], *_ = np.linalg.lstsq(design[:, None], ys / np.sqrt(xs))
    found = Rate(cloud)
    assert found.rate == pytest.approx(expected, rel=1e-8, abs=1e-9)
    error = fsum((ys / np.sqrt(xs) - expected * design) ** 2) / (len(xs) - 1)
    interval = found.interval(x, 0.7)
    assert interval is not None
    reach = stats.t.ppf(0.85, len(xs) - 1) * sqrt(error * (x + x * x / fsum(xs)))
    assert interval.high - found.at(x) == pytest.approx(reach, rel=1e-4, abs=1e-6 * max(*ys, 1e-9))


@settings(max_examples=100, deadline=None)
@given(clouds.filter(spread_out))
def test_leaving_one_out_is_fitting_anew(cloud):
    """The short way to leave-one-out foresees what the model says that is fitted to all others."""
    scale = max(*(point.y for point in cloud), 1e-9)
    for fit, model in ((Line(cloud), Line), (Rate(cloud), Rate)):
        for point, expected in fit.left_out():
            rest = [other for other in cloud if other.task_id != point.task_id]
            if model is Line and (len(rest) < 3 or not spread_out(rest)):
                continue
            assert model(rest).at(point.x) == pytest.approx(expected, rel=1e-4, abs=1e-4 * scale)


def test_accuracy_is_about_tasks_not_seen():
    """MAPE and r squared come from the predictions left out, not from the fit."""
    cloud = [
        Point("T-1", 1, 10),
        Point("T-2", 2, 22),
        Point("T-3", 3, 28),
        Point("T-4", 4, 41),
        Point("T-5", 5, 0),
    ]
    accuracy = leave_one_out(Line(cloud))
    foreseen = {point.task_id: expected for point, expected in Line(cloud).left_out()}
    errors = [abs(point.y - foreseen[point.task_id]) / point.y for point in cloud if point.y]
    assert accuracy.mape == pytest.approx(100 * sum(errors) / 4)
    assert accuracy.tasks == 5
    assert accuracy.r_squared is not None
    assert accuracy.r_squared < Line(cloud).r_squared


def test_one_that_does_not_fit_is_named():
    """A task that took ten times what the others make one expect is an outlier, and the only one."""
    cloud = [Point(f"T-{x}", x, 10.0 * x + x % 3) for x in range(1, 15)]
    assert Line(cloud).outliers() == []
    assert Rate(cloud).outliers() == []
    cloud[6] = Point("T-7", 7, 700.0)
    for fit in (Line(cloud), Rate(cloud)):
        [outlier] = fit.outliers()
        assert outlier.task_id == "T-7"
        assert outlier.expected == pytest.approx(70, abs=5)
        assert outlier.probability < 0.001


def test_one_off_an_exact_line_is_named():
    """Where all others lie on the line exactly, nothing explains the one that does not."""
    cloud = [Point(f"T-{x}", x, 3.0 * x + 1) for x in range(1, 8)]
    assert Line(cloud).outliers() == []
    cloud[2] = Point("T-3", 3, 30.0)
    assert [outlier.task_id for outlier in Line(cloud).outliers()] == ["T-3"]


@settings(max_examples=30, deadline=None)
@given(some.integers(0, 2**32 - 1))
def test_noise_seldom_makes_outliers(seed):
    """Normal deviations are no outliers but in a twentieth of all cases: never several at once here."""
    random = np.random.default_rng(seed)
    cloud = [Point(f"T-{x}", x, float(100 + 10 * x + random.normal(0, 5))) for x in range(1, 31)]
    assert len(Line(cloud).outliers()) <= 2


@pytest.mark.parametrize("level", [0.7, 0.9])
def test_a_range_holds_as_often_as_it_says(level):
    """Of 2000 further tasks, those inside of the range are as many as were promised, for lines and for averages."""
    random = np.random.default_rng(386)
    xs = [3.0, 5.0, 8.0, 8.0, 13.0, 18.0, 21.0, 40.0]
    held = {"line": 0, "average": 0}
    for _ in range(2000):
        around = [50 + 100 * x + random.normal(0, 80) for x in xs]
        line = Line(Point(f"T-{n}", x, y) for n, (x, y) in enumerate(zip(xs, around, strict=True)))
        found = line.interval(18, level)
        assert found is not None
        held["line"] += bool(found.low <= 50 + 1800 + random.normal(0, 80) <= found.high)
        growing = [100 * x + random.normal(0, 20 * sqrt(x)) for x in xs]
        rate = Rate(Point(f"T-{n}", x, y) for n, (x, y) in enumerate(zip(xs, growing, strict=True)))
        found = rate.interval(18, level)
        assert found is not None
        held["average"] += bool(found.low <= 1800 + random.normal(0, 20 * sqrt(18)) <= found.high)
    # Three standard errors of a share of 2000.
    assert held == {name: pytest.approx(2000 * level, abs=60) for name in held}


@pytest.mark.parametrize(
    ("cloud", "sentence"),
    [
        ([Point("T-1", 3, 5.0)], "at least 3 finished tasks and has 1"),
        ([Point(f"T-{n}", 8, n) for n in range(5)], "all 5 tasks have the same size of 8"),
        (
            [Point("T-1", 1, 1), Point("T-2", 2, -0.5), Point("T-3", 3, 3)],
            "task T-2 has an actual value of -0.5",
        ),
        ([Point("T-1", 1, 1), Point("T-2", -2, 5), Point("T-3", 3, 3)], "task T-2 has a size of -2"),
        (
            [Point("T-1", 1, inf), Point("T-2", 2, 5), Point("T-3", 3, 3)],
            "task T-1 has an actual value of inf",
        ),
        (
            [Point("T-1", 1, nan), Point("T-2", 2, 5), Point("T-3", 3, 3)],
            "task T-1 has an actual value of nan",
        ),
    ],
)
def test_nonsense_is_refused(cloud, sentence):
    """One point, a proxy that never varies, negative or infinite figures: each is refused with a sentence."""
    with pytest.raises(EstimationError, match=sentence):
        Line(cloud)


def test_an_average_refuses_nonsense_too():
    """A single task, or one of no size, has no average rate."""
    with pytest.raises(EstimationError, match="at least 2 finished tasks and has 1"):
        Rate([Point("T-1", 3, 5.0)])
    with pytest.raises(EstimationError, match="T-2 has a size of 0"):
        Rate([Point("T-1", 3, 5.0), Point("T-2", 0, 5.0)])


def test_nobody_is_sure_of_too_few():
    """Three points on a line leave one degree of freedom; two averages likewise: the ranges are wide."""
    interval = Rate([Point("T-1", 1, 10), Point("T-2", 1, 20)]).interval(1, 0.9)
    assert interval is not None
    assert interval.low == 0
    assert interval.high > 60
