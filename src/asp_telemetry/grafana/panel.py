"""Describes one panel of a Grafana dashboard, and says it in Grafana's JSON.

https://grafana.com/docs/grafana/latest/visualizations/dashboards/build-dashboards/view-dashboard-json-model/
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

DATA_SOURCE: Final[Mapping[str, str]] = {"type": "grafana-postgresql-datasource", "uid": "${datasource}"}

USD: Final = "currencyUSD"
SHARE: Final = "percentunit"
MILLISECONDS: Final = "ms"
MICROSECONDS: Final = "µs"
COUNT: Final = "short"
PERCENT: Final = "percent"

Shape = Literal["stat", "bars", "lines", "points", "table", "states"]

_TYPES: Final[Mapping[Shape, str]] = {
    "stat": "stat",
    "bars": "timeseries",
    "lines": "timeseries",
    "points": "timeseries",
    "table": "table",
    "states": "state-timeline",
}
# Nothing is good or bad by itself; where a limit is real the panel names it.
_NO_LIMIT: Final = {"mode": "absolute", "steps": [{"color": "text", "value": None}]}
# Sixty steps across the screen: thirty days become half days, three months become days. Never finer than an hour.
_STEPS: Final[Mapping[str, Any]] = {"interval": "1h", "maxDataPoints": 60}


@dataclass(frozen=True)
class Panel:
    """Describe one panel.

    Attributes:
        title: What it shows.
        description: What its figures are and are not, for the reader who asks.
        shape: How it is drawn; points, lines and bars over time, states over time.
        query: The name of its statement in the dashboard's SQL file.
        unit: Grafana's name of the unit of its figures; see `units`.
        units: The units of single columns of a table that have another one.
        width: Of 24.
        height: In units of 30 pixels.
        total: Whether the legend says the sum; else the last and the highest figure.
        limit: From where on figures are bad.
        states: Names and colours of the figures 1, 2, 3... of states.
        bar: The column of a table that is drawn as a bar.
    """

    title: str
    description: str
    shape: Shape
    query: str
    unit: str = COUNT
    units: Mapping[str, str] = field(default_factory=dict)
    width: int = 12
    height: int = 8
    total: bool = False
    limit: float | None = None
    states: tuple[tuple[str, str], ...] = ()
    bar: str | None = None

    @property
    def over_time(self) -> bool:
        """Tell whether it shows series over time, instead of figures or a table."""
        return self.shape not in {"stat", "table"}

    def to_json(self, number: int, x: int, y: int, sql: str) -> dict[str, Any]:
        """Say it in Grafana's JSON.

        Args:
            number: Its id within the dashboard.
            x: Its column, of 24.
            y: Its row.
            sql: Its query, with Grafana's macros and variables.

        Returns:
            An entry of a dashboard's `panels`.
        """
        return {
            "id": number,
            "type": _TYPES[self.shape],
            "title": self.title,
            "description": self.description,
            "datasource": dict(DATA_SOURCE),
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            **(_STEPS if self.over_time else {}),
            "fieldConfig": {"defaults": self._field(), "overrides": self._columns()},
            "options": self._options(),
            "targets": [
                {
                    "refId": "A",
                    "datasource": dict(DATA_SOURCE),
                    "editorMode": "code",
                    "format": "time_series" if self.over_time else "table",
                    "rawQuery": True,
                    "rawSql": sql,
                }
            ],
        }

    def _field(self) -> dict[str, Any]:
        found: dict[str, Any] = {"unit": self.unit, "thresholds": self._thresholds()}
        if self.shape == "stat":
            limited = {"mode": "thresholds"}
            found["color"] = limited if self.limit is not None else {"mode": "fixed", "fixedColor": "text"}
        elif self.shape == "table":
            found["custom"] = {"align": "auto", "filterable": True}
        elif self.shape == "states":
            found |= {"color": {"mode": "thresholds"}, "mappings": [self._mapping()]}
            found["custom"] = {"fillOpacity": 70, "lineWidth": 0}
        else:
            found |= {"color": {"mode": "palette-classic-by-name"}, "custom": self._drawing()}
        return found

    def _drawing(self) -> dict[str, Any]:
        bars = self.shape == "bars"
        return {
            "drawStyle": self.shape if self.shape != "lines" else "line",
            "fillOpacity": 80 if bars else 0,
            "lineWidth": 1 if bars else 2,
            "pointSize": 6,
            "showPoints": "never" if bars else "always",
            "stacking": {"group": "A", "mode": "normal" if bars else "none"},
            "axisSoftMin": 0,
            "thresholdsStyle": {"mode": "off" if self.limit is None else "dashed"},
        }

    def _thresholds(self) -> dict[str, Any]:
        if self.limit is None:
            return _NO_LIMIT
        return {
            "mode": "absolute",
            "steps": [{"color": "green", "value": None}, {"color": "red", "value": self.limit}],
        }

    def _mapping(self) -> dict[str, Any]:
        return {
            "type": "value",
            "options": {
                str(value): {"text": text, "color": color, "index": value - 1}
                for value, (text, color) in enumerate(self.states, start=1)
            },
        }

    def _columns(self) -> list[dict[str, Any]]:
        columns = [_override(name, "unit", unit) for name, unit in self.units.items()]
        if self.bar is not None:
            columns.append(_override(self.bar, "custom.cellOptions", {"type": "gauge", "mode": "basic"}))
        return columns

    def _options(self) -> dict[str, Any]:
        if self.shape == "stat":
            return {
                "colorMode": "none" if self.limit is None else "value",
                "graphMode": "none",
                "justifyMode": "auto",
                "orientation": "auto",
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
                "textMode": "auto",
            }
        if self.shape == "table":
            return {"cellHeight": "sm", "showHeader": True}
        legend = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
        if self.shape == "states":
            return {"alignValue": "left", "legend": legend, "mergeValues": True, "rowHeight": 0.8, "showValue": "auto",
                    "tooltip": {"mode": "single", "sort": "none"}}  # fmt: skip
        return {
            "legend": {
                **legend,
                "displayMode": "table",
                "calcs": ["sum"] if self.total else ["lastNotNull", "max"],
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        }


def _override(column: str, name: str, value: Any) -> dict[str, Any]:
    return {"matcher": {"id": "byName", "options": column}, "properties": [{"id": name, "value": value}]}
