"""Puts panels together into a Grafana dashboard, one after the other in rows of 24 columns, and its variables above them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from asp_telemetry.analytics.wording import with_parts
from asp_telemetry.grafana.panel import DATA_SOURCE, Panel
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.statements import load_statements

DATA_SOURCE_UID: Final = "asp-telemetry"
"""What the data source is called in provisioning/datasources; another one can be chosen above the panels."""

_TAG: Final = "asp-telemetry"
_COLUMNS: Final = 24
# That of Grafana 10.4; newer ones bring it up to date by themselves. The PostgreSQL plugin has its id since 10.2.3:
# https://github.com/grafana/grafana/pull/77444
_SCHEMA_VERSION: Final = 39
_LISTS: Final[Mapping[str, str]] = {
    "project": "projects",
    "role": "roles",
    "model": "models",
    "user": "users",
}
_ON_LOAD, _ON_NEW_TIMES = 1, 2


@dataclass(frozen=True)
class Dashboard:
    """Describe a dashboard.

    Attributes:
        title: Its name; with _ for spaces and in lower case that of its SQL file, with - that of its JSON file.
        description: What it is for.
        filters: The variables that its panels obey.
        groups: Its panels, under the headings of their groups.
    """

    title: str
    description: str
    filters: tuple[str, ...]
    groups: Mapping[str, tuple[Panel, ...]]

    @property
    def name(self) -> str:
        """Return the name of its file, and what its address in Grafana ends with."""
        return self.title.lower().replace(" ", "-")

    @property
    def statements(self) -> Mapping[str, str]:
        """Return its SQL by name, with the parts that stand in braces still to be put in.

        What `Analytics` counts in several steps, and Grafana as well, is taken from there; a name that both have is
        Grafana's, above all the filters.
        """
        questions, panels = schema_directory("analytics"), schema_directory("grafana")
        files = (
            questions / "postgres.sql",
            questions / "defects.sql",
            panels / "common.sql",
            panels / f"{self.name.replace('-', '_')}.sql",
        )
        return {name: sql for path in files for name, sql in load_statements(path).items()}

    def to_json(self) -> dict[str, Any]:
        """Say it in Grafana's JSON.

        Returns:
            What can be imported or provisioned; its days are those of UTC, its data source is a variable.
        """
        return {
            "uid": f"asp-{self.name}",
            "title": self.title,
            "description": self.description,
            "tags": [_TAG],
            "schemaVersion": _SCHEMA_VERSION,
            "version": 1,
            "editable": True,
            "fiscalYearStartMonth": 0,
            "graphTooltip": 1,
            # Days are those of UTC, as everywhere else.
            "timezone": "utc",
            "time": {"from": "now-30d", "to": "now"},
            "timepicker": {},
            "refresh": "",
            "annotations": {"list": []},
            "links": [_link()],
            "templating": {"list": [_data_source(), *map(self._variable, self.filters)]},
            "panels": self._panels(),
        }

    def _panels(self) -> list[dict[str, Any]]:
        placed: list[dict[str, Any]] = []
        y = 0
        for heading, panels in self.groups.items():
            placed.append(_row(len(placed) + 1, heading, y))
            x, y, height = 0, y + 1, 0
            for panel in panels:
                if x + panel.width > _COLUMNS:
                    x, y, height = 0, y + height, 0
                sql = with_parts(self.statements[panel.query], self.statements)
                placed.append(panel.to_json(len(placed) + 1, x, y, sql))
                x, height = x + panel.width, max(height, panel.height)
            y += height
        return placed

    def _variable(self, name: str) -> dict[str, Any]:
        sql = self.statements[_LISTS[name]]
        return {
            "type": "query",
            "name": name,
            "label": name.capitalize(),
            "datasource": dict(DATA_SOURCE),
            "query": sql,
            "refresh": _ON_NEW_TIMES if "$__timeFilter" in sql else _ON_LOAD,
            "regex": "",
            "sort": 0,
            "multi": True,
            "includeAll": True,
            # Grafana puts this in as it is; common.sql says what it does.
            "allValue": "''",
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
            "options": [],
            "hide": 0,
            "skipUrlSync": False,
        }


def _data_source() -> dict[str, Any]:
    return {
        "type": "datasource",
        "name": "datasource",
        "label": "Data source",
        "query": DATA_SOURCE["type"],
        "refresh": _ON_LOAD,
        "regex": "",
        "multi": False,
        "includeAll": False,
        "current": {"selected": False, "text": "asp-telemetry", "value": DATA_SOURCE_UID},
        "options": [],
        "hide": 0,
        "skipUrlSync": False,
    }


def _link() -> dict[str, Any]:
    return {
        "type": "dashboards",
        "title": "asp-telemetry",
        "tags": [_TAG],
        "asDropdown": False,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "tooltip": "",
        "url": "",
    }


def _row(number: int, heading: str, y: int) -> dict[str, Any]:
    return {
        "id": number,
        "type": "row",
        "title": heading,
        "collapsed": False,
        "gridPos": {"h": 1, "w": _COLUMNS, "x": 0, "y": y},
        "panels": [],
    }
