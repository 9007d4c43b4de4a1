"""An estimate says value, range, method and why; each method is chosen where PROBE chooses it."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from asp_telemetry.errors import EstimationError
from asp_telemetry.estimation import Estimate, FinishedTask, band, estimate


def finished(
    number: int,
    complexity: int,
    latency: float | None = None,
    tokens: float | None = None,
    cost: str | None = None,
    planned: float | None = None,
) -> FinishedTask:
    """Make a finished task; `planned` is its planned latency."""
    money = None if cost is None else Decimal(cost)
    return FinishedTask(
        f"T-{number}", "P", None, None, complexity, planned, None, None, latency, tokens, money
    )  # fmt: skip


def well_behaved(number: int = 8) -> list[FinishedTask]:
    """Make tasks of which each unit of complexity takes about a second, 1000 tokens and a cent."""
    return [
        finished(
            x, x, 1000.0 * x + 50 * (x % 3), 1000.0 * x + 10 * (x % 2), f"{0.01 * x + 0.0003 * (x % 3):.4f}"
        )
        for x in range(1, number + 1)
    ]


def test_enough_good_tasks_give_a_regression():
    """Method A: the value lies in the range of 70 %, which lies in that of 90 %; accuracy is told."""
    found = estimate(well_behaved(), 6)
    for figure, about in (("latency_ms", 6050), ("tokens", 6005), ("api_cost_usd", Decimal("0.0603"))):
        told = found[figure]
        assert (told.method, told.method_name, told.tasks) == ("A", "regression on estimated complexity", 8)
        narrow, wide = told.ranges
        assert (narrow.level, wide.level) == (70, 90)
        assert wide.low < narrow.low < told.value < narrow.high < wide.high
        assert float(told.value) == pytest.approx(float(about), rel=0.02)
        assert told.r_squared > 0.99
        assert told.r_squared_left_out > 0.98
        assert told.mape < 10
        assert told.reasons[0].startswith("A: 8 finished tasks, r squared 0.99") or "1.00" in told.reasons[0]
    assert isinstance(found["api_cost_usd"].value, Decimal)
    assert isinstance(found["tokens"].value, int)


def test_a_task_takes_an_estimate_s_facts():
    """The facts are the complexity, the vector in its units, and in the metadata how it was made."""
    facts = estimate(well_behaved(), 6).task_facts()
    assert facts["estimated_complexity"] == 6
    assert set(facts["estimated_cost_vector"]) == {"latency_ms", "tokens", "api_cost_usd"}
    made = facts["metadata"]["estimate"]
    assert made["by"] == "PROBE_AI"
    assert made["methods"] == {"latency_ms": "A", "tokens": "A", "api_cost_usd": "A"}
    low, high = made["ranges"]["tokens"]["70"]
    assert low < facts["estimated_cost_vector"]["tokens"] < high


def test_two_tasks_give_an_average():
    """Method C: what each unit of complexity took on average, with the reason why not A and B."""
    told = estimate([finished(1, 2, 20.0), finished(2, 3, 40.0)], 10)["latency_ms"]
    assert (told.method, told.value, told.tasks) == ("C", 120.0, 2)
    assert told.reasons == (
        "not A: a regression needs at least 3 finished tasks and has 2; finish more first",
        "not B: no planned value was given for this task",
        "C: the average of 2 finished tasks",
    )
    assert len(told.ranges) == 2


@pytest.mark.parametrize("tasks", [[], [finished(1, 5, 20.0, 30.0, "0.1")]])
def test_one_task_is_not_enough(tasks):
    """Method D: there is no value, no range, and a sentence says what is missing."""
    found = estimate(tasks, 5)
    for told in found.figures:
        assert (told.method, told.value, told.ranges) == ("D", None, ())
        assert "finish more first" in told.reasons[-1]
    assert found.vector == {}


def test_a_proxy_that_never_varies_supports_no_regression():
    """Tasks all of one complexity are averaged, and the reason is told."""
    told = estimate([finished(n, 8, 100.0 + n) for n in range(6)], 8)["latency_ms"]
    assert told.method == "C"
    assert "all 6 tasks have the same size of 8" in told.reasons[0]


def test_what_does_not_correlate_is_averaged():
    """Below an r squared of 0.5 there is no regression."""
    values = [100.0, 10.0, 90.0, 30.0, 80.0, 20.0]
    told = estimate([finished(n, n + 1, value) for n, value in enumerate(values)], 4)["latency_ms"]
    assert told.method == "C"
    assert "r squared is 0." in told.reasons[0]


def test_a_great_intercept_is_not_sane():
    """Where most of what a small task takes is the same for all, the line is refused for it."""
    told = estimate([finished(n, n, 1000.0 + n) for n in range(1, 8)], 4)["latency_ms"]
    assert told.method == "C"
    assert "the intercept of 1.0 s is more than 25 % of the 1.0 s foreseen" in told.reasons[0]
    assert "the slope of 1.0 ms is not within 0.5 to 2 times the average rate of" in told.reasons[0]
    assert "ms per unit of complexity" in told.reasons[0]


def test_a_falling_line_is_not_sane():
    """Nothing is estimated by a line that says that more work takes less."""
    told = estimate([finished(n, n, 100.0 - 10 * n) for n in range(1, 8)], 4)["latency_ms"]
    assert told.method == "C"
    assert "slope of -10" in told.reasons[0]


def test_a_plan_opens_the_regression_on_plans():
    """Method B: where complexity foresees nothing and plans do, a planned value is corrected by what plans became."""
    complexities = [5, 9, 2, 7, 3, 8, 4]
    tasks = [
        finished(n, complexity, 1500.0 * (n + 1) + 20 * (n % 2), planned=1000.0 * (n + 1))
        for n, complexity in enumerate(complexities)
    ]
    told = estimate(tasks, 5, planned={"latency_ms": 4000})["latency_ms"]
    assert told.method == "B"
    assert told.value == pytest.approx(6000, rel=0.02)
    assert told.reasons[0].startswith("not A")
    assert estimate(tasks, 5)["latency_ms"].method == "C"


def test_an_id_that_is_not_there_is_told():
    """Whoever leaves out a task that is none of the finished ones reads that nothing was left out for it."""
    told = estimate(well_behaved(), 5, without=["T-1", "T-typo"])
    assert told["tokens"].tasks == len(well_behaved()) - 1
    assert told.notes == ("not among the finished tasks, so nothing was left out for: T-typo",)


def test_what_took_less_than_nothing_is_refused():
    """A negative cost is refused by the name of its task, and can be left out."""
    tasks = [*well_behaved(), finished(99, 5, tokens=5000.0, cost="-0.01")]
    with pytest.raises(EstimationError, match=r"task T-99 has an actual value of -0\.01"):
        estimate(tasks, 5)
    assert estimate(tasks, 5, without=["T-99"])["api_cost_usd"].method == "A"


@pytest.mark.parametrize("complexity", [0, -3])
def test_a_complexity_below_one_is_refused(complexity):
    """A task without any complexity has no estimate."""
    with pytest.raises(EstimationError, match=f"complexity has the value {complexity}"):
        estimate(well_behaved(), complexity)


@pytest.mark.parametrize(
    ("planned", "sentence"),
    [({"tokens": -1}, "planned tokens has the value -1"), ({"hours": 1}, "planned has a figure 'hours'")],
)
def test_a_plan_that_makes_no_sense_is_refused(planned, sentence):
    """Planned values are above 0, and of known figures."""
    with pytest.raises(EstimationError, match=sentence):
        estimate(well_behaved(), 5, planned=planned)


def test_notes_tell_what_else_to_know():
    """Outside of what was seen, and what was left out: both are said."""
    found = estimate([*well_behaved(), finished(50, 0, 1.0, 1.0, "1")], 40)
    assert found.notes[0] == "left out, because their estimated complexity is not above 0: 1"
    assert "40 lies outside of the complexities seen so far, 1 to 8" in found.notes[1]


tasks = some.builds(
    finished,
    some.integers(0, 10_000),
    some.integers(-5, 100),
    some.none() | some.floats(0, 1e8),
    some.none() | some.floats(0, 1e9),
    some.none() | some.decimals(0, 1000, places=6).map(str),
    some.none() | some.floats(-10, 1e8),
)


@settings(max_examples=300, deadline=None)
@given(some.lists(tasks, max_size=25), some.integers(1, 200), some.none() | some.floats(0.001, 1e8))
def test_every_estimate_makes_sense(made: list[FinishedTask], complexity: int, planned: float | None):
    """Whatever was recorded: a value at least 0 inside of its ranges, a method with reasons, or none and why."""
    found: Estimate = estimate(made, complexity, planned=None if planned is None else {"latency_ms": planned})
    for told in found.figures:
        assert told.reasons
        assert (told.value is None) == (told.method == "D")
        for kept in told.ranges:
            assert 0 <= kept.low <= told.value <= kept.high
        if told.method in {"A", "B"}:
            assert told.tasks >= 3
            assert told.r_squared >= 0.5
    assert found.as_dict()["complexity"] == complexity


def test_next_to_nothing_is_nothing():
    """Of what took less than is counted no error in percent is told: it would be beyond all numbers."""
    made = [finished(1, 1, 25e6), finished(2, 3, 3e-301), finished(3, 7, 3e-301)]
    told = estimate(made, 1)["latency_ms"]
    assert told.mape is not None
    assert told.mape < 1e6


@pytest.mark.parametrize("figure", ["latency_ms", "tokens", "api_cost_usd"])
def test_the_picture_shows_the_estimate(figure):
    """At the asked complexity the line and its ranges are those of the estimate, and they reach over all points."""
    tasks = well_behaved()
    drawn, told = band(tasks, figure, 11), estimate(tasks, 11)[figure]
    assert [(point.task_id, point.x) for point in drawn.points] == [
        (task.task_id, task.estimated_complexity) for task in tasks
    ]
    asked = next(step for step in drawn.foreseen if step.complexity == 11)
    assert asked.value == pytest.approx(float(told.value), rel=1e-4)
    for kept, ends in zip(
        told.ranges, ((asked.low_70, asked.high_70), (asked.low_90, asked.high_90)), strict=True
    ):
        assert ends == pytest.approx((float(kept.low), float(kept.high)), rel=1e-3)
    sizes = [step.complexity for step in drawn.foreseen]
    assert (sizes, sizes[0], sizes[-1]) == (sorted(sizes), 1, 11)


def test_too_few_tasks_give_points_without_a_line():
    """One finished task is a point and nothing more."""
    drawn = band([finished(1, 3, 1000.0)], "latency_ms", 3)
    assert [point.y for point in drawn.points] == [1000.0]
    assert drawn.foreseen == ()
