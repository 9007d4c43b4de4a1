"""Dashboards that many tests look at: over the sample data, and over the same where every name looks like a script."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from serving_pages import served

from asp_telemetry.analytics import Analytics
from asp_telemetry.dashboard.app import ROUTES, create_app

PARTS = {"live", "choices", "health", "static"}
"""Routes that are no pages for people."""
HOSTILE = "<script>alert(1)</script>"
NAMES = {
    "agent_role", "task_id", "subtask_id", "project_id", "user_id", "llm_model", "llm_provider", "name", "task_type",
    "task_description", "error_type", "error_message", "component_path", "description", "selected_agent", "agent",
    "environment", "release", "tool_name", "service_name", "endpoint_path", "source_agent", "target_agent",
    "transformation_reason", "selection_reason", "user_request", "intent", "primary_agent", "error_message_pattern",
    "prompt_text",
}  # fmt: skip
"""Columns that hold what users name and write."""


@dataclass(frozen=True)
class Site:
    """Be a dashboard that is served: its address, its database, and the paths of its pages by the names of their routes."""

    address: str
    database: str
    paths: dict[str, str]


def make_hostile(sample: Path, path: Path) -> None:
    """Copy the sample data with a script in front of each name."""
    with closing(sqlite3.connect(path)) as hostile, closing(sqlite3.connect(sample)) as source:
        source.backup(hostile)
        hostile.execute("PRAGMA foreign_keys = OFF")
        tables = [row[0] for row in hostile.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for table in tables:
            columns = {row[1] for row in hostile.execute(f"PRAGMA table_info({table})")} & NAMES
            if columns:
                changes = ", ".join(f"{name} = ? || {name}" for name in sorted(columns))
                hostile.execute(f"UPDATE {table} SET {changes}", [HOSTILE] * len(columns))
        hostile.commit()


@contextmanager
def site(path: Path) -> Iterator[Site]:
    """Serve the dashboard of an SQLite file."""
    url = f"sqlite:///{path}"
    with served(create_app(url)) as address:
        yield Site(address, url, page_paths(url))


def page_paths(url: str) -> dict[str, str]:
    """Return the path of each page by the name of its route, filled in with something that the database has."""
    with Analytics.sync(url) as ask:
        trace = ask.recent_traces(failures=True, limit=1) or ask.recent_traces(limit=1)
        values = {
            "id": trace[0].id,
            "task_id": ask.tasks(limit=1)[0].task_id,
            "role": next(row.agent_role for row in ask.cost_by_agent_role() if row.agent_role),
        }
    return {
        route.name: re.sub(r"\{(\w+)(:\w+)?\}", lambda part: quote(str(values[part[1]]), safe=""), route.path)  # type: ignore[attr-defined]
        for route in ROUTES
        if route.name not in PARTS  # type: ignore[attr-defined]
    }
