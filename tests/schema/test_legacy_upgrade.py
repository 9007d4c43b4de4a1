"""The upgrade of a database that the original scripts made: every row and every value survives."""

import json
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from asp_telemetry.errors import MigrationError, StoreUnavailableError
from asp_telemetry.records import AgentCostVector, BootstrapMetrics, DefectLog, TaskMetadata
from asp_telemetry.stores import legacy
from asp_telemetry.stores.sqlite_connection import open_database

ORIGINAL = (Path(__file__).parent / "original.sql").read_text()
MODELS = {model.table: model for model in (TaskMetadata, AgentCostVector, DefectLog, BootstrapMetrics)}
KEYS = {
    "task_metadata": "task_id",
    "agent_cost_vector": "id",
    "defect_log": "defect_id",
    "bootstrap_metrics": "id",
}

# What the old tables took and today's refuse: table, columns of one more row, the columns that need repair.
ODD = [
    ("bootstrap_metrics", {"primary_metric_value": None}, {"primary_metric_value"}),
    ("bootstrap_metrics", {"capability_mode": "Dreaming", "tasks_completed": -3}, {"capability_mode", "tasks_completed"}),
    ("agent_cost_vector", {"metric_value": float("inf")}, {"metric_value"}),
    ("agent_cost_vector", {"metadata": "not json", "agent_iteration": "twice"}, {"metadata", "agent_iteration"}),
    ("agent_cost_vector", {"metadata": "[1, 2]", "task_id": "t" * 300}, {"task_id"}),
    ("agent_cost_vector", {"timestamp": "yesterday", "execution_date": "2025-11-11"}, {"timestamp", "execution_date"}),
    ("agent_cost_vector", {"llm_model": b"\xff\x00model", "user_id": "ana"}, {"llm_model"}),
    ("defect_log", {"defect_id": None, "line_number": "somewhere"}, {"defect_id", "line_number"}),
    ("defect_log", {"phase_injected": "Test", "phase_removed": "Test"}, {"phase_removed"}),
    ("defect_log", {"resolved_at": "2025-11-12 09:59:59"}, {"resolved_at"}),
    ("defect_log", {"flagged_by_agent": 7, "effort_to_fix_json": "{", "function_name": "f" * 201},
     {"flagged_by_agent", "effort_to_fix_json", "function_name"}),
    ("task_metadata", {"status": None, "components_affected": "src/a.py"}, {"status", "components_affected"}),
    ("task_metadata", {"human_corrections_json": "true", "metadata": '{"legacy": 1}', "bootstrap_phase": "Nap"},
     {"bootstrap_phase"}),
]  # fmt: skip
PLAIN = {
    "task_metadata": {"task_id": "ODD", "created_at": "2025-11-12 10:00:00"},
    "agent_cost_vector": {
        "timestamp": "2025-11-12 10:00:00", "execution_date": "2025-11-12", "task_id": "ODD", "agent_role": "Code",
        "metric_type": "Latency", "metric_value": 1.5, "metric_unit": "ms",
    },
    "defect_log": {
        "defect_id": "ODD", "created_at": "2025-11-12 10:00:00", "task_id": "ODD", "defect_type": "x",
        "phase_injected": "Code", "phase_removed": "Test", "description": "d",
    },
    "bootstrap_metrics": {
        "measured_at": "2025-11-12 10:00:00", "measurement_period_start": "2025-11-01 00:00:00",
        "measurement_period_end": "2025-11-12 00:00:00", "capability_name": "PROBE_AI", "capability_mode": "Learning",
        "tasks_completed": 1, "tasks_required_for_graduation": 2, "primary_metric_name": "MAPE",
        "primary_metric_value": 1.0, "primary_metric_target": 2.0,
    },
}  # fmt: skip


@pytest.fixture
def original(tmp_path):
    path = tmp_path / "asp_telemetry.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(ORIGINAL)
    return path


def rows(path, table):
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        return [
            dict(row) for row in database.execute(f"SELECT rowid AS old_rowid, * FROM {table} ORDER BY rowid")
        ]


def insert(path, table, row):
    with closing(sqlite3.connect(path)) as database, database:
        marks = ", ".join("?" * len(row))
        database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))


async def upgrade(path):
    opened = await open_database(path)
    await opened.connection.close()
    return opened


def as_kept(value):
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if value == float("inf") else value


async def test_every_row_and_value_survives(original):
    """All rows of all four tables are there afterwards, with every value they had; times gain microseconds."""
    before = {table: rows(original, table) for table in MODELS}
    opened = await upgrade(original)
    assert opened.legacy.rows == {table: len(found) for table, found in before.items()}
    assert set(opened.legacy.repaired.values()) == {0}
    for table, olds in before.items():
        news = rows(original, table)
        assert len(news) == len(olds) > 1
        for old, new in zip(olds, news, strict=True):
            for name, value in old.items():
                padded = (
                    f"{value}.000000"
                    if name.endswith(("_at", "timestamp", "_start", "_end")) and value
                    else value
                )
                assert new.get(name, value) == padded, (table, name)
            new.pop("old_rowid")
            MODELS[table].model_validate(new)


async def test_new_columns_are_filled_sensibly(original):
    """Directions follow the metric's name, the last change is the latest time known, and nothing is nested."""
    await upgrade(original)
    assert [row["metric_direction"] for row in rows(original, "bootstrap_metrics")] == [
        "lower_is_better",
        "higher_is_better",
    ]
    assert [row["updated_at"] for row in rows(original, "task_metadata")] == [
        "2025-11-12 09:30:00.000000",
        "2025-11-13 09:00:00.000000",
    ]
    assert {row["nested"] for row in rows(original, "agent_cost_vector")} == {0}


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ({"primary_metric_name": "False_Positive_Rate"}, "lower_is_better"),
        ({"primary_metric_name": "Detection_Accuracy"}, "higher_is_better"),
        (
            {"primary_metric_name": "Zest", "primary_metric_value": 3.0, "graduation_criteria_met": 1},
            "higher_is_better",
        ),
        ({"primary_metric_name": "Zest", "primary_metric_value": 3.0}, "lower_is_better"),
    ],
)
async def test_directions_follow_name_then_graduation(original, metric, direction):
    """A metric of unknown name improves upwards only if it had graduated above its target."""
    insert(original, "bootstrap_metrics", PLAIN["bootstrap_metrics"] | metric)
    await upgrade(original)
    assert rows(original, "bootstrap_metrics")[-1]["metric_direction"] == direction


async def test_the_result_is_an_ordinary_database(original):
    """Afterwards the database has a ledger, an identity, the current tables and indexes, and the old views."""
    await upgrade(original)
    with closing(sqlite3.connect(original)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT count(*) FROM database_identity").fetchone() == (1,)
        assert database.execute("SELECT usd FROM costs").fetchone()[0] == pytest.approx(0.3)
        assert database.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'legacy%'").fetchall() == []
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    again = await upgrade(original)
    assert (again.legacy, again.summary.versions) == (None, ())


async def test_the_backup_is_the_old_database(original):
    """The backup beside it is private and holds the old tables as they were."""
    before = {table: rows(original, table) for table in MODELS}
    backup = (await upgrade(original)).legacy.backup
    assert backup.parent == original.parent
    assert backup.name.startswith("asp_telemetry.backup-20")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert {table: rows(backup, table) for table in MODELS} == before


@pytest.mark.parametrize(("table", "odd", "repaired"), ODD)
async def test_odd_values_are_repaired_and_kept(original, table, odd, repaired):
    """A value that today's schema refuses loses neither the row nor itself: it goes into the row's metadata."""
    insert(original, table, PLAIN[table] | odd)
    old = rows(original, table)[-1]
    opened = await upgrade(original)
    assert (opened.legacy.rows[table], opened.legacy.repaired[table]) == (len(rows(original, table)), 1)
    new = rows(original, table)[-1]
    kept = json.loads(new["metadata"])["legacy_values"]
    assert repaired <= kept.keys()
    for name, value in old.items():
        if name in {"old_rowid", "metadata"}:
            continue
        padded = (
            f"{value}.000000" if name.endswith(("_at", "timestamp", "_start", "_end")) and value else value
        )
        assert (kept[name] == as_kept(value)) if name in kept else (new.get(name, value) == padded), name
    if "metadata" in old and old["metadata"] is not None:
        texts = [
            json.dumps(kept.get("metadata")),
            json.dumps({"legacy": json.loads(new["metadata"]).get("legacy")}),
        ]
        assert old["metadata"] in [*texts, kept.get("metadata")]


async def test_an_unmeasured_capability_does_not_look_on_track(original):
    """A capability whose metric was never measured is not turned into one that has reached its target."""
    insert(original, "bootstrap_metrics", PLAIN["bootstrap_metrics"] | {"primary_metric_value": None})
    await upgrade(original)
    new = rows(original, "bootstrap_metrics")[-1]
    assert new["primary_metric_value"] > new["primary_metric_target"]


async def test_shortened_task_ids_still_match(original):
    """Rows of one over-long task id still name one task."""
    long = "task-" + "x" * 200
    insert(original, "task_metadata", PLAIN["task_metadata"] | {"task_id": long})
    insert(original, "agent_cost_vector", PLAIN["agent_cost_vector"] | {"task_id": long})
    await upgrade(original)
    task, cost = rows(original, "task_metadata")[-1], rows(original, "agent_cost_vector")[-1]
    assert task["task_id"] == cost["task_id"]
    assert len(task["task_id"]) == 100


async def test_other_time_formats_become_utc(original):
    """Times with a T, an offset or a fraction keep their moment."""
    for task, moment in (("T1", "2025-11-12T10:00:00.5Z"), ("T2", "2025-11-12 11:00:00.500000+01:00")):
        insert(original, "task_metadata", {"task_id": task, "created_at": moment})
    opened = await upgrade(original)
    assert {row["created_at"] for row in rows(original, "task_metadata")[-2:]} == {
        "2025-11-12 10:00:00.500000"
    }
    assert opened.legacy.repaired["task_metadata"] == 0


async def test_text_that_is_not_utf8_survives(original):
    """Text in another encoding stops nothing; its bytes can still be read off."""
    with closing(sqlite3.connect(original)) as database, database:
        database.execute(
            "UPDATE task_metadata SET task_description = CAST(x'61FF' AS TEXT) WHERE task_id = 'TASK-001'"
        )
    await upgrade(original)
    assert rows(original, "task_metadata")[0]["task_description"] == "a\\xff"


async def test_extra_columns_are_kept(original):
    """A column that somebody added to an old table goes into the metadata."""
    with closing(sqlite3.connect(original)) as database, database:
        database.execute("ALTER TABLE defect_log ADD COLUMN reviewer TEXT DEFAULT 'bo'")
    await upgrade(original)
    assert json.loads(rows(original, "defect_log")[0]["metadata"]) == {"legacy_values": {"reviewer": "bo"}}


async def test_a_failure_changes_nothing(original, monkeypatch):
    """When a row cannot be kept the database stays as it was, and no backup is left behind."""
    before = {table: rows(original, table) for table in MODELS}

    def refuse(*_):
        raise MigrationError("this row cannot be kept")

    monkeypatch.setattr(legacy, "modernised", refuse)
    with pytest.raises(MigrationError, match="cannot be kept"):
        await open_database(original)
    assert {table: rows(original, table) for table in MODELS} == before
    assert list(original.parent.glob("*backup*")) == []


async def test_foreign_tables_stop_the_upgrade(original):
    """Beside the four tables there is one of somebody else: it is refused by name, and nothing is touched."""
    with closing(sqlite3.connect(original)) as database, database:
        database.execute("CREATE TABLE invoices (x)")
    before = original.read_bytes()
    with pytest.raises(MigrationError, match="invoices"):
        await open_database(original)
    assert original.read_bytes() == before


async def test_a_locked_original_is_left_for_later(original, monkeypatch):
    """While the old scripts still write, the upgrade says so; afterwards it succeeds."""
    monkeypatch.setattr("asp_telemetry.stores.sqlite_connection.BUSY_TIMEOUT_SECONDS", 0.05)
    with closing(sqlite3.connect(original, isolation_level=None)) as script:
        script.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="database is locked"):
            await open_database(original)
        script.execute("ROLLBACK")
    assert (await upgrade(original)).legacy is not None


@pytest.mark.crash
def test_five_processes_upgrade_once(original):
    """Processes that find the old database together upgrade it once, with one backup."""
    program = """
import asyncio, sys
from pathlib import Path
from asp_telemetry.stores.sqlite_connection import open_database
async def main():
    opened = await open_database(Path(sys.argv[1]))
    await opened.connection.close()
    print(int(opened.legacy is not None))
asyncio.run(main())
"""
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, str(original)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(5)
    ]
    results = [process.communicate(timeout=60) for process in started]
    assert [process.returncode for process in started] == [0] * 5, results
    assert sum(int(out) for out, _ in results) == 1
    assert len(list(original.parent.glob("*backup*"))) == 1
    assert len(rows(original, "agent_cost_vector")) == 3
