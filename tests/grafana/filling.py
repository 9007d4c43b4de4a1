"""Fills in the macros and variables of a query as Grafana does, first in the browser, then in its server.

Written after what Grafana documents and its sources do: https://grafana.com/docs/grafana/latest/datasources/postgres/query-editor/#macros
and pkg/tsdb/grafana-postgresql-datasource/macros.go (server), packages/grafana-sql and @grafana/scenes (browser).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

ALL = ("$__all",)
_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)(?!\w)(?!\()")
_MACRO = re.compile(r"\$([_a-zA-Z0-9]+)\(([^)]*)\)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class NotGrafanaError(Exception):
    """Say that Grafana would leave something unfilled, or refuse it."""


@dataclass(frozen=True)
class Situation:
    """Be what is chosen above a dashboard.

    Attributes:
        since: The begin of its time.
        until: The end of its time.
        interval: The step that follows from the time, the width of the screen and the panel's limits.
        chosen: The values chosen for each variable; `ALL` where it is left out.
        all_values: What each variable has for "All".
    """

    since: datetime
    until: datetime
    interval: str = "12h"
    chosen: Mapping[str, Sequence[str]] = field(default_factory=dict)
    all_values: Mapping[str, str] = field(default_factory=dict)

    def fill(self, sql: str) -> str:
        """Return the query as it comes to PostgreSQL."""
        return _MACRO.sub(self._macro, _VARIABLE.sub(self._variable, sql))

    def _variable(self, found: re.Match[str]) -> str:
        name, form = found[1] or found[3], found[2]
        if name == "__interval":
            return self.interval
        if name not in self.all_values:
            raise NotGrafanaError(f"there is no variable for {found[0]}")
        values = self.chosen.get(name, ALL)
        if tuple(values) == ALL:
            return self.all_values[name]  # as it is, whatever the format: CustomAllValue in @grafana/scenes
        if form != "sqlstring":
            # Without a format a single value has been quoted by some versions of the plugin and not by others.
            raise NotGrafanaError(f"{found[0]} is quoted differently by versions of Grafana; use :sqlstring")
        # Yes, the double quote, too: sqlStringFormatter in @grafana/scenes.
        return ",".join("'" + value.replace("'", "''").replace('"', '\\"') + "'" for value in values)

    def _macro(self, found: re.Match[str]) -> str:
        name, arguments = found[1], [each.strip(" ") for each in found[2].split(",")]
        match name, arguments:
            case "__timeFilter", [column]:
                return f"{column} BETWEEN '{_moment(self.since)}' AND '{_moment(self.until)}'"
            case "__timeFrom", [""]:
                return f"'{_moment(self.since)}'"
            case "__timeTo", [""]:
                return f"'{_moment(self.until)}'"
            case (("__timeGroup" | "__timeGroupAlias"), [column, interval]):
                step = _seconds(interval.strip("'"))
                alias = ' AS "time"' if name == "__timeGroupAlias" else ""
                return f"floor(extract(epoch from {column})/{step})*{step}{alias}"
        raise NotGrafanaError(f"{found[0]} is no macro of Grafana's PostgreSQL plugin")


def _moment(time: datetime) -> str:
    text = time.astimezone(UTC).isoformat().replace("+00:00", "")
    return (text.rstrip("0") if "." in text else text) + "Z"


def _seconds(interval: str) -> int:
    found = re.fullmatch(r"(\d+)([smhdw])", interval)
    if found is None:
        raise NotGrafanaError(f"{interval!r} is no interval")
    return int(found[1]) * _SECONDS[found[2]]
