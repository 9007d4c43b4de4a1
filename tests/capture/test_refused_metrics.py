"""What is no measure is refused with a reason, and costs nothing but itself."""

import fractions
import time
from decimal import Decimal

import pytest

import asp_telemetry as asp


def named(value):
    """Name a parameter, also a number that is too large to be written."""
    return "huge" if isinstance(value, int) and value > 10**20 else repr(value)[:20]


REFUSED = [
    float("nan"), float("inf"), float("-inf"), -1, -0.5, "-1", "NaN", "Infinity", "many", "", None, True, [], {},
    object, b"1", 10**14, 1e300, "1e999999999", Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity"), 10**5000,
    1j,
]  # fmt: skip


@pytest.fixture
def lenient(recorded):
    """Record as a user does: faults are counted, not raised."""
    asp.configure(recorded.url, replace=True)
    return recorded


@pytest.mark.parametrize("value", REFUSED, ids=named)
def test_impossible_metrics_are_refused_and_counted(lenient, value):
    """A value that is no number from 0 to 1e13 is refused and counted; the rest is stored."""
    with asp.span("work") as span:
        span.record_metric("Quality", value, "score")
        span.record_metric("Quality", 1, "score")
    assert [row["metric_value"] for row in lenient.metrics()] == [1]
    assert asp.stats()["troubles"] == {"a metric was not a number from 0 to 1e13": 1}
    assert [row["status"] for row in lenient.traces()] == ["success"]
    assert asp.stats()["rejected"] == 0


@pytest.mark.parametrize("value", REFUSED, ids=named)
def test_impossible_costs_are_refused_and_counted(lenient, value):
    """The same holds for a reported cost, and what was reported before stays."""
    with asp.span("work") as span:
        span.record_cost("0.5")
        span.record_cost(value)
    assert [row["metric_value"] for row in lenient.metrics()] == [0.5]
    assert asp.stats()["troubles"] == {"a cost was not a number from 0 to 1e13": 1}


def test_the_true_limit_is_named(recorded):
    """A cost that is finite but too large is told what the largest one is, and that one is taken."""
    with asp.span("work") as span:
        span.record_cost(10**13)
        with pytest.raises(asp.AspTelemetryError, match="a cost was not a number from 0 to 1e13"):
            span.record_cost("99999999999999")
    assert [row["metric_value"] for row in recorded.metrics()] == [10**13]


class Measured(float):
    """Be a float that writes itself in its own way, as those of numpy do."""

    def __repr__(self):
        return f"np.float64({float(self)})"


class Counted:
    """Be a whole number of another library."""

    def __index__(self):
        return 7


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (0, 0), (0.0, 0), (-0.0, 0), ("0", 0), (3, 3), ("12.50", 12.5), (Decimal("0.1"), 0.1), (1e-10, 1e-10),
        (10**13, 1e13), (5e-324, 0), ("1e-400000", 0), (Decimal("1e-99999999"), 0), ("0." + "3" * 50_000, 1 / 3),
        (Measured(0.25), 0.25), (Counted(), 7), (fractions.Fraction(1, 4), 0.25),
    ],
    ids=named,
)  # fmt: skip
def test_possible_metrics_are_stored(recorded, value, stored):
    """Every number from 0 to 1e13 is stored, however it is written and however small it is, and at once."""
    begun = time.perf_counter()
    with asp.span("work") as span:
        span.record_metric("Quality", value, "score")
        span.record_cost(value)
    assert time.perf_counter() - begun < 1
    found = {row["metric_type"]: row["metric_value"] for row in recorded.metrics()}
    assert found == {"Quality": pytest.approx(stored, abs=1e-9), "API_Cost": pytest.approx(stored, abs=1e-9)}


@pytest.mark.parametrize(
    "counts",
    [
        {"input_tokens": -1}, {"input_tokens": 1.5}, {"output_tokens": "many"}, {"input_tokens": True},
        {"input_tokens": 2**63}, {"input_tokens": 1, "cache_read_tokens": 2},
        {"output_tokens": 1, "reasoning_tokens": 2},
    ],
)  # fmt: skip
def test_impossible_counts_are_refused_and_counted(lenient, counts):
    """Token counts that cannot be are refused and counted, and those of other answers are stored."""
    with asp.span("work") as span:
        span.record_usage(**counts, model="gpt-4o-mini")
        span.record_usage(input_tokens=5, model="gpt-4o-mini")
    assert [row["metric_value"] for row in lenient.metrics("Tokens_In")] == [5]
    assert asp.stats()["troubles"] == {"an answer's usage could not be read": 1}


@pytest.mark.parametrize("answer", ["text", {}, {"usage": None}, object(), [1]])
def test_answers_of_unknown_shape_are_counted(lenient, answer):
    """`record_usage` of something that carries no usage says so, and is harmless."""
    with asp.span("work") as span:
        span.record_usage(answer)
    assert len(lenient.traces()) == 1
    assert lenient.metrics() == []
    assert asp.stats()["troubles"] == {"record_usage() was given an answer of unknown shape": 1}


def test_record_usage_without_anything_is_counted(lenient):
    """`record_usage()` without an answer and without counts is counted, too."""
    with asp.span("work") as span:
        span.record_usage()
    assert len(lenient.traces()) == 1
    assert sum(asp.stats()["troubles"].values()) == 1


class Trap:
    """Be a result whose every attribute raises."""

    def __getattr__(self, name):
        raise RuntimeError(f"no {name}")


@pytest.mark.parametrize("kind", ["agent", "generation", "tool"])
def test_a_result_that_raises_when_it_is_touched_is_returned(lenient, kind):
    """A function whose result cannot be looked at returns that very result, and the reason is counted."""
    result = Trap()
    assert asp.track(kind=kind)(lambda: result)() is result
    assert [row["status"] for row in lenient.traces()] == ["success"]
    assert asp.stats()["troubles"] == {"an answer's usage could not be read": 1}


def test_strict_tells_the_caller(recorded):
    """With `strict=True`, for tests and debugging, what would be counted is raised where it was done."""
    with (
        pytest.raises(asp.AspTelemetryError, match="not a number from 0 to 1e13"),
        asp.span("work") as span,
    ):
        span.record_metric("Quality", -1, "score")
    assert [row["status"] for row in recorded.traces()] == ["error"]


@pytest.mark.parametrize("iteration", [0, -1, 1 << 31, 1.5])
def test_impossible_iterations_count_as_the_first(lenient, iteration):
    """An iteration that is no whole number from 1 is counted as wrong and taken as 1."""
    with asp.span("work", kind="agent", iteration=iteration):
        pass
    assert [row["agent_iteration"] for row in lenient.metrics()] == [1]
    assert asp.stats()["troubles"] == {"an iteration was not a whole number from 1": 1}


@pytest.mark.parametrize("wrong", [{"kind": "wizard"}, {"iteration": "x"}, {"model": []}])
def test_wrong_arguments_of_a_span_are_counted_and_harmless(lenient, wrong):
    """A block whose span cannot be made runs without one, and the reason is counted."""
    ran = []
    with asp.span("work", **wrong) as span:
        span.set(tags=["a"])
        ran.append(True)
    assert ran == [True]
    asp.track(abs)(1)
    assert [row["name"] for row in lenient.traces()] == ["abs"]
    assert sum(asp.stats()["troubles"].values()) == 1
