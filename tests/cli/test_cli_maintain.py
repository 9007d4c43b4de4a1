"""`asp-telemetry maintain`: gives space back, rebuilds what is broken or worn, and shows what takes the space."""

import json
import sqlite3
from contextlib import closing

from asp_telemetry.cli.app import run
from asp_telemetry.database_url import sqlite_path
from databases import AnyDatabase

ROWS = (
    "INSERT INTO agent_cost_vector (task_id, agent_role, metric_type, metric_value, metric_unit) "
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) "
    "SELECT 'T-' || (i * 7919 % 30000), 'Code', 'Retries', 0, 'count' FROM n"
)


def maintain(capsys, status=0):
    """Run it, and return what it tells programs and people."""
    assert run(["maintain", "--json"]) == status
    shown = capsys.readouterr()
    assert "s3cret" not in shown.out + shown.err
    return json.loads(shown.out), shown.err


def prepare(capsys):
    """Make the database."""
    assert run(["init"]) == 0
    capsys.readouterr()


def test_it_gives_space_back_and_lists_sizes(any_database, capsys):
    """After many rows are gone their space is given back; every table is listed with its size."""
    prepare(capsys)
    any_database.run(ROWS)
    large, _ = maintain(capsys)
    sizes = {size["table"]: size for size in large["tables"]}
    assert len(sizes) == 20
    assert large["tables"][0]["table"] == "agent_cost_vector"
    assert sizes["agent_cost_vector"]["rows"] == 30_000
    assert sizes["agent_cost_vector"]["table_bytes"] > 1_000_000
    assert sizes["agent_cost_vector"]["index_bytes"] > 1_000_000
    assert large["compression"] is None
    any_database.run("DELETE FROM agent_cost_vector")
    small, steps = maintain(capsys)
    assert small["bytes_after"] < small["bytes_before"]
    assert {size["table"]: size["rows"] for size in small["tables"]}["agent_cost_vector"] == 0
    assert steps.count("...") >= 2


def test_it_speaks_to_people(any_database, capsys):
    """Without --json there are lines and a table, and no password."""
    prepare(capsys)
    assert run(["maintain"]) == 0
    shown = capsys.readouterr()
    assert "rebuilt indexes: none needed it" in shown.out
    assert "task_metadata" in shown.out
    assert "s3cret" not in shown.out + shown.err


def test_it_needs_tables(any_database, capsys):
    """Of nothing there is nothing to maintain."""
    assert run(["maintain"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_damaged_index_of_sqlite_is_rebuilt(sqlite_database, capsys):
    """An index that lacks rows is found, rebuilt, and sound afterwards."""
    prepare(capsys)
    path = sqlite_path(sqlite_database.url)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA writable_schema = ON")
        hidden = database.execute("SELECT * FROM sqlite_schema WHERE name = 'idx_cost_task'").fetchone()
        assert hidden is not None
        database.execute("DELETE FROM sqlite_schema WHERE name = 'idx_cost_task'")
        database.commit()
    with closing(sqlite3.connect(path)) as database:
        database.execute(ROWS)
        database.execute("PRAGMA writable_schema = ON")
        database.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", hidden)
        database.commit()
    assert run(["doctor"]) == 1
    assert "asp-telemetry maintain" in capsys.readouterr().out
    report, _ = maintain(capsys)
    assert report["reindexed"] == ["idx_cost_task"]
    assert run(["doctor"]) == 0


def test_broken_and_worn_indexes_of_postgresql_are_rebuilt(postgres_database, capsys, monkeypatch):
    """An invalid index, a bloated one and the remains of an interrupted rebuild are put right; writers may go on."""
    database = AnyDatabase(postgres_database, None)
    monkeypatch.setenv("ASP_DATABASE_URL", postgres_database)
    prepare(capsys)
    database.run(ROWS.replace("30000)", "200000)"))
    report, _ = maintain(capsys)
    assert report["reindexed"] == []
    assert "idx_cost_task" in {index["index"] for index in report["unused_indexes"]}
    database.run("DELETE FROM agent_cost_vector WHERE id % 20 <> 0")
    database.run("CREATE INDEX idx_defect_task_ccnew ON defect_log (task_id)")
    database.run(
        "UPDATE pg_index SET indisvalid = false "
        "WHERE indexrelid IN ('idx_defect_task_ccnew'::regclass, 'idx_defect_type'::regclass)"
    )
    assert run(["doctor"]) == 1
    assert "index idx_defect_type is invalid" in capsys.readouterr().out
    report, _ = maintain(capsys)
    assert "idx_defect_type" in report["reindexed"]
    assert "idx_cost_task" in report["reindexed"]
    assert database.rows("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)]
    assert database.rows("SELECT count(*) FROM pg_class WHERE relname LIKE '%ccnew%'") == [(0,)]
    assert maintain(capsys)[0]["reindexed"] == []
    assert run(["doctor"]) == 0


def test_what_may_not_be_done_is_said(postgres_server, postgres_database, capsys, monkeypatch):
    """A user who does not own the tables is told so once, with the names of all, and the status is 1."""
    monkeypatch.setenv("ASP_DATABASE_URL", postgres_database)
    prepare(capsys)
    postgres_server.psql("CREATE ROLE maintainer LOGIN IN ROLE service_role")
    try:
        monkeypatch.setenv("ASP_DATABASE_URL", postgres_database.replace("postgres@", "maintainer@"))
        report, shown = maintain(capsys, status=1)
        (warning,) = report["warnings"]
        assert {'"task_metadata"', '"agent_cost_vector"'} <= set(warning.replace(",", "").split())
        assert shown.count("warning: ") == 1
    finally:
        postgres_server.psql("DROP ROLE maintainer")
