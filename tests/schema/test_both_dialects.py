"""The two dialects: one vocabulary, the same answers from views and published queries, indexes where they count."""

import random
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from asp_telemetry.records import FACTS
from asp_telemetry.resources import published_queries, schema_directory

VIEWS = [
    "daily_cost_summary", "hourly_agent_performance", "probe_training_data", "review_agent_effectiveness",
    "defect_density_by_component", "bootstrap_status", "trace_summary", "agent_performance",
    "hook_performance_summary", "endpoint_reliability", "error_analysis", "pattern_effectiveness",
    "dashboard_summary",
]  # fmt: skip
ROLES = ["Planning", "Design", "DesignReview", "Code", "CodeReview", "Test"]
PHASES = [*ROLES, "Postmortem"]


async def add_sample(in_sqlite, in_postgres):
    in_sqlite.executescript((schema_directory("sqlite") / "sample_data.sql").read_text())
    await in_postgres.execute((schema_directory("postgres") / "sample_data.sql").read_text())


async def add_random_work(in_sqlite, in_postgres):
    """Put the same few hundred rows into both: several traces, foreign ones among them, defects, hooks, calls."""
    dice = random.Random(7)
    # half a minute off, so that no row lies on the edge of the last 24 hours
    start = datetime.now(UTC).replace(microsecond=123456) - timedelta(days=3, seconds=30)

    def stamp(row):
        return [
            value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value for value in row
        ]

    async def put(table, columns, rows):
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "
        in_sqlite.executemany(
            f"{sql}({marks})", [[str(v) if isinstance(v, UUID) else v for v in stamp(r)] for r in rows]
        )
        await in_postgres.executemany(
            f"{sql}({', '.join(f'${n + 1}' for n in range(len(columns)))})",
            [[bool(v) if c in ("nested", "success", "flagged_by_agent", "validated_by_human", "false_positive") and v is not None else v
              for c, v in zip(columns, row, strict=True)] for row in rows],
        )  # fmt: skip

    traces, costs, hooks, calls = [], [], [], []
    for root_number in range(20):
        root = UUID(int=root_number + 1 << 64)
        for number in range(6):
            # every fifth trace began elsewhere: no row here has its root's id
            identity = root if number == 0 and root_number % 5 else UUID(int=root.int + number + 1)
            moment = start + timedelta(minutes=dice.randrange(4000))
            role, status = (
                dice.choice(ROLES),
                dice.choice(["success", "success", "error", "timeout", "in_progress"]),
            )
            duration = None if status == "in_progress" else dice.randrange(1, 10**9) / 1000
            traces.append((identity, root, None if identity == root else root, "s", "user_prompt",
                           dice.choice(["agent", "tool"]), role.lower(), role, f"T{root_number}", moment, duration, status,
                           "KeyError" if status == "error" else None))  # fmt: skip
            for metric, unit in (
                ("Latency", "ms"),
                ("Tokens_In", "tokens"),
                ("Tokens_Out", "tokens"),
                ("Retries", "count"),
            ):
                costs.append(
                    (
                        moment,
                        f"T{root_number}",
                        identity,
                        role,
                        metric,
                        dice.randrange(10**6),
                        unit,
                        number % 2,
                    )
                )
            if number % 3 == 0:
                costs.append((moment, f"T{root_number}", identity, role, "API_Cost", 0, "USD", 0))
            success = dice.randrange(2)
            around = root if number == 5 else identity
            hooks.append((UUID(int=identity.int + 100), identity, around, dice.choice(["Stop", "PreToolUse"]), moment,
                          duration, status, success))  # fmt: skip
            calls.append(
                (
                    UUID(int=identity.int + 200),
                    around,
                    "svc",
                    f"/{number % 2}",
                    "GET",
                    moment,
                    duration,
                    success,
                )
            )
    await put("execution_traces", ["correlation_id", "root_id", "parent_id", "session_id", "source", "kind", "name",
              "agent_role", "task_id", "started_at", "duration_ms", "status", "error_type"], traces)  # fmt: skip
    await put("agent_cost_vector", ["timestamp", "task_id", "correlation_id", "agent_role", "metric_type",
              "metric_value", "metric_unit", "nested"], costs)  # fmt: skip
    await put("hook_executions", ["id", "execution_id", "correlation_id", "hook_type", "started_at", "duration_ms",
              "status", "success"], hooks)  # fmt: skip
    await put("endpoint_calls", ["id", "correlation_id", "service_name", "endpoint_path", "http_method", "started_at",
              "duration_ms", "success"], calls)  # fmt: skip
    defects = []
    for number in range(60):
        injected, removed = dice.sample([*PHASES, "unknown"], 2)
        defects.append((f"D{number}", f"T{dice.randrange(25)}", "x", dice.choice(["Critical", "High", "Low", None]), injected, removed,
                        dice.choice(["a.py", "b.py", None]), "d", *(dice.choice([0, 1, None]) for _ in range(3))))  # fmt: skip
    await put("defect_log", ["defect_id", "task_id", "defect_type", "severity", "phase_injected", "phase_removed",
              "component_path", "description", "flagged_by_agent", "validated_by_human", "false_positive"], defects)  # fmt: skip
    vectors = [
        '{"latency_ms": 5, "tokens": 7}',
        '{"latency_ms": "soon", "api_cost_usd": 0.00003}',
        None,
        "[]",
    ]
    tasks = [(f"T{n}", dice.choice(["completed", "failed"]), dice.choice([None, 0, 3, 8]), dice.choice([None, 5]),
              dice.choice(vectors), dice.choice(vectors)) for n in range(25)]  # fmt: skip
    await put("task_metadata", ["task_id", "status", "estimated_complexity", "actual_complexity",
              "estimated_cost_vector_json", "actual_cost_vector_json"], tasks)  # fmt: skip
    in_sqlite.execute(
        "UPDATE task_metadata SET components_affected = '[\"a.py\", \"c.py\"]' WHERE task_id < 'T2'"
    )
    await in_postgres.execute(
        "UPDATE task_metadata SET components_affected = '{a.py,c.py}' WHERE task_id < 'T2'"
    )


async def test_tables_have_the_same_columns(in_sqlite, in_postgres):
    """Whatever can be asked of one database can be asked of the other: names, order, defaults, what may be missing."""
    query = (
        "SELECT attname, attnotnull, atthasdef AND attgenerated = '' FROM pg_attribute "
        "WHERE attrelid = $1::text::regclass AND attnum > 0 ORDER BY attnum"
    )
    for record in FACTS:
        theirs = [tuple(row) for row in await in_postgres.fetch(query, record.table)]
        ours = in_sqlite.execute(
            'SELECT name, "notnull" OR pk, dflt_value IS NOT NULL FROM pragma_table_xinfo(?) ORDER BY cid',
            (record.table,),
        )
        assert [(name, bool(required), bool(default)) for name, required, default in ours] == theirs, (
            record.table
        )


async def test_indexes_have_the_same_names(in_sqlite, in_postgres):
    """Both databases have the same indexes, but for those on the inside of JSON and arrays."""
    rows = await in_postgres.fetch(
        "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND indexname LIKE 'idx%' "
        "AND indexdef NOT LIKE '%USING gin%'"
    )
    ours = in_sqlite.execute("SELECT name FROM sqlite_schema WHERE type = 'index' AND name LIKE 'idx%'")
    assert {row["indexname"] for row in rows} == {name for (name,) in ours}


@pytest.mark.parametrize("add", [add_sample, add_random_work], ids=["sample", "random"])
async def test_views_give_the_same_answers(in_sqlite, in_postgres, plain, add):
    """A view answers the same on both databases, column for column and row for row."""
    await add(in_sqlite, in_postgres)
    for view in VIEWS:
        cursor = in_sqlite.execute(f"SELECT * FROM {view}")
        rows = await in_postgres.fetch(f"SELECT * FROM {view}")
        assert not rows or [name for name, *_ in cursor.description] == list(rows[0].keys()), view
        assert plain(cursor.fetchall()) == plain(rows), view


async def test_views_count_what_was_put_in(in_sqlite, in_postgres):
    """Each trace is one row of trace_summary, its tokens counted once, whether it began here or elsewhere."""
    await add_random_work(in_sqlite, in_postgres)
    tokens = "SELECT sum(metric_value) FROM agent_cost_vector WHERE metric_type LIKE 'Tokens%'"
    summary = "SELECT count(*), count(DISTINCT root_id), sum(executions), sum(hooks), sum(endpoints), sum(tokens) FROM trace_summary"
    assert in_sqlite.execute(summary).fetchone() == (
        20,
        20,
        120,
        120,
        120,
        in_sqlite.execute(tokens).fetchone()[0],
    )
    assert tuple(await in_postgres.fetchrow(summary))[:5] == (20, 20, 120, 120, 120)


@pytest.mark.parametrize("add", [add_sample, add_random_work], ids=["sample", "random"])
async def test_published_queries_give_the_same_answers(in_sqlite, in_postgres, plain, add):
    """The five common queries run on both databases as they are, with the same answers in the same order."""
    await add(in_sqlite, in_postgres)
    ours, theirs = published_queries("sqlite"), published_queries("postgres")
    assert len(ours) == len(theirs) == 5
    for name, text in ours.items():
        cursor = in_sqlite.execute(text)
        rows = await in_postgres.fetch(theirs[name])
        found = cursor.fetchall()
        assert plain(found) == plain(rows), name
        assert [row[0] for row in found] == [row[0] for row in rows], name
        if rows:
            assert [column for column, *_ in cursor.description] == list(rows[0].keys())


def test_percentiles_are_values_that_occurred(in_sqlite):
    """Of the durations 1 to 100 the median is 50 and the 95th percentile 95, not something between."""
    in_sqlite.executemany(
        "INSERT INTO hook_executions (execution_id, correlation_id, hook_type, duration_ms) VALUES (?, ?, 'Stop', ?)",
        [(str(UUID(int=1)), str(UUID(int=1)), number) for number in range(1, 101)],
    )
    assert in_sqlite.execute("SELECT p95_duration_ms FROM hook_performance_summary").fetchone() == (95.0,)


SELECTIVE = {
    "published: cost by agent role": None,
    "view: a day of daily_cost_summary": "SELECT * FROM daily_cost_summary WHERE day = '{day}'",
    "view: a day of hourly_agent_performance": "SELECT * FROM hourly_agent_performance WHERE day = '{day}'",
    "view: a trace of trace_summary": "SELECT * FROM trace_summary WHERE root_id = '{root}'",
    "view: newest of trace_summary": "SELECT * FROM trace_summary WHERE started_at >= '{day} 00:00:00.000000'",
    "view: a service of endpoint_reliability": "SELECT * FROM endpoint_reliability WHERE service_name = 's7'",
    "view: a hook of hook_performance_summary": "SELECT * FROM hook_performance_summary "
    "WHERE hook_type = 'h7' AND tool_name = 't'",
    "view: a pattern of pattern_effectiveness": "SELECT * FROM pattern_effectiveness WHERE pattern_id = '{root}'",
    "view: probe_training_data": "SELECT * FROM probe_training_data",
    "view: a capability of bootstrap_status": "SELECT * FROM bootstrap_status WHERE capability_name = 'c7'",
    "view: dashboard_summary": "SELECT * FROM dashboard_summary",
    "table: a task's costs": "SELECT * FROM agent_cost_vector WHERE task_id = 'T7'",
    "table: a task's defects": "SELECT * FROM defect_log WHERE task_id = 'T7'",
    "table: a component's defects": "SELECT * FROM defect_log WHERE component_path = '7.py'",
}
# The few rows that views make up themselves.
SMALL = {"phases", "CONSTANT"}
# Aggregates of whole tables, which have few rows: all open defects, the newest measurement of each capability.
WHOLE = {"view: dashboard_summary": {"defect_log", "bootstrap_metrics"}}


def uuid_of(number):
    return str(UUID(int=number))


@pytest.fixture
async def many(in_sqlite, in_postgres):
    """Fill the large tables with 100 000 rows each, over a year."""
    now = datetime.now(UTC)
    day = (now - timedelta(days=20)).strftime("%Y-%m-%d")
    in_sqlite.executescript(
        """
        CREATE TEMP TABLE n AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 100000)
          SELECT i, printf('00000000-0000-0000-0000-%012x', i) AS u, printf('00000000-0000-0000-0000-%012x', i / 10) AS r,
            strftime('%Y-%m-%d %H:%M:%f000', 'now', '-' || (i * 5) || ' minutes') AS t FROM c;
        INSERT INTO agent_cost_vector (timestamp, task_id, correlation_id, agent_role, metric_type, metric_value, metric_unit)
          SELECT t, 'T' || (i / 10), u, 'r' || (i % 8), 'm' || (i % 5), i, 'ms' FROM n;
        INSERT INTO execution_traces (correlation_id, root_id, session_id, source, kind, name, task_id, started_at, status)
          SELECT u, r, r, 's', 'agent', 'n', 'T', t, CASE WHEN i % 500 = 0 THEN 'error' ELSE 'success' END FROM n;
        INSERT INTO hook_executions (execution_id, correlation_id, hook_type, tool_name) SELECT u, u, 'h' || (i % 200), 't' FROM n;
        INSERT INTO endpoint_calls (correlation_id, service_name, endpoint_path, http_method, success)
          SELECT u, 's' || (i % 200), '/', 'GET', 1 FROM n;
        INSERT INTO success_patterns (id, source_correlation_id, intent, keywords, agent, routing_strategy, hook_sequence, endpoint_pattern)
          SELECT u, u, 'i', '[]', 'a', 'explicit', '[]', '[]' FROM n;
        INSERT INTO pattern_usage_log (pattern_id, correlation_id, user_request, match_score, used) SELECT r, u, 'q', 1, 0 FROM n;
        INSERT INTO task_metadata (task_id, status) SELECT 'T' || i, CASE WHEN i % 500 = 0 THEN 'completed' ELSE 'pending' END FROM n;
        INSERT INTO defect_log (defect_id, task_id, defect_type, phase_injected, phase_removed, description, component_path, created_at)
          SELECT 'D' || i, 'T' || (i / 10), 'x', 'Code', 'Test', 'd', (i % 5000) || '.py', t FROM n;
        INSERT INTO bootstrap_metrics (measured_at, measurement_period_start, measurement_period_end, capability_name, capability_mode,
            tasks_completed, tasks_required_for_graduation, primary_metric_name, primary_metric_value, primary_metric_target, metric_direction)
          SELECT t, t, t, 'c' || (i % 20), 'Shadow', 1, 2, 'm', 1, 1, 'lower_is_better' FROM n;
        ANALYZE;
        """
    )
    await in_postgres.execute(
        """
        CREATE TEMP TABLE n AS SELECT i, lpad(to_hex(i), 32, '0')::uuid AS u, lpad(to_hex(i / 10), 32, '0')::uuid AS r,
          now() - i * interval '5 minutes' AS t FROM generate_series(1, 100000) AS i;
        INSERT INTO agent_cost_vector (timestamp, task_id, correlation_id, agent_role, metric_type, metric_value, metric_unit)
          SELECT t, 'T' || (i / 10), u, 'r' || (i % 8), 'm' || (i % 5), i, 'ms' FROM n;
        INSERT INTO execution_traces (correlation_id, root_id, session_id, source, kind, name, task_id, started_at, status)
          SELECT u, r, r, 's', 'agent', 'n', 'T', t, CASE WHEN i % 500 = 0 THEN 'error' ELSE 'success' END FROM n;
        INSERT INTO hook_executions (execution_id, correlation_id, hook_type, tool_name) SELECT u, u, 'h' || (i % 200), 't' FROM n;
        INSERT INTO endpoint_calls (correlation_id, service_name, endpoint_path, http_method, success)
          SELECT u, 's' || (i % 200), '/', 'GET', true FROM n;
        INSERT INTO success_patterns (id, source_correlation_id, intent, keywords, agent, routing_strategy, hook_sequence, endpoint_pattern)
          SELECT u, u, 'i', '{}', 'a', 'explicit', '[]', '[]' FROM n;
        ALTER TABLE pattern_usage_log DISABLE TRIGGER USER;
        INSERT INTO pattern_usage_log (pattern_id, correlation_id, user_request, match_score, used) SELECT r, u, 'q', 1, false FROM n;
        INSERT INTO task_metadata (task_id, status) SELECT 'T' || i, CASE WHEN i % 500 = 0 THEN 'completed' ELSE 'pending' END FROM n;
        INSERT INTO defect_log (defect_id, task_id, defect_type, phase_injected, phase_removed, description, component_path, created_at)
          SELECT 'D' || i, 'T' || (i / 10), 'x', 'Code', 'Test', 'd', (i % 5000) || '.py', t FROM n;
        INSERT INTO bootstrap_metrics (measured_at, measurement_period_start, measurement_period_end, capability_name, capability_mode,
            tasks_completed, tasks_required_for_graduation, primary_metric_name, primary_metric_value, primary_metric_target, metric_direction)
          SELECT t, t, t, 'c' || (i % 20), 'Shadow', 1, 2, 'm', 1, 1, 'lower_is_better' FROM n;
        ANALYZE;
        """,
        timeout=120,
    )
    return {"day": day, "root": uuid_of(500)}


async def test_selective_queries_use_an_index(in_sqlite, in_postgres, many):
    """With 100 000 rows in every table no selective question reads a large table from end to end, on either database."""
    found = {}
    for name, text in SELECTIVE.items():
        query = {"sqlite": text, "postgres": text}
        if text is None:
            query = {dialect: published_queries(dialect)["cost_by_agent_role"] for dialect in query}
        else:
            query = {dialect: part.format(**many) for dialect, part in query.items()}
        may_scan = SMALL | WHOLE.get(name, set())
        plan = [detail for *_, detail in in_sqlite.execute(f"EXPLAIN QUERY PLAN {query['sqlite']}")]
        made_here = {line.split()[1] for line in plan if line.startswith(("CO-ROUTINE", "MATERIALIZE"))}
        found[f"{name}, SQLite"] = [
            line
            for line in plan
            if line.startswith("SCAN ")
            and line.split()[1] not in may_scan | made_here
            and " USING " not in line
        ]
        plan = [row[0] for row in await in_postgres.fetch(f"EXPLAIN {query['postgres']}")]
        found[f"{name}, PostgreSQL"] = [
            line
            for line in plan
            if (scan := re.search(r"Seq Scan on (\w+)", line)) and scan[1] not in may_scan
        ]
    assert {name: scans for name, scans in found.items() if scans} == {}
