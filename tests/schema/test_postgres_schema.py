"""The PostgreSQL schema: files that agree with each other, columns as documented, and checks that keep bad rows out."""

import re
from decimal import Decimal

import asyncpg
import pytest

from asp_telemetry.migrations import load_migrations
from asp_telemetry.records import RECORDS
from asp_telemetry.resources import schema_directory

SCHEMA = schema_directory("postgres")
CATALOG = (SCHEMA / "catalog.sql").read_text()
ROOT = "019bc0de-0000-7000-8000-000000000001"
INDEXES = {
    "task_metadata": [
        "project_id", "task_type", "created_at", "status", "bootstrap_phase", "semantic_units_json",
        "components_affected",
    ],
    "agent_cost_vector": [
        "task_id", "timestamp", "agent_role", "metric_type", "execution_date", "agent_role metric_type timestamp",
        "metadata", "correlation_id",
    ],
    "defect_log": [
        "task_id", "defect_type", "phase_injected", "phase_removed", "component_path", "created_at",
        "flagged_by_agent validated_by_human false_positive", "effort_to_fix_json", "metadata",
    ],
    "bootstrap_metrics": [
        "capability_name", "measured_at", "capability_mode", "graduation_criteria_met", "capability_name measured_at",
    ],
    "execution_traces": [
        "root_id", "session_id", "status", "started_at", "tags", "task_id", "correlation_id started_at",
    ],
    "agent_routing_decisions": ["correlation_id", "selected_agent", "pattern_id", "created_at"],
    "hook_executions": ["correlation_id", "execution_id", "parent_id", "hook_type tool_name", "started_at"],
    "endpoint_calls": ["correlation_id", "hook_execution_id", "service_name endpoint_path", "started_at"],
    "agent_definitions": [
        "agent_name", "agent_type", "domain", "is_active", "capabilities", "triggers", "yaml_config",
        "parsed_metadata", "success_rate quality_score avg_execution_time_ms",
    ],
    "agent_transformation_events": [
        "correlation_id", "session_id", "target_agent", "source_agent", "event_type", "started_at",
        "success started_at", "target_agent total_execution_duration_ms quality_score", "context_snapshot",
        "parent_event_id", "agent_definition_id",
    ],
    "router_performance_metrics": [
        "measured_at", "metric_type measured_at", "selected_agent measured_at", "correlation_id",
        "cache_hit cache_age_seconds", "total_routing_time_us measured_at",
        "confidence_score actual_quality_score prediction_error", "user_request_hash context_hash",
        "alternative_agents", "feedback_provided feedback_type",
    ],
    "success_patterns": ["intent", "agent", "success_rate", "keywords", "tags", "last_used_at"],
    "pattern_usage_log": ["pattern_id", "correlation_id", "outcome", "used_at"],
    "agent_chaining_patterns": ["primary_agent", "success_rate", "usage_count"],
    "error_patterns": ["error_type", "agent", "endpoint_path", "occurrence_count", "severity"],
}  # fmt: skip
ROWS = {
    "task_metadata": "(task_id) VALUES ('T')",
    "agent_cost_vector": "(task_id, agent_role, metric_type, metric_value, metric_unit) VALUES "
    "('T', 'Code', 'API_Cost', 0.00003, 'USD')",
    "defect_log": "(defect_id, task_id, defect_type, phase_injected, phase_removed, description) VALUES "
    "('D', 'T', 'x', 'Code', 'Test', 'd')",
    "bootstrap_metrics": "(measurement_period_start, measurement_period_end, capability_name, capability_mode, "
    "tasks_completed, tasks_required_for_graduation, primary_metric_name, primary_metric_value, "
    "primary_metric_target, metric_direction) VALUES (now(), now(), 'P', 'Shadow', 1, 2, 'MAPE', 18.2, 20, "
    "'lower_is_better')",
    "execution_traces": "(correlation_id, root_id, session_id, source, name, started_at) VALUES "
    f"('{ROOT}', '{ROOT}', 's', 'user_prompt', 'plan', now())",
    "router_performance_metrics": "(metric_type) VALUES ('cache_hit')",
    "success_patterns": "(source_correlation_id, intent, keywords, agent, routing_strategy, hook_sequence, "
    f"endpoint_pattern) VALUES ('{ROOT}', 'i', '{{}}', 'a', 'explicit', '[]', '[]')",
}
BAD = [
    *[("agent_cost_vector", "metric_value", value) for value in ("-0.1", "'NaN'", "'Infinity'", "1e14")],
    ("agent_cost_vector", "task_id", "repeat('x', 101)"),
    ("agent_cost_vector", "agent_iteration", "2147483648"),
    ("task_metadata", "status", "'done'"),
    ("task_metadata", "bootstrap_phase", "'Sleeping'"),
    ("task_metadata", "defect_density", "'NaN'"),
    ("defect_log", "phase_removed", "'Code'"),
    ("defect_log", "severity", "'Awful'"),
    ("defect_log", "resolved_at", "created_at - interval '1 microsecond'"),
    ("bootstrap_metrics", "metric_direction", "'sideways'"),
    ("bootstrap_metrics", "tasks_required_for_graduation", "0"),
    ("bootstrap_metrics", "primary_metric_value", "'NaN'"),
    ("execution_traces", "status", "'crashed'"),
    ("execution_traces", "kind", "'wizard'"),
    ("execution_traces", "duration_ms", "-1"),
    ("execution_traces", "duration_ms", "'NaN'"),
    ("router_performance_metrics", "prediction_error", "1.1"),
    ("router_performance_metrics", "confidence_score", "-0.1"),
    ("success_patterns", "success_count", "1"),
]


# What everybody understands without a word, although it holds more than one thing.
OBVIOUS = {"metadata", "context", "tags", "keywords", "capabilities"}
COMMENTS = (
    "SELECT relname::text, attname::text, description FROM pg_description JOIN pg_class ON pg_class.oid = objoid "
    "LEFT JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid AND objsubid > 0 "
    "WHERE classoid = 'pg_class'::regclass AND relnamespace = current_schema()::regnamespace ORDER BY 1, 2"
)


async def catalog(connection):
    """Return what the schema is made of, and what is said about it."""
    return [tuple(row) for query in (CATALOG, COMMENTS) for row in await connection.fetch(query)]


async def test_each_step_down_and_up_again_arrives_at_what_the_schema_file_makes(in_postgres):
    """Whoever reads schema.sql reads exactly what the migrations make, and taking one back leaves no trace of it."""
    migrations = load_migrations("postgres")
    stages = [await catalog(in_postgres)]
    assert len(stages[0]) > 200
    for migration in reversed(migrations):
        await in_postgres.execute(migration.down)
        stages.append(await catalog(in_postgres))
    assert stages[-1] == []
    for migration, stage in zip(migrations, reversed(stages[:-1]), strict=True):
        await in_postgres.execute(migration.up)
        assert await catalog(in_postgres) == stage


async def test_files_paste_into_psql(postgres_server, postgres_database):
    """schema.sql and sample_data.sql paste into psql, the sample as often as one likes."""
    database = postgres_database.rpartition("/")[2]
    for name in ("schema.sql", "sample_data.sql", "sample_data.sql"):
        postgres_server.psql((SCHEMA / name).read_text(), database)
    counts = "SELECT count(*) FROM agent_cost_vector UNION ALL SELECT total_usage_count FROM success_patterns"
    assert postgres_server.psql(counts, database).split() == ["14", "2"]


async def test_columns_equal_the_records(in_postgres):
    """Every table has the columns of its record, in the same order; generated ones are marked on both sides."""
    for record in RECORDS:
        rows = await in_postgres.fetch(
            "SELECT attname, attgenerated <> '' AS generated FROM pg_attribute "
            "WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            record.table,
        )
        assert [row["attname"] for row in rows] == list(record.model_fields), record.table
        assert {row["attname"] for row in rows if row["generated"]} == record.generated


async def test_records_read_what_the_database_returns(in_postgres):
    """Every row of the sample fits its record, whatever types the driver gives."""
    await in_postgres.execute((SCHEMA / "sample_data.sql").read_text())
    for record in RECORDS:
        for row in await in_postgres.fetch(f"SELECT * FROM {record.table}"):
            record.model_validate(dict(row))


async def test_records_cover_every_table(in_postgres):
    """There is a record for each table, and a table for each record; each table is explained, as is each view."""
    rows = await in_postgres.fetch(
        "SELECT relname, relkind, obj_description(oid, 'pg_class') AS told FROM pg_class "
        "WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'v')"
    )
    assert {row["relname"] for row in rows if row["relkind"] == b"r"} == {record.table for record in RECORDS}
    assert sum(row["relkind"] == b"v" for row in rows) == 13
    assert [row["relname"] for row in rows if not row["told"]] == []


async def test_columns_that_explain_nothing_by_themselves_are_explained(in_postgres):
    """Whatever refers to another row, holds JSON or a list, says whose a row is or counts attempts is told in the database."""
    rows = await in_postgres.fetch(
        "SELECT relname::text, attname::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
        "WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND attnum > 0 AND attname <> ALL ($1) "
        "AND col_description(attrelid, attnum) IS NULL AND (atttypid = 'jsonb'::regtype OR attndims > 0 "
        "OR (atttypid = 'uuid'::regtype AND attname <> 'id') OR attname IN ('user_id', 'agent_iteration', 'subtask_id'))",
        list(OBVIOUS),
    )
    assert [tuple(row) for row in rows] == []


async def test_documented_indexes_exist(in_postgres):
    """Each documented index exists, or one whose leading columns are the same answers for it."""
    leading = []
    for table, definition in await in_postgres.fetch(
        "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = current_schema()"
    ):
        columns = re.search(r"USING \w+ \((.*?)\)(?: NULLS| WHERE|$)", definition)[1].replace('"', "")
        leading.append(" ".join([table, *(part.split()[0] for part in columns.split(", ")), ""]))
    for table, listed in INDEXES.items():
        for wanted in listed:
            assert any(found.startswith(f"{table} {wanted} ") for found in leading), (table, wanted, leading)


async def test_rows_with_nothing_but_what_is_required_are_taken(in_postgres):
    """Whatever is not required has a default or may be missing."""
    for table, row in ROWS.items():
        await in_postgres.execute(f"INSERT INTO {table} {row}")
        assert await in_postgres.fetchval(f"SELECT count(*) FROM {table}") == 1


async def test_bad_values_are_refused(in_postgres):
    """What no row may say is kept out by the database itself, not-a-number included."""
    for table, row in ROWS.items():
        await in_postgres.execute(f"INSERT INTO {table} {row}")
    for table, column, value in BAD:
        with pytest.raises(asyncpg.PostgresError) as refusal:
            await in_postgres.execute(f"UPDATE {table} SET {column} = {value}")
        assert refusal.value.sqlstate[:2] in {"22", "23"}, (table, column, value)


async def test_triggers_are_the_documented_ones(in_postgres):
    """Change times, durations and usage counters are kept by the database, and nothing else is."""
    rows = await in_postgres.fetch(
        "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
        "WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace"
    )
    facts = [r.table for r in RECORDS if "updated_at" in r.model_fields]
    touched = {f"touch_{t}" for t in facts if t not in ("journal_checkpoints", "execution_traces_archive")}
    measured = {f"measure_{table}" for table in ("execution_traces", "hook_executions", "endpoint_calls")}
    assert {row["tgname"] for row in rows} == touched | measured | {"count_pattern_usage"}


async def test_the_archive_has_the_shape_of_the_traces(in_postgres, in_sqlite):
    """A row of execution_traces fits into the archive as it is, on both databases."""
    shape = (
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute "
        "WHERE attrelid = $1::text::regclass AND attnum > 0 ORDER BY attnum"
    )
    tables = ("execution_traces", "execution_traces_archive")
    live, old = [await in_postgres.fetch(shape, table) for table in tables]
    assert live == old
    columns = [in_sqlite.execute("SELECT * FROM pragma_table_xinfo(?)", (t,)).fetchall() for t in tables]
    assert columns[0] == columns[1]


async def test_money_is_exact(in_postgres):
    """A cost of 0.00003 USD comes back to the last digit, and sums of it do."""
    await in_postgres.execute(f"INSERT INTO agent_cost_vector {ROWS['agent_cost_vector']}")
    await in_postgres.execute(f"INSERT INTO agent_cost_vector {ROWS['agent_cost_vector']}")
    assert await in_postgres.fetchval("SELECT sum(metric_value) FROM agent_cost_vector") == Decimal("0.00006")
