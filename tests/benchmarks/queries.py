"""Measures what the schema costs those who ask: all migrations, and each published query at a million cost rows.

`stores.py` runs it. The rows: a year of 200 000 executions with five metrics each, in 20 000 tasks with 20 000 defects.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any

import asyncpg

from asp_telemetry.migrations import MigrationSummary
from asp_telemetry.resources import published_queries
from asp_telemetry.stores.postgres_connection import connect, prepare_schema
from asp_telemetry.stores.sqlite_connection import open_database

_ROUNDS = 3
_COSTS = """
INSERT INTO agent_cost_vector (timestamp, task_id, correlation_id, agent_role, metric_type, metric_value, metric_unit)
SELECT {moment}, 'TASK-' || (i / 50), {uuid},
  (CASE i / 5 % 6 WHEN 0 THEN 'Planning' WHEN 1 THEN 'Design' WHEN 2 THEN 'DesignReview' WHEN 3 THEN 'Code'
   WHEN 4 THEN 'CodeReview' ELSE 'Test' END),
  (CASE i % 5 WHEN 0 THEN 'Latency' WHEN 1 THEN 'Tokens_In' WHEN 2 THEN 'Tokens_Out' WHEN 3 THEN 'API_Cost'
   ELSE 'Tool_Calls' END), i % 1000 * 0.00003, 'x'
FROM {numbers};
INSERT INTO task_metadata (task_id, task_type, status, created_at, completed_at, estimated_complexity, actual_complexity,
  actual_cost_vector_json)
SELECT 'TASK-' || i, 'authentication', 'completed', {moment}, {moment}, 5, 1 + i % 20,
  '{{"latency_ms": 1500.5, "tokens": 1200, "api_cost_usd": 0.0382}}'
FROM {numbers} WHERE i < {tasks};
INSERT INTO defect_log (defect_id, created_at, task_id, defect_type, phase_injected, phase_removed, component_path,
  severity, flagged_by_agent, validated_by_human, description)
SELECT 'D-' || i, {moment}, 'TASK-' || i, '4_Hallucination', (CASE i % 2 WHEN 0 THEN 'Design' ELSE 'Code' END),
  (CASE i % 3 WHEN 0 THEN 'CodeReview' ELSE 'Test' END), 'src/module_' || (i % 500) || '.py', 'High', {yes}, {yes}, 'x'
FROM {numbers} WHERE i < {tasks};
INSERT INTO bootstrap_metrics (measured_at, measurement_period_start, measurement_period_end, capability_name,
  capability_mode, tasks_completed, tasks_required_for_graduation, primary_metric_name, primary_metric_value,
  primary_metric_target, metric_direction)
SELECT {moment}, {moment}, {moment}, 'capability ' || (i % 6), 'Shadow', 1, 2, 'MAPE', 18.2, 20, 'lower_is_better'
FROM {numbers} WHERE i < 2000;
"""
Figures = tuple[MigrationSummary, dict[str, float]]


def measure_sqlite(folder: Path, rows: int) -> Figures:
    """Migrate an SQLite database, fill it, and time the queries.

    Args:
        folder: Where the database is made.
        rows: How many cost rows it gets.

    Returns:
        What the migrations took, and the milliseconds of each query by its name, the fastest of three.
    """
    path = folder / "questions.db"

    async def make() -> MigrationSummary:
        opened = await open_database(path)
        await opened.connection.close()
        return opened.summary

    summary = asyncio.run(make())
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TEMP TABLE numbers AS WITH RECURSIVE c (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c "
            f"WHERE i < {rows - 1}) SELECT i FROM c; BEGIN;"
            + _COSTS.format(
                numbers="numbers", tasks=rows // 50, yes="1",
                uuid="printf('00000000-0000-0000-0000-%012x', i / 5)",
                moment=f"strftime('%Y-%m-%d %H:%M:%f000', 'now', '-' || (i * 31536000 / {rows}) || ' seconds')",
            )
            + "COMMIT; ANALYZE;"
        )  # fmt: skip
        found = {
            name: _fastest(lambda text=text: connection.execute(text).fetchall())  # type: ignore[misc]
            for name, text in published_queries("sqlite").items()
        }
    return summary, found


async def measure_postgres(url: str, rows: int) -> Figures:
    """Migrate an empty PostgreSQL database, fill it, and time the queries.

    Args:
        url: The database.
        rows: How many cost rows it gets.

    Returns:
        As `measure_sqlite`.
    """
    writer = await connect(url, command_seconds=600)
    summary = await prepare_schema(writer, url, migrate=True)
    assert summary is not None
    await writer.execute(
        _COSTS.format(
            numbers=f"generate_series(0, {rows - 1}) AS i", tasks=rows // 50, yes="true",
            uuid="lpad(to_hex(i / 5), 32, '0')::uuid",
            moment=f"now() - i::float8 * 31536000 / {rows} * interval '1 second'",
        )
    )  # fmt: skip
    await writer.execute("VACUUM ANALYZE")
    await writer.close()
    reader = await asyncpg.connect(url)
    found = {}
    for name, text in published_queries("postgres").items():
        times = []
        for _ in range(_ROUNDS):
            begun = perf_counter()
            await reader.fetch(text)
            times.append((perf_counter() - begun) * 1000)
        found[name] = min(times)
    await reader.close()
    return summary, found


def _fastest(ask: Callable[[], Any]) -> float:
    times = []
    for _ in range(_ROUNDS):
        begun = perf_counter()
        ask()
        times.append((perf_counter() - begun) * 1000)
    return min(times)
