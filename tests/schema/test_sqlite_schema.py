"""The SQLite schema: files that agree with each other, columns as documented, and checks that keep bad rows out."""

import re
import sqlite3
import subprocess
from contextlib import closing
from uuid import UUID

import pytest

from asp_telemetry.migrations import load_migrations
from asp_telemetry.records import RECORDS
from asp_telemetry.resources import schema_directory

SCHEMA = schema_directory("sqlite")
INDEXES = {
    "task_metadata": ["project_id", "task_type", "created_at", "status", "bootstrap_phase"],
    "agent_cost_vector": [
        "task_id", "timestamp", "agent_role", "metric_type", "execution_date", "agent_role metric_type timestamp",
        "correlation_id",
    ],
    "defect_log": [
        "task_id", "defect_type", "phase_injected", "phase_removed", "component_path", "created_at",
        "flagged_by_agent validated_by_human false_positive",
    ],
    "bootstrap_metrics": [
        "capability_name", "measured_at", "capability_mode", "graduation_criteria_met", "capability_name measured_at",
    ],
    "execution_traces": ["root_id", "session_id", "status", "started_at", "task_id", "correlation_id started_at"],
}  # fmt: skip
NOW = "2026-01-15 09:00:00.000000"
ROOT = "019bc0de-0000-7000-8000-000000000001"
GOOD = {
    "task_metadata": {"task_id": "T"},
    "agent_cost_vector": {
        "timestamp": NOW, "task_id": "T", "agent_role": "Code", "metric_type": "API_Cost", "metric_value": 0.00003,
        "metric_unit": "USD",
    },
    "defect_log": {
        "defect_id": "D", "created_at": NOW, "task_id": "T", "defect_type": "x", "phase_injected": "Code",
        "phase_removed": "Test", "description": "d",
    },
    "bootstrap_metrics": {
        "measured_at": NOW, "measurement_period_start": NOW, "measurement_period_end": NOW,
        "capability_name": "PROBE_AI", "capability_mode": "Shadow", "tasks_completed": 1,
        "tasks_required_for_graduation": 20, "primary_metric_name": "MAPE", "primary_metric_value": 18.2,
        "primary_metric_target": 20.0, "metric_direction": "lower_is_better",
    },
    "execution_traces": {
        "correlation_id": ROOT, "root_id": ROOT, "session_id": "s", "source": "user_prompt", "name": "plan",
        "started_at": NOW,
    },
    "agent_routing_decisions": {
        "correlation_id": ROOT, "user_request": "q", "confidence_total": 0.9, "routing_duration_ms": 1.5,
    },
    "hook_executions": {"execution_id": ROOT, "correlation_id": ROOT, "hook_type": "Stop"},
    "endpoint_calls": {
        "correlation_id": ROOT, "service_name": "s", "endpoint_path": "/", "http_method": "GET", "success": 1,
    },
    "agent_definitions": {"agent_name": "a", "agent_type": "specialist", "yaml_config": "{}"},
    "agent_transformation_events": {"event_type": "e", "correlation_id": ROOT, "target_agent": "a"},
    "router_performance_metrics": {"metric_type": "cache_hit"},
    "success_patterns": {
        "source_correlation_id": ROOT, "intent": "i", "keywords": "[]", "agent": "a", "routing_strategy": "explicit",
        "hook_sequence": "[]", "endpoint_pattern": "[]",
    },
    "pattern_usage_log": {
        "pattern_id": ROOT, "correlation_id": ROOT, "user_request": "q", "match_score": 0.8, "used": 1,
    },
    "agent_chaining_patterns": {
        "primary_agent": "a", "delegated_agents": "[]", "delegation_depth": 1, "trigger_context": "c",
        "source_traces": "[]",
    },
    "error_patterns": {"error_type": "E", "error_message_pattern": "m", "sample_correlation_ids": "[]"},
    "rejected_records": {"journal_id": "j", "sequence": 1, "record": "{}", "reason": "r", "rejected_at": NOW},
}  # fmt: skip
BAD = [
    *[
        ("agent_cost_vector", "metric_value", value)
        for value in (-0.1, float("inf"), float("nan"), 1e14, "abc")
    ],
    ("agent_cost_vector", "timestamp", "2026-01-15T09:00:00.000000"),
    ("agent_cost_vector", "timestamp", "2026-01-15 09:00:00"),
    ("agent_cost_vector", "task_id", "x" * 101),
    ("agent_cost_vector", "metadata", "{"),
    ("agent_cost_vector", "correlation_id", "123"),
    ("agent_cost_vector", "nested", 2),
    ("agent_cost_vector", "agent_iteration", 2**31),
    ("task_metadata", "status", "done"),
    ("task_metadata", "bootstrap_phase", "Sleeping"),
    ("task_metadata", "components_affected", '{"a": 1}'),
    ("task_metadata", "human_reviewed", 5),
    ("defect_log", "phase_removed", "Code"),
    ("defect_log", "severity", "Awful"),
    ("defect_log", "resolved_at", "2026-01-15 08:59:59.999999"),
    ("bootstrap_metrics", "metric_direction", "sideways"),
    ("bootstrap_metrics", "tasks_required_for_graduation", 0),
    ("bootstrap_metrics", "tasks_completed", -1),
    ("bootstrap_metrics", "primary_metric_value", float("inf")),
    ("execution_traces", "status", "crashed"),
    ("execution_traces", "kind", "wizard"),
    ("execution_traces", "duration_ms", -1.0),
    ("execution_traces", "tags", '"nightly"'),
    ("execution_traces", "parent_id", "short"),
    ("rejected_records", "record", "not json"),
    ("agent_routing_decisions", "confidence_total", 1.1),
    ("agent_routing_decisions", "request_embedding", "0.5"),
    ("agent_routing_decisions", "id", None),
    ("hook_executions", "status", "crashed"),
    ("hook_executions", "quality_gates_validated", '{"SV-001": 1}'),
    ("endpoint_calls", "success", None),
    ("endpoint_calls", "response_body", "not json"),
    ("agent_definitions", "status", "retired"),
    ("agent_definitions", "definition_hash", "x" * 65),
    ("agent_transformation_events", "target_agent", None),
    ("agent_transformation_events", "total_execution_duration_ms", -1),
    ("router_performance_metrics", "prediction_error", -1.1),
    ("router_performance_metrics", "total_routing_time_us", -1),
    ("success_patterns", "success_count", 1),
    ("success_patterns", "keywords", None),
    ("pattern_usage_log", "match_score", float("nan")),
    ("agent_chaining_patterns", "source_traces", "{}"),
    ("error_patterns", "severity", "High"),
]


@pytest.fixture
def database():
    with closing(sqlite3.connect(":memory:")) as connection:
        for migration in load_migrations("sqlite"):
            connection.executescript(migration.up)
        yield connection


def insert(database, table, row):
    marks = ", ".join("?" * len(row))
    database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))


def objects(database):
    rows = database.execute(
        "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name"
    )
    return [(kind, name, re.sub(r"\s+", " ", re.sub(r"--[^\n]*", "", sql))) for kind, name, sql in rows]


def test_schema_file_equals_the_sum_of_the_migrations(database):
    """Whoever reads schema.sql reads exactly what the migrations make."""
    with closing(sqlite3.connect(":memory:")) as pasted:
        pasted.executescript((SCHEMA / "schema.sql").read_text())
        assert objects(pasted) == objects(database)
        assert len(objects(pasted)) > 30


def test_down_leaves_nothing_and_up_again_arrives_at_the_same(database):
    """Taking all migrations back leaves an empty database; applying them once more makes the same as before."""
    before = objects(database)
    for migration in reversed(load_migrations("sqlite")):
        database.executescript(migration.down)
    assert objects(database) == []
    for migration in load_migrations("sqlite"):
        database.executescript(migration.up)
    assert objects(database) == before


def test_files_paste_into_the_sqlite3_program(tmp_path):
    """schema.sql and sample_data.sql paste into sqlite3, the sample as often as one likes."""
    sample = (SCHEMA / "sample_data.sql").read_text()
    try:
        subprocess.run(
            ["sqlite3", "-bail", str(tmp_path / "a.db")],
            input=(SCHEMA / "schema.sql").read_text() + sample + sample,
            text=True,
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("the sqlite3 program is not installed")
    with closing(sqlite3.connect(tmp_path / "a.db")) as database:
        assert database.execute("SELECT count(*) FROM agent_cost_vector").fetchone() == (14,)


def test_sample_data_tells_one_consistent_story(database):
    """The sample holds TASK-001 with its costs, both defects and both capabilities, and its sums agree."""
    for _ in range(2):
        database.executescript((SCHEMA / "sample_data.sql").read_text())
    assert database.execute("SELECT task_id, defect_count FROM task_metadata").fetchall() == [("TASK-001", 2)]
    assert [row[0] for row in database.execute("SELECT defect_id FROM defect_log ORDER BY 1")] == [
        "D-001",
        "D-002",
    ]
    assert {row[0] for row in database.execute("SELECT capability_name FROM bootstrap_metrics")} == {
        "PROBE_AI",
        "ReviewAgent_Code",
    }
    sums = dict(database.execute("SELECT metric_type, sum(metric_value) FROM agent_cost_vector GROUP BY 1"))
    latency, tokens, cost = database.execute(
        "SELECT json_extract(v, '$.latency_ms'), json_extract(v, '$.tokens'), json_extract(v, '$.api_cost_usd') "
        "FROM (SELECT actual_cost_vector_json AS v FROM task_metadata)"
    ).fetchone()
    assert (sums["Latency"], sums["Tokens_In"] + sums["Tokens_Out"]) == (latency, tokens)
    assert sums["API_Cost"] == pytest.approx(cost)
    assert database.execute(
        "SELECT count(*) FROM agent_cost_vector c JOIN execution_traces t USING (correlation_id)"
    ).fetchone() == (14,)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.table)
def test_columns_equal_the_record(database, record):
    """Every table has the columns of its record, in the same order; generated ones are marked on both sides."""
    columns = database.execute("SELECT name, hidden FROM pragma_table_xinfo(?) ORDER BY cid", (record.table,))
    found = columns.fetchall()
    assert [name for name, _ in found] == list(record.model_fields)
    assert {name for name, hidden in found if hidden} == record.generated


def test_records_cover_every_table(database):
    """There is a record for each table, and a table for each record; all tables are STRICT."""
    tables = dict(
        database.execute(
            "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
        )
    )
    tables.pop("sqlite_schema")
    assert tables == {record.table: 1 for record in RECORDS}


@pytest.mark.parametrize(("table", "wanted"), [(t, w) for t, listed in INDEXES.items() for w in listed])
def test_documented_indexes_exist(database, table, wanted):
    """Each documented index exists, or one whose leading columns are the same answers for it."""
    leading = []
    for name, partial in database.execute(
        "SELECT name, partial FROM pragma_index_list(?)", (table,)
    ).fetchall():
        columns = [
            row[0] or "(expression)"
            for row in database.execute("SELECT name FROM pragma_index_info(?) ORDER BY seqno", (name,))
        ]
        if not partial or wanted == "correlation_id started_at":
            leading.append(" ".join(columns) + " ")
    assert any(columns.startswith(wanted + " ") for columns in leading), leading


def test_index_of_successes_holds_successes_only(database):
    """The index for replay covers successful executions alone."""
    sql = database.execute("SELECT sql FROM sqlite_schema WHERE name = 'idx_trace_success'").fetchone()[0]
    assert sql.endswith("WHERE success = 1")


@pytest.mark.parametrize("table", GOOD)
def test_good_rows_are_taken(database, table):
    """A row with the required values alone is taken; the rest has defaults."""
    insert(database, table, GOOD[table])
    assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)


@pytest.mark.parametrize(("table", "column", "value"), BAD)
def test_bad_values_are_refused(database, table, column, value):
    """What PostgreSQL would keep out, SQLite keeps out too."""
    with pytest.raises(sqlite3.IntegrityError):
        insert(database, table, GOOD[table] | {column: value})


def test_execution_date_and_small_costs(database):
    """The date follows the timestamp by itself, and a cost of 0.00003 USD stays what it is."""
    insert(database, "agent_cost_vector", GOOD["agent_cost_vector"])
    assert database.execute("SELECT execution_date, metric_value FROM agent_cost_vector").fetchone() == (
        "2026-01-15",
        0.00003,
    )


def test_default_timestamps_compare_with_datetime(database):
    """Timestamps made by the database compare correctly with SQLite's own datetime()."""
    insert(database, "task_metadata", GOOD["task_metadata"])
    row = database.execute(
        "SELECT created_at >= datetime('now', '-1 minute'), created_at < datetime('now', '+1 minute'), length(created_at) "
        "FROM task_metadata"
    )
    assert row.fetchone() == (1, 1, 26)


def test_ids_made_by_the_database_are_uuids(database):
    """A row without an id gets a random UUID of version 4, as it does on PostgreSQL."""
    for _ in range(50):
        insert(database, "hook_executions", GOOD["hook_executions"])
    ids = {UUID(row[0]) for row in database.execute("SELECT id FROM hook_executions")}
    assert len(ids) == 50
    assert {identity.version for identity in ids} == {4}


def test_the_same_error_is_one_row(database):
    """An error pattern stands once, also where agent, hook and endpoint are not known."""
    insert(database, "error_patterns", GOOD["error_patterns"])
    insert(database, "error_patterns", GOOD["error_patterns"] | {"agent": "a"})
    with pytest.raises(sqlite3.IntegrityError):
        insert(database, "error_patterns", GOOD["error_patterns"])


def test_the_success_rate_follows_the_counters(database):
    """A pattern that was never used counts as good; afterwards its rate is what the counters say."""
    insert(database, "success_patterns", GOOD["success_patterns"])
    assert database.execute("SELECT success_rate FROM success_patterns").fetchone() == (1.0,)
    database.execute(
        "UPDATE success_patterns SET total_usage_count = 3, success_count = 2, failure_count = 1"
    )
    assert database.execute("SELECT success_rate FROM success_patterns").fetchone() == (0.6667,)


def test_roles_and_metric_types_are_open(database):
    """A new agent role or metric type needs no new schema."""
    insert(
        database,
        "agent_cost_vector",
        GOOD["agent_cost_vector"] | {"agent_role": "Gardener", "metric_type": "Joy"},
    )
    assert database.execute("SELECT agent_role FROM agent_cost_vector").fetchone() == ("Gardener",)
