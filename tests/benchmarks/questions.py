"""Measures what asking costs: every question of the analytics, of all time and of the last 30 days, on both databases.

The rows lie evenly over a year: for each fifth of them an execution of an agent, in tasks of ten; two per cent as many
tasks and defects, five as many hooks, endpoint calls and routing decisions. A million cost rows is some 200 000 runs.

python tests/benchmarks/questions.py [--quick] [--rows 10000000] [--only sqlite]
"""

import argparse
import asyncio
import sqlite3
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import closing
from inspect import signature
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from tables import print_machine, print_requirement, print_table

from asp_telemetry.analytics import Analytics
from asp_telemetry.stores.postgres_connection import connect, prepare_schema
from asp_telemetry.stores.sqlite_connection import open_database
from postgres import Server, programs

_ROUNDS = 3
_RECENT_LIMIT = 300.0
_LIMITS = {10_000: (100.0, 100.0), 1_000_000: (2_000.0, _RECENT_LIMIT)}  # ms: all time, the last 30 days
_WIDE = 10_000.0
_TASK = "TASK-7"
_ROLE = (
    "(CASE {run} % 6 WHEN 0 THEN 'Planning' WHEN 1 THEN 'Design' WHEN 2 THEN 'DesignReview' WHEN 3 THEN 'Code' "
    "WHEN 4 THEN 'CodeReview' ELSE 'Test' END)"
)
_FILL = """
INSERT INTO agent_cost_vector (timestamp, task_id, correlation_id, project_id, user_id, agent_role, agent_version,
  metric_type, metric_value, metric_unit, nested, llm_model, llm_provider)
SELECT {moment}, 'TASK-' || (i / 50), {uuid}, 'project-' || (i / 50 % 5), 'user-' || (i / 50 % 20), {role},
  (CASE i / 50 % 3 WHEN 0 THEN '2.0' ELSE '1.0' END),
  (CASE i % 5 WHEN 0 THEN 'Latency' WHEN 1 THEN 'Tokens_In' WHEN 2 THEN 'Tokens_Out' WHEN 3 THEN 'API_Cost'
   ELSE (CASE i % 2 WHEN 0 THEN 'Time_To_First_Token' ELSE 'Tokens_Cache_Read' END) END),
  (CASE i % 5 WHEN 3 THEN i * 7919 % 1000 * 0.00003 ELSE i * 7919 % 100000 END), 'x', i / 5 % 7 = 0,
  (CASE i % 5 WHEN 0 THEN NULL ELSE 'model-' || (i / 5 % 4) END), (CASE i % 5 WHEN 0 THEN NULL ELSE 'openai' END)
FROM {numbers};
INSERT INTO execution_traces (correlation_id, root_id, session_id, user_id, source, kind, name, agent_role, task_id,
  started_at, duration_ms, status, success, error_type, error_message, usage)
SELECT {uuid}, {root}, 's', 'user-' || (i / 50 % 20), 'agent_delegation', 'agent', lower({role}), {role},
  'TASK-' || (i / 50), {moment}, i * 7919 % 100000, (CASE i / 5 % 97 WHEN 0 THEN 'error' ELSE 'success' END),
  i / 5 % 97 <> 0, (CASE i / 5 % 97 WHEN 0 THEN 'ValueError' END), (CASE i / 5 % 97 WHEN 0 THEN 'broken' END),
  '{{"model": "model-1", "input_tokens": 1000, "output_tokens": 100, "cost": "0.0002"}}'
FROM {numbers} WHERE i % 5 = 0;
INSERT INTO task_metadata (task_id, project_id, user_id, task_type, status, created_at, completed_at,
  estimated_complexity, actual_complexity, components_affected, actual_cost_vector_json)
SELECT 'TASK-' || (i / 50), 'project-' || (i / 50 % 5), 'user-' || (i / 50 % 20), 'authentication',
  (CASE i / 50 % 9 WHEN 0 THEN 'failed' ELSE 'completed' END), {moment}, {moment}, 5, 1 + i / 50 % 20, {components},
  '{{"latency_ms": 1500.5, "tokens": 1200, "api_cost_usd": 0.0382}}'
FROM {numbers} WHERE i % 50 = 0;
INSERT INTO defect_log (defect_id, created_at, task_id, project_id, defect_type, phase_injected, phase_removed,
  component_path, severity, flagged_by_agent, validated_by_human, description)
SELECT 'D-' || (i / 50), {moment}, 'TASK-' || (i / 50), 'project-' || (i / 50 % 5), (1 + i / 50 % 8) || '_Type',
  (CASE i / 50 % 2 WHEN 0 THEN 'Design' ELSE 'Code' END), (CASE i / 50 % 3 WHEN 0 THEN 'CodeReview' ELSE 'Test' END),
  'src/module_' || (i / 50 % 500) || '.py', 'High', {yes}, {yes}, 'x'
FROM {numbers} WHERE i % 50 = 0;
INSERT INTO endpoint_calls (correlation_id, service_name, endpoint_path, http_method, started_at, duration_ms, success)
SELECT {uuid}, 'intelligence', '/api/' || (i / 20 % 10), 'POST', {moment}, i * 7919 % 1000, i / 20 % 50 <> 0
FROM {numbers} WHERE i % 20 = 0;
INSERT INTO hook_executions (execution_id, correlation_id, hook_type, tool_name, started_at, duration_ms, status, success)
SELECT {uuid}, {uuid}, 'PreToolUse', 'tool-' || (i / 20 % 10), {moment}, i * 7919 % 1000, 'success', {yes}
FROM {numbers} WHERE i % 20 = 0;
INSERT INTO router_performance_metrics (metric_type, correlation_id, selected_agent, selection_strategy,
  confidence_score, trigger_confidence, total_routing_time_us, cache_hit, measured_at)
SELECT 'routing_decision', {uuid}, 'agent-' || (i / 20 % 10), 'fuzzy_match', i % 100 * 0.01, 0.5, i * 7919 % 200000,
  i % 3 = 0, {moment}
FROM {numbers} WHERE i % 20 = 0;
INSERT INTO success_patterns (id, source_correlation_id, intent, keywords, agent, routing_strategy, hook_sequence,
  endpoint_pattern)
SELECT {uuid}, {uuid}, 'fix', {nothing}, 'debugger', 'explicit', '[]', '[]' FROM {numbers} WHERE i % 5 = 0 AND i < 1000;
INSERT INTO bootstrap_metrics (measured_at, measurement_period_start, measurement_period_end, capability_name,
  capability_mode, tasks_completed, tasks_required_for_graduation, primary_metric_name, primary_metric_value,
  primary_metric_target, metric_direction)
SELECT {moment}, {moment}, {moment}, 'capability ' || (i % 6), 'Shadow', 1, 2, 'MAPE', 18.2, 20, 'lower_is_better'
FROM {numbers} WHERE i < 2000;
"""


def fill_sqlite(path: Path, rows: int) -> None:
    """Make a database and fill it.

    Args:
        path: Where it is made.
        rows: How many cost rows it gets.
    """

    async def make() -> None:
        opened = await open_database(path)
        await opened.connection.close()

    asyncio.run(make())
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "PRAGMA synchronous = OFF; CREATE TEMP TABLE numbers AS WITH RECURSIVE c (i) AS (SELECT 0 UNION ALL "
            f"SELECT i + 1 FROM c WHERE i < {rows - 1}) SELECT i FROM c; BEGIN;"
            + _FILL.format(
                numbers="numbers", yes="1", nothing="'[]'", role=_ROLE.format(run="(i / 5)"),
                uuid="printf('00000000-0000-0000-0000-%012x', i / 5)",
                root="printf('00000000-0000-0000-0000-%012x', i / 50 * 10)",
                components="'[\"src/module_' || (i / 50 % 500) || '.py\"]'",
                moment=f"strftime('%Y-%m-%d %H:%M:%f000', 'now', '-' || (({rows} - i / 5 * 5) * 31536000.0 / {rows}) "
                "|| ' seconds')",
            )
            + "COMMIT;"
        )  # fmt: skip


async def fill_postgres(url: str, rows: int) -> None:
    """Bring an empty database up to date and fill it.

    Args:
        url: The database.
        rows: How many cost rows it gets.
    """
    writer = await connect(url, command_seconds=3600)
    await prepare_schema(writer, url, migrate=True)
    await writer.execute(
        _FILL.format(
            numbers=f"generate_series(0::bigint, {rows - 1}) AS i", yes="true", nothing="'{}'",
            role=_ROLE.format(run="(i / 5)"), uuid="lpad(to_hex(i / 5), 32, '0')::uuid",
            root="lpad(to_hex(i / 50 * 10), 32, '0')::uuid",
            components="ARRAY['src/module_' || (i / 50 % 500) || '.py']",
            moment=f"now() - ({rows} - i / 5 * 5)::float8 * 31536000 / {rows} * interval '1 second'",
        )
    )  # fmt: skip
    await writer.execute("VACUUM ANALYZE")
    await writer.close()


def _questions(ask: Analytics) -> dict[str, Callable[..., Awaitable[Any]]]:
    """Return how to ask each question with or without `days`; those that are about no time are asked without it."""
    names = [
        name
        for family in type(ask).__mro__
        if family.__module__.startswith("asp_telemetry.analytics.") and family.__name__.endswith("Questions")
        for name in vars(family)
        if not name.startswith("_")
    ]
    questions: dict[str, Callable[..., Awaitable[Any]]] = {name: getattr(ask, name) for name in names}
    compare = questions["compare_versions"]
    questions["compare_versions"] = lambda **filters: compare("Code", "1.0", "2.0", **filters)
    for name, answer in questions.items():
        parameters = signature(answer).parameters
        if "task_id" in parameters:
            questions[name] = lambda answer=answer, **_: answer(_TASK)
        elif "filters" not in parameters:
            questions[name] = lambda answer=answer, **_: answer()
    return questions


async def measure(url: str) -> dict[str, tuple[float, float, float]]:
    """Return the milliseconds of each question, of all time and of 30 days, the fastest of three; and what it computes.

    The last figure is the processor time of this process for all time, which others on the machine change least; PostgreSQL
    computes in processes of its own.
    """
    found = {}
    async with Analytics(url) as ask:
        for name, answer in _questions(ask).items():
            times, computed = [], []
            for period in ({}, {"days": 30}):
                took = []
                for _ in range(_ROUNDS):
                    begun, used = perf_counter(), process_time()
                    await answer(**period)
                    took.append((perf_counter() - begun) * 1000)
                    if not period:
                        computed.append((process_time() - used) * 1000)
                    if took[-1] > _RECENT_LIMIT * 10:
                        break
                times.append(min(took))
            found[name] = (times[0], times[1], min(computed))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10 000 rows only")
    parser.add_argument("--rows", type=int, help="so many cost rows instead of 10 000 and a million")
    parser.add_argument("--only", choices=["sqlite", "postgres"], help="one database instead of both")
    chosen = parser.parse_args()
    sizes = [10_000] if chosen.quick else [chosen.rows] if chosen.rows else list(_LIMITS)
    print_machine()
    for rows in sizes:
        found = {}
        with tempfile.TemporaryDirectory() as folder:
            if chosen.only != "postgres":
                path = Path(folder) / "questions.db"
                fill_sqlite(path, rows)
                found["SQLite"] = asyncio.run(measure(f"sqlite:///{path}"))
        binaries = programs()
        if chosen.only != "sqlite" and binaries is not None:
            server = Server(binaries)
            try:
                server.stop()
                server.start(shared_buffers="512MB", timezone="UTC", max_wal_size="4GB")
                asyncio.run(fill_postgres(server.url(), rows))
                found["PostgreSQL"] = asyncio.run(measure(server.url()))
            finally:
                server.remove()
        _print(rows, found)


def _print(rows: int, found: dict[str, dict[str, tuple[float, float, float]]]) -> None:
    print_table(
        f"questions at {rows} cost rows, milliseconds, fastest of {_ROUNDS}",
        ["", *(f"{name}, {period}" for name in found for period in ("all time", "30 days", "CPU here"))],
        [
            [name, *(figure for answers in found.values() for figure in answers[name])]
            for name in next(iter(found.values()))
        ],
    )
    print()
    limits = _LIMITS.get(rows, (_WIDE, _WIDE))
    for name, answers in found.items():
        for place, period in enumerate(("all time", "30 days")):
            slowest = max(answers, key=lambda one: answers[one][place])
            print_requirement(
                f"{name}, {period}, slowest: {slowest}", answers[slowest][place], limits[place], " ms"
            )


if __name__ == "__main__":
    main()
