"""`asp-telemetry init`: makes, upgrades, resets and verifies a database."""

import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from asp_telemetry.cli.app import run
from asp_telemetry.migrations import load_migrations
from databases import make_with_example

ORIGINAL = (Path(__file__).parents[1] / "schema" / "original.sql").read_text()
NEWEST = len(load_migrations())


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASP_DATABASE_URL", raising=False)


def query(path, sql):
    with closing(sqlite3.connect(path)) as database:
        return database.execute(sql).fetchall()


def test_it_makes_the_default_database(tmp_path, capsys):
    """Without arguments the database lies in data/ of the current folder; tables, rows and a verification are shown."""
    assert run(["init"]) == 0
    shown = capsys.readouterr().out
    assert f"created sqlite:///{tmp_path / 'data' / 'asp_telemetry.db'}" in shown
    assert "execution_traces" in shown
    assert f"integrity ok, schema version {NEWEST}, write and read back ok" in shown
    assert query("data/asp_telemetry.db", "SELECT count(*) FROM task_metadata") == [(0,)]


@pytest.mark.parametrize(
    "arguments",
    [["--db-path", "mine.db"], ["--database", "sqlite:///mine.db"], ["--database", "sqlite:///{}/mine.db"]],
)
def test_it_makes_the_database_that_was_named(tmp_path, arguments):
    """A path, a relative URL and an absolute URL all name the file."""
    assert run(["init", *(argument.format(tmp_path) for argument in arguments)]) == 0
    assert (tmp_path / "mine.db").exists()


def test_the_environment_names_the_database(tmp_path, monkeypatch):
    """ASP_DATABASE_URL is used where no option is given."""
    monkeypatch.setenv("ASP_DATABASE_URL", "sqlite:///env.db")
    assert run(["init"]) == 0
    assert (tmp_path / "env.db").exists()


def test_sample_data_is_added_once(capsys):
    """The sample is added however often one asks, and only once."""
    tables = None
    for _ in range(2):
        assert run(["init", "--db-path", "a.db", "--with-sample-data", "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["tables"]["task_metadata"] > 200
        assert report["tables"] == (tables := tables or report["tables"])
        assert report["verification"] == {
            "integrity": "ok",
            "schema_version": NEWEST,
            "round_trip": True,
            "ok": True,
        }
    assert report["created"] is False


def test_reset_asks_and_says_what_it_deletes(capsys, monkeypatch):
    """Reset names the tables with their rows and asks; a no keeps everything."""
    make_with_example("sqlite:///a.db")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run(["init", "--db-path", "a.db", "--reset"]) == 1
    shown = capsys.readouterr().err
    assert "agent_cost_vector 14 rows" in shown
    assert "error: stopped, nothing was changed" in shown
    assert query("a.db", "SELECT count(*) FROM agent_cost_vector") == [(14,)]


@pytest.mark.parametrize("answer", [["--yes"], []])
def test_reset_empties_the_database(monkeypatch, answer):
    """After a yes the database is empty and current, and it is still the one that its journals know."""
    make_with_example("sqlite:///a.db")
    before = query("a.db", "SELECT id FROM database_identity")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert run(["init", "--db-path", "a.db", "--reset", *answer]) == 0
    assert query("a.db", "SELECT count(*) FROM agent_cost_vector") == [(0,)]
    assert query("a.db", "SELECT id FROM database_identity") == before


def test_reset_of_nothing_just_makes_it():
    """Reset of a database that does not exist asks nothing."""
    assert run(["init", "--db-path", "a.db", "--reset"]) == 0


def test_reset_spares_what_is_not_ours():
    """Reset deletes our records only: somebody else's tables in the same file keep their rows."""
    make_with_example("sqlite:///a.db")
    with closing(sqlite3.connect("a.db")) as database:
        database.executescript("CREATE TABLE invoices (x); INSERT INTO invoices VALUES (1)")
    assert run(["init", "--db-path", "a.db", "--reset", "--yes"]) == 0
    assert query(
        "a.db", "SELECT (SELECT count(*) FROM agent_cost_vector), (SELECT count(*) FROM invoices)"
    ) == [(0, 1)]


def test_an_original_database_is_upgraded(capsys):
    """A database of the original scripts is upgraded; the backup and the rows are named."""
    with closing(sqlite3.connect("a.db")) as database:
        database.executescript(ORIGINAL)
    assert run(["init", "--db-path", "a.db"]) == 0
    shown = capsys.readouterr().out
    assert "upgraded a database of the original scripts; backup:" in shown
    assert "rows kept: 9; repaired: 0" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--db-path", "a", "--database", "sqlite:///b"], "were both given"),
        (["--database", "postgresql://ana:s3cret@127.0.0.1:1/db"], "check that the server runs"),
        (["--database", "a.db"], "no scheme"),
        (["--database", "sqlite://"], "names no file"),
        (["--db-path", "garbage"], "file is not a database"),
        (["--reset", "--yes", "--db-path", "garbage"], "file is not a database"),
        (["--db-path", "/proc/nowhere/a.db"], "cannot be created"),
    ],
)
def test_failures_are_one_clear_line(capsys, arguments, message):
    """Whatever is wrong is said in one line, without a password, and the status is not zero."""
    Path("garbage").write_text("dear diary " * 500)
    assert run(["init", *arguments]) == 1
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert message in shown.err
    assert "s3cret" not in shown.err + shown.out
    assert Path("garbage").read_text() == "dear diary " * 500


def test_resetting_an_original_database_keeps_its_backup(tmp_path):
    """A database of the original scripts is upgraded before its records go, so that the backup has them all."""
    with closing(sqlite3.connect("a.db")) as database:
        database.executescript(ORIGINAL)
    assert run(["init", "--db-path", "a.db", "--reset", "--yes"]) == 0
    assert query("a.db", "SELECT count(*) FROM agent_cost_vector") == [(0,)]
    (backup,) = tmp_path.glob("a.backup-*.db")
    assert query(backup, "SELECT count(*) FROM agent_cost_vector")[0][0] > 0
