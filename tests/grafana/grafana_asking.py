"""Asks a database what Grafana would ask it: the dashboards as they are shipped, their panels and variables."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from filling import Situation

from asp_telemetry.resources import schema_directory

NOW = datetime(2026, 11, 20, 17, 40, tzinfo=UTC)
SHIPPED = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((schema_directory("grafana") / "dashboards").glob("*.json"))
}


class Questioner:
    """Ask a database what Grafana would ask it."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def panel(self, title: str, dashboard: str, **chosen: Any) -> list[asyncpg.Record]:
        """Return the rows of a panel, for the three months of the team unless told otherwise."""
        return await self.connection.fetch(self.sql(title, dashboard, **chosen))

    def sql(self, title: str, dashboard: str, **chosen: Any) -> str:
        """Return the query of a panel as it comes to PostgreSQL."""
        (panel,) = [each for each in panels(SHIPPED[dashboard]) if each["title"] == title]
        return situation(SHIPPED[dashboard], **chosen).fill(panel["targets"][0]["rawSql"])


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels that ask something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def variables(dashboard: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the variables that narrow something, by name."""
    return {each["name"]: each for each in dashboard["templating"]["list"] if each["type"] == "query"}


def situation(
    dashboard: dict[str, Any],
    since: datetime = NOW - timedelta(days=95),
    until: datetime = NOW,
    **chosen: Any,
) -> Situation:
    """Return what is chosen above a dashboard."""
    all_values = {name: each["allValue"] for name, each in variables(dashboard).items()}
    return Situation(since, until, "1d", chosen, all_values)


@asynccontextmanager
async def asking(url: str) -> AsyncIterator[Questioner]:
    """Connect as Grafana does; its server has a time zone that is not UTC."""
    connection = await asyncpg.connect(url)
    try:
        yield Questioner(connection)
    finally:
        await connection.close()
