"""`init`, `migrate`, `drain` and `stats` on both databases: the same words, the same promises."""

import io
import json
import subprocess
import sys
import textwrap
import time

import pytest

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.cli.app import run
from asp_telemetry.migrations import load_migrations
from databases import AnyDatabase, make_with_example

ALL = [migration.version for migration in load_migrations()]


@pytest.fixture(autouse=True)
def stopped():
    """Leave no recorder behind."""
    yield
    asp.shutdown(timeout=20)
    guard.be_strict(False)
    guard.reset()


def report(capsys, *arguments):
    """Run a command that succeeds, and return what it tells programs."""
    assert run([*arguments, "--json"]) == 0
    shown = capsys.readouterr()
    assert "s3cret" not in shown.out + shown.err
    return json.loads(shown.out)


def start(code):
    """Start a program that a test can talk to."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )  # fmt: skip


def names(database):
    """Return the names of all executions."""
    return [name for (name,) in database.rows("SELECT name FROM execution_traces ORDER BY name")]


def test_init_makes_fills_and_verifies(any_database, capsys):
    """The database is made, the sample added once however often one asks, and a row comes back as it was written."""
    tables = None
    for created in (True, False):
        found = report(capsys, "init", "--with-sample-data")
        assert found["created"] is created
        assert found["tables"]["task_metadata"] > 200
        assert found["tables"] == (tables := tables or found["tables"])
        assert found["verification"] == {
            "integrity": "ok", "schema_version": ALL[-1], "round_trip": True, "ok": True,
        }  # fmt: skip
    assert any_database.rows("SELECT count(*) FROM task_metadata WHERE task_id = 'TASK-001'") == [(1,)]
    assert any_database.rows("SELECT count(*) FROM agent_cost_vector WHERE task_id = 'TASK-001'") == [(14,)]


@pytest.mark.parametrize("statement", [
    "INSERT INTO task_metadata (task_id, created_at, updated_at) VALUES ('TASK-001', '{now}', '{now}')",
    """INSERT INTO agent_cost_vector (timestamp, task_id, agent_role, metric_type, metric_value, metric_unit)
    VALUES ('{now}', 'TASK-001', 'Code', 'API_Cost', 0.01, 'USD')""",
])  # fmt: skip
@pytest.mark.parametrize("is_there", [False, True])
def test_the_sample_is_not_mixed_with_other_records(any_database, capsys, statement, is_there):
    """Who has records of one's own, and be it a task that is called as the sample's, is told to take another database."""
    report(capsys, "init", *(["--with-sample-data"] if is_there else []))
    any_database.run("DELETE FROM task_metadata WHERE task_id = 'TASK-001'")
    any_database.run(statement.format(now="2026-11-20 10:00:00.000000"))
    tasks = any_database.rows("SELECT count(*) FROM task_metadata")
    assert run(["init", "--with-sample-data"]) == 1
    told = capsys.readouterr().err
    table = statement.split()[2]
    assert f"holds records that are not the sample's (rows: {table} 1)" in told
    assert "asp-telemetry init --with-sample-data --db-path sample.db" in told
    assert any_database.rows("SELECT count(*) FROM task_metadata") == tasks


def test_init_shows_no_password(any_database, capsys):
    """What is printed for people names the database without user and password."""
    assert run(["init", "--database", any_database.url]) == 0
    shown = capsys.readouterr()
    assert "created " in shown.out
    assert f"integrity ok, schema version {ALL[-1]}, write and read back ok" in shown.out
    assert "s3cret" not in shown.out + shown.err


def test_reset_asks(any_database, capsys, monkeypatch):
    """A no keeps everything; the question says what would go, without what stays anyway."""
    make_with_example(any_database.url)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run(["init", "--reset"]) == 1
    shown = capsys.readouterr().err
    assert "agent_cost_vector 14 rows" in shown
    assert "schema_migrations" not in shown
    assert any_database.rows("SELECT count(*) FROM agent_cost_vector") == [(14,)]


def test_reset_strands_no_journal(any_database, capsys):
    """What waits in a journal when a database is reset still comes, once; what was stored before does not come again."""
    report(capsys, "init")
    identity = any_database.rows("SELECT id FROM database_identity")
    host = start(
        f"""
        import os, asp_telemetry as asp
        asp.configure({any_database.url!r}, writer=False)
        with asp.span("stored"):
            pass
        print("recorded", flush=True)
        input()
        with asp.span("waiting"):
            pass
        os.kill(os.getpid(), 9)
        """
    )
    assert host.stdout.readline() == "recorded\n"
    assert report(capsys, "drain")["records"] == 1
    assert names(any_database) == ["stored"]
    host.communicate("\n", timeout=20)
    assert report(capsys, "init", "--reset", "--yes")["reset"] is True
    assert names(any_database) == []
    assert any_database.rows("SELECT id FROM database_identity") == identity
    drained = report(capsys, "drain")
    assert (drained["records"], drained["journals"], drained["elsewhere"]) == (1, 1, [])
    assert names(any_database) == ["waiting"]
    figures = report(capsys, "stats")
    assert (figures["stored"], figures["journals"], figures["elsewhere"]) == (2, 0, 0)


def test_a_running_writer_goes_on_after_a_reset(any_database, capsys):
    """A process that records while the database is reset loses nothing that comes afterwards."""
    asp.configure(any_database.url, auto_migrate=True, strict=True, replace=True)
    with asp.span("before"):
        pass
    assert asp.flush(timeout=20).complete
    report(capsys, "init", "--reset", "--yes")
    with asp.span("after"):
        pass
    assert asp.flush(timeout=20).complete
    assert names(any_database) == ["after"]
    assert asp.stats()["stored"] == 2


def test_reset_upgrades_first(any_database, capsys):
    """A database at an older version can be reset, too."""
    report(capsys, "migrate", "up", "--to", "2")
    any_database.run(
        "INSERT INTO task_metadata (task_id, created_at, updated_at) "
        "VALUES ('T', '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000')"
    )
    found = report(capsys, "init", "--reset", "--yes")
    assert found["migrations_applied"] == ALL[2:]
    assert found["tables"]["task_metadata"] == 0


def test_up_down_and_status(any_database, capsys):
    """The schema goes up to a version, to the newest and down again; the status follows."""
    assert run(["migrate", "status"]) == 0
    assert "(holds nothing yet)" in capsys.readouterr().out
    assert report(capsys, "migrate", "status")["exists"] is False
    assert report(capsys, "migrate", "up", "--to", "2")["versions"] == ALL[:2]
    found = report(capsys, "migrate", "status")
    assert found["exists"] is True
    states = [state["state"] for state in found["migrations"]]
    assert states == ["applied"] * 2 + ["pending"] * (len(ALL) - 2)
    assert report(capsys, "migrate", "up")["versions"] == ALL[2:]
    assert report(capsys, "migrate", "up")["versions"] == []
    down = report(capsys, "migrate", "down", "--yes")
    assert (down["versions"], down["version_after"]) == (ALL[-1:], ALL[-2])
    assert report(capsys, "migrate", "down", "--to", "0", "--yes")["version_after"] == 0


def test_dry_runs_change_nothing(any_database, capsys):
    """A dry run names the versions and leaves everything as it is."""
    assert report(capsys, "migrate", "up", "--dry-run")["versions"] == ALL
    assert report(capsys, "migrate", "status")["exists"] is False
    make_with_example(any_database.url)
    assert report(capsys, "migrate", "down", "--to", "0", "--dry-run")["versions"] == ALL[::-1]
    assert any_database.rows("SELECT count(*) FROM agent_cost_vector") == [(14,)]


def test_down_asks_and_refuses_nothing_at_all(any_database, capsys, monkeypatch):
    """Down says what would go and asks; of an empty database there is nothing to take back."""
    assert run(["migrate", "down", "--yes"]) == 1
    assert "nothing to take back" in capsys.readouterr().err
    make_with_example(any_database.url)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run(["migrate", "down"]) == 1
    shown = capsys.readouterr().err
    assert "agent_cost_vector 14 rows" in shown
    assert "s3cret" not in shown


def test_drain_and_stats_account_for_everything(any_database, capsys):
    """What a killed process left is drained once, and the figures say so."""
    report(capsys, "init")
    host = start(
        f"""
        import os, asp_telemetry as asp
        asp.configure({any_database.url!r}, writer=False)
        for number in range(5):
            with asp.span(f"span {{number}}"):
                pass
        os.kill(os.getpid(), 9)
        """
    )
    host.communicate(timeout=20)
    waiting = report(capsys, "stats")
    assert (waiting["stored"], waiting["journals"]) == (0, 1)
    assert waiting["lag_seconds"] > 0
    assert report(capsys, "drain")["records"] == 5
    assert report(capsys, "drain")["records"] == 0
    figures = report(capsys, "stats")
    assert (figures["stored"], figures["rejected"], figures["dropped"]) == (5, 0, 0)
    assert (figures["journals"], figures["lag_seconds"]) == (0, None)
    assert run(["stats"]) == 0
    assert "no journal waits" in capsys.readouterr().out


def test_a_sidecar_follows(any_database, capsys):
    """`drain --follow` brings over what a process without a writer records, while it records."""
    report(capsys, "init")
    sidecar = start(
        "from asp_telemetry.cli import main; import sys; sys.argv[1:] = ['drain', '--follow']; main()"
    )
    host = start(
        f"""
        import asp_telemetry as asp
        asp.configure({any_database.url!r}, writer=False)
        with asp.span("lives"):
            pass
        print("recorded", flush=True)
        input()
        """
    )
    try:
        assert host.stdout.readline() == "recorded\n"
        deadline = time.monotonic() + 30
        while names(any_database) != ["lives"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert host.poll() is None
    finally:
        for process in (host, sidecar):
            process.kill()
            process.communicate()


def test_tables_that_are_wanting_are_said_to_be(any_database, capsys):
    """Figures of a database without tables are refused in one line that names the command."""
    report(capsys, "init")
    report(capsys, "migrate", "down", "--to", "0", "--yes")
    assert run(["stats"]) == 1
    shown = capsys.readouterr().err
    assert "asp-telemetry migrate up" in shown
    assert shown.count("\n") == 1


def test_timescaledb_is_named_where_it_is_missing(any_database, capsys):
    """Where the extension cannot be had, one line says so and nothing is made."""
    available = not any_database.is_sqlite and any_database.rows(
        "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'"
    )
    if available:
        pytest.skip("this server has TimescaleDB")
    assert run(["init", "--timescaledb"]) == 1
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "leave --timescaledb out" in shown
    assert report(capsys, "migrate", "status")["exists"] is False


def test_timescaledb_keeps_the_time_series(postgres_database, capsys, monkeypatch):
    """With the extension the time series become hypertables with policies, once, and reset and maintain still work."""
    monkeypatch.setenv("ASP_DATABASE_URL", postgres_database)
    database = AnyDatabase(postgres_database, None)
    if not database.rows("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'"):
        pytest.skip(
            "this server lacks TimescaleDB, which comes from no package index: hypertables were not tested"
        )
    assert report(capsys, "init", "--timescaledb", "--with-sample-data")["timescaledb_added"] is True
    # Rows that come from before the policies look are summed up when one asks again.
    old = "SELECT count(*) FROM daily_cost_summary WHERE day < now() - INTERVAL '60 days'"
    database.run(
        "INSERT INTO agent_cost_vector (timestamp, task_id, agent_role, metric_type, metric_value, metric_unit) VALUES "
        "(now() - INTERVAL '90 days', 'old', 'Code', 'API_Cost', 0.00003, 'USD'), "
        "(now() - INTERVAL '3 days', 'new', 'Code', 'API_Cost', 0.00003, 'USD')"
    )
    assert report(capsys, "init", "--timescaledb")["timescaledb_added"] is False
    assert database.rows(old) == [(1,)]
    assert database.rows(
        "SELECT count(*) FROM timescaledb_information.hypertables WHERE hypertable_schema = 'public'"
    ) == [(2,)]
    compression = report(capsys, "maintain")["compression"]
    assert [table["table"] for table in compression] == ["agent_cost_vector", "bootstrap_metrics"]
    assert report(capsys, "init", "--reset", "--yes")["tables"]["agent_cost_vector"] == 0
