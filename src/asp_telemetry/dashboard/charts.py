"""Describes charts as plain data with units; `static/charts.js` draws them with Chart.js."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Any, ClassVar, Final, TypeAlias

Number: TypeAlias = int | float | Decimal

# What would end the element that the description stands in, or begin another: https://html.spec.whatwg.org/#restrictions-for-contents-of-script-elements
_ESCAPES: Final = str.maketrans({letter: f"\\u{ord(letter):04x}" for letter in "<>&'\u2028\u2029"})


@dataclass(frozen=True, slots=True)
class Axis:
    """Name what an axis measures.

    Attributes:
        title: What it is.
        unit: USD, ms, tokens, share (from 0 to 1, drawn in percent); another word stands behind the number, none for dates and names.
    """

    title: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """Be one line, or the bars of one colour: a value for each label, None where there is none."""

    name: str
    values: Sequence[Number | None]


@dataclass(frozen=True, slots=True)
class Point:
    """Be one point of a fit, with the name of what it stands for."""

    x: Number
    y: Number
    name: str


@dataclass(frozen=True, slots=True)
class Band:
    """Be a range around a fitted line: for each x the lowest and the highest value."""

    name: str
    ranges: Sequence[tuple[Number, Number, Number]]


class Chart(ABC):
    """Be what all charts can do: stand in a template as the JSON that `static/charts.js` reads."""

    __slots__ = ()
    kind: ClassVar[str]

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """Return the description, in types that JSON knows."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """What the chart shows, in a sentence for those who do not see it."""

    def __html__(self) -> str:
        """Return the JSON for a `<script type="application/json">`; templates need no filter for it."""
        return json.dumps(self.as_dict(), allow_nan=False, separators=(",", ":")).translate(_ESCAPES)


@dataclass(frozen=True, slots=True)
class LineChart(Chart):
    """Draw values over time.

    Attributes:
        x: The axis of the labels.
        y: The axis of the values.
        labels: Days or names, one for each value.
        series: The lines, six at most.

    Example:
        >>> LineChart(Axis("Day"), Axis("Cost", "USD"), ["2026-11-01"], [Series("Cost", [Decimal("0.2")])]).summary
        'Lines: Cost by Day, 1 value each.'
    """

    kind: ClassVar = "line"
    x: Axis
    y: Axis
    labels: Sequence[str]
    series: Sequence[Series]

    def as_dict(self) -> dict[str, Any]:
        """Return the description, in types that JSON knows."""
        return _over_labels(self.kind, self.x, self.y, self.labels, self.series)

    @property
    def summary(self) -> str:
        """What the chart shows, in a sentence for those who do not see it."""
        return f"Lines: {_named(self.series)} by {self.x.title}, {_counted(self.labels, 'value')} each."


@dataclass(frozen=True, slots=True)
class BarChart(Chart):
    """Compare values by their names.

    Attributes:
        x: The axis of the labels.
        y: The axis of the values.
        labels: Names, one for each value.
        series: The bars, a colour and a pattern for each series, six at most.
        stacked: Whether the series stand on one another.
        horizontal: Whether the bars lie, which suits long names.
    """

    kind: ClassVar = "bar"
    x: Axis
    y: Axis
    labels: Sequence[str]
    series: Sequence[Series]
    stacked: bool = False
    horizontal: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the description, in types that JSON knows."""
        described = _over_labels(self.kind, self.x, self.y, self.labels, self.series)
        return described | {"stacked": self.stacked, "horizontal": self.horizontal}

    @property
    def summary(self) -> str:
        """What the chart shows, in a sentence for those who do not see it."""
        return f"Bars: {_named(self.series)} by {self.x.title}, {_counted(self.labels, 'bar')} each."


@dataclass(frozen=True, slots=True)
class ParetoChart(Chart):
    """Show which few names make up most of a sum: bars, largest first, and the share that they make together.

    Attributes:
        x: The axis of the labels.
        y: The axis of the values.
        counted: The names with their values, in any order.

    Example:
        >>> ParetoChart(Axis("Type"), Axis("Defects", "defects"), [("a", 1), ("b", 3)]).as_dict()["shares"]
        [0.75, 1.0]
    """

    kind: ClassVar = "pareto"
    x: Axis
    y: Axis
    counted: Sequence[tuple[str, Number]]

    def as_dict(self) -> dict[str, Any]:
        """Return the description, in types that JSON knows."""
        ordered = sorted(self.counted, key=lambda named: -named[1])
        values = [float(value) for _, value in ordered]
        whole = sum(values) or 1.0
        described = _over_labels(
            self.kind, self.x, self.y, [name for name, _ in ordered], [Series(self.y.title, values)]
        )
        return described | {"shares": [so_far / whole for so_far in accumulate(values)]}

    @property
    def summary(self) -> str:
        """What the chart shows, in a sentence for those who do not see it."""
        return f"Bars, largest first, and their share so far: {self.y.title} by {self.x.title}, {_counted(self.counted, 'bar')}."


@dataclass(frozen=True, slots=True)
class FitChart(Chart):
    """Show points, the line through them, and the ranges around it.

    Attributes:
        x: What the line is drawn over.
        y: What it foretells.
        points: What was measured.
        line: Points of the line, from left to right.
        bands: Ranges around it, the narrowest first, two at most.
        marked: The point that was asked for.
        line_name: What the line is.
    """

    kind: ClassVar = "fit"
    x: Axis
    y: Axis
    points: Sequence[Point]
    line: Sequence[tuple[Number, Number]] = ()
    bands: Sequence[Band] = ()
    marked: Point | None = None
    line_name: str = "Regression"

    def as_dict(self) -> dict[str, Any]:
        """Return the description, in types that JSON knows."""
        return {
            "kind": self.kind,
            "x": _axis(self.x),
            "y": _axis(self.y),
            "points": [_point(point) for point in self.points],
            "line": [{"x": float(x), "y": float(y)} for x, y in self.line],
            "line_name": self.line_name,
            "bands": [
                {
                    "name": band.name,
                    "low": [{"x": float(x), "y": float(low)} for x, low, _ in band.ranges],
                    "high": [{"x": float(x), "y": float(high)} for x, _, high in band.ranges],
                }
                for band in self.bands
            ],
            "marked": None if self.marked is None else _point(self.marked),
        }

    @property
    def summary(self) -> str:
        """What the chart shows, in a sentence for those who do not see it."""
        drawn = [_counted(self.points, "point")]
        drawn += ["the line through them"] if self.line else []
        drawn += [band.name for band in self.bands]
        return f"{self.y.title} by {self.x.title}: {', '.join(drawn)}."


def _over_labels(
    kind: str, x: Axis, y: Axis, labels: Sequence[str], series: Sequence[Series]
) -> dict[str, Any]:
    for one in series:
        if len(one.values) != len(labels):
            raise ValueError(
                f"series {one.name!r} has {len(one.values)} values for {len(labels)} labels; give one for each, None for none"
            )
    return {
        "kind": kind,
        "x": _axis(x),
        "y": _axis(y),
        "labels": list(labels),
        "series": [
            {"name": one.name, "values": [None if value is None else float(value) for value in one.values]}
            for one in series
        ],
    }


def _axis(axis: Axis) -> dict[str, str]:
    return {"title": axis.title, "unit": axis.unit}


def _point(point: Point) -> dict[str, Any]:
    return {"x": float(point.x), "y": float(point.y), "name": point.name}


def _named(series: Sequence[Series]) -> str:
    return ", ".join(one.name for one in series)


def _counted(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}" if len(things) == 1 else f"{len(things)} {name}s"
