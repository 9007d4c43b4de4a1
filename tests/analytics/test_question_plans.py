"""What is asked of the last 30 days is found by an index, on both databases."""

import asyncio
import re
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from asp_telemetry.analytics.filters import filter_values
from asp_telemetry.analytics.wording import worded
from asp_telemetry.database_url import sqlite_path
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.reader import positional
from asp_telemetry.stores.statements import load_statements
from databases import AnyDatabase

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from questions import fill_postgres, fill_sqlite

ROWS = 60_000
TABLES = set(re.findall(r"CREATE TABLE (\w+)", (schema_directory("sqlite") / "schema.sql").read_text()))
# Tables of which each row counts whatever time is asked for, and those that are joined by their key: of these PostgreSQL
# may prefer to read the few thousand rows that there are here.
MAY_SCAN = {
    "tasks.cost_per_success": {"task_metadata", "agent_cost_vector"},
    "routing.patterns": {"success_patterns", "pattern_usage_log"},
    "defects.by_component": {"task_metadata"},
    "versions.tasks": {"defect_log"},
    "versions.runs": {"execution_traces"},
    "capabilities.defects": {"defect_log", "task_metadata"},
    "estimation.finished_tasks": {"task_metadata"},
    "learned.errors": {"error_patterns"},
    "learned.chains": {"agent_chaining_patterns"},
}


def questions() -> list[str]:
    """Return every statement that is about a stretch of time."""
    return [
        f"{path.stem}.{name}"
        for path in sorted(schema_directory("analytics").glob("*.sql"))
        if path.stem not in {"common", "sqlite", "postgres"}
        for name, text in load_statements(path).items()
        if text.startswith(("SELECT", "WITH")) and ":since" in worded(f"{path.stem}.{name}", "sqlite")
    ]


@pytest.fixture
def year(any_database: AnyDatabase) -> AnyDatabase:
    """Fill each database in turn with a year of work."""
    if any_database.is_sqlite:
        fill_sqlite(sqlite_path(any_database.url), ROWS)
    else:
        asyncio.run(fill_postgres(any_database.url, ROWS))
    return any_database


def plans(database: AnyDatabase) -> dict[str, list[str]]:
    given = {"since": datetime.now(UTC) - timedelta(days=30)}
    found = {}
    if database.is_sqlite:
        with closing(sqlite3.connect(sqlite_path(database.url))) as connection:
            for statement in questions():
                sql = worded(statement, "sqlite")
                values: dict[str, Any] = dict.fromkeys(positional(sql)[1]) | narrowed(sql, given)
                values = {
                    name: value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value
                    for name, value in values.items()
                }
                found[statement] = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
        return found

    async def ask() -> None:
        connection = await asyncpg.connect(database.url)
        for statement in questions():
            sql, names = positional(worded(statement, "postgres"))
            values = dict.fromkeys(names) | narrowed(worded(statement, "postgres"), given)
            rows = await connection.fetch(f"EXPLAIN {sql}", *(values[name] for name in names))
            found[statement] = [row[0] for row in rows]
        await connection.close()

    asyncio.run(ask())
    return found


def narrowed(sql: str, given: dict[str, Any]) -> dict[str, Any]:
    names = positional(sql)[1]
    values = filter_values(given if "since" in names else {}, names)
    versions = {"agent_role": "Code", "before": "1.0", "after": "2.0"}
    return values | {name: value for name, value in versions.items() if name in names}


def test_a_month_of_a_year_is_found_by_an_index(year: AnyDatabase) -> None:
    """No question of the last 30 days reads a large table from end to end."""
    whole = {}
    for statement, plan in plans(year).items():
        if year.is_sqlite:
            scans = [line.split()[1] for line in plan if line.startswith("SCAN ") and " USING " not in line]
        else:
            scans = [scan[1] for line in plan if (scan := re.search(r"Seq Scan on (\w+)", line))]
        if (set(scans) & TABLES) - MAY_SCAN.get(statement, set()):
            whole[statement] = sorted(set(scans) & TABLES)
    assert whole == {}


def test_questions_about_costs_are_answered_without_the_table(year: AnyDatabase) -> None:
    """On SQLite the index has all that is summed up; PostgreSQL reads the rows that its index names."""
    found = {name: plan for name, plan in plans(year).items() if name.startswith(("costs.", "latency."))}
    assert len(found) >= 9
    uncovered = [
        name
        for name, plan in found.items()
        if year.is_sqlite and not any("USING COVERING INDEX idx_cost_metric_time" in line for line in plan)
    ]
    assert uncovered == []


def test_costs_are_added_up_in_the_order_of_the_index(year: AnyDatabase) -> None:
    """SQLite, which groups by sorting, sorts sums of costs instead of their rows; PostgreSQL hashes."""
    in_order = ("costs.by_agent_role", "costs.by_model", "costs.by_day", "costs.in_all", "versions.list")
    sorted_rows = []
    for name, plan in plans(year).items():
        if year.is_sqlite and name in in_order:
            [read] = [place for place, line in enumerate(plan) if "idx_cost_metric_time" in line]
            sorted_rows += [name for line in plan[read + 1 : read + 2] if "TEMP B-TREE" in line]
    assert sorted_rows == []
