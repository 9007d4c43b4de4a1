"""What charts hand to the browser: their values with units, and nothing that could end the element they stand in."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asp_telemetry.dashboard.charts import (
    Axis,
    Band,
    BarChart,
    FitChart,
    LineChart,
    ParetoChart,
    Point,
    Series,
)


def test_values_keep_their_places() -> None:
    """A day without a value stays a gap, and money becomes a number only where it is drawn."""
    chart = LineChart(
        Axis("Day"),
        Axis("Cost", "USD"),
        ["1 Nov", "2 Nov"],
        [Series("all", [Decimal("0.1"), None])],
    )
    assert json.loads(chart.__html__()) == {
        "kind": "line",
        "x": {"title": "Day", "unit": ""},
        "y": {"title": "Cost", "unit": "USD"},
        "labels": ["1 Nov", "2 Nov"],
        "series": [{"name": "all", "values": [0.1, None]}],
    }


def test_a_series_of_another_length_is_refused() -> None:
    """Values that would stand over the wrong label are refused by name."""
    chart = BarChart(Axis("Agent"), Axis("Errors"), ["a", "b"], [Series("timeouts", [1])])
    with pytest.raises(ValueError, match="'timeouts' has 1 values for 2 labels"):
        chart.as_dict()


@given(st.lists(st.tuples(st.text(max_size=5), st.integers(0, 9)), max_size=8))
def test_a_pareto_chart_orders_and_adds_up(counted: list[tuple[str, int]]) -> None:
    """The largest stands first, shares only grow, and end at one if there was anything to count."""
    described = ParetoChart(Axis("Type"), Axis("Defects", "defects"), counted).as_dict()
    values, shares = described["series"][0]["values"], described["shares"]
    assert values == sorted((float(value) for _, value in counted), reverse=True)
    assert shares == sorted(shares)
    if any(values):
        assert shares[-1] == 1.0


@given(st.text())
def test_no_name_ends_the_element(name: str) -> None:
    """Whatever an agent is called, the description stays one JSON text without a tag in it."""
    charts = [
        LineChart(Axis(name), Axis(name, name), [name], [Series(name, [1])]),
        ParetoChart(Axis(name), Axis(name), [(name, 1)]),
        FitChart(
            Axis(name),
            Axis(name),
            [Point(1, 2, name)],
            [(1, 2)],
            [Band(name, [(1, 1, 3)])],
            Point(1, 2, name),
        ),
    ]
    for chart in charts:
        text = chart.__html__()
        assert not set("<>&\u2028\u2029") & set(text)
        assert json.loads(text) == chart.as_dict()


def test_a_fit_is_told_in_a_sentence() -> None:
    """Who does not see the chart hears what is in it."""
    chart = FitChart(
        Axis("Complexity"),
        Axis("Latency", "ms"),
        [Point(3, 100, "TASK-1")],
        [(1, 50), (5, 150)],
        [Band("70 % of tasks", [(1, 40, 60)])],
    )
    assert chart.summary == "Latency by Complexity: 1 point, the line through them, 70 % of tasks."
