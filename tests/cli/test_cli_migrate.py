"""`asp-telemetry migrate`: up, down and status of the schema."""

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
ALL = [migration.version for migration in load_migrations()]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASP_DATABASE_URL", "sqlite:///a.db")


def tables():
    with closing(sqlite3.connect("a.db")) as database:
        return {row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def report(capsys, *arguments):
    assert run(["migrate", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_status_of_a_missing_database_makes_none(capsys):
    """Status says that there is nothing and what is pending, and creates nothing."""
    assert run(["migrate", "status"]) == 0
    shown = capsys.readouterr().out
    assert "holds nothing yet" in shown
    assert "pending" in shown
    assert not Path("a.db").exists()


def test_up_then_status(capsys):
    """Up applies what is pending and says so; a second time there is nothing to do."""
    assert report(capsys, "up")["versions"] == ALL
    assert run(["migrate", "up"]) == 0
    assert f"nothing to do: schema version {len(ALL)}" in capsys.readouterr().out
    found = report(capsys, "status")
    assert [state["state"] for state in found["migrations"]] == ["applied"] * len(ALL)
    assert run(["migrate", "status"]) == 0
    assert "applied" in capsys.readouterr().out


def test_up_to_a_version(capsys):
    """--to stops at a version, and an unknown one is refused."""
    assert report(capsys, "up", "--to", "0")["version_after"] == 0
    assert run(["migrate", "up", "--to", "99"]) == 1
    assert "schema version 99 does not exist" in capsys.readouterr().err


def test_dry_runs_change_nothing(capsys):
    """A dry run names the versions and leaves the database as it is, also if there is none."""
    assert report(capsys, "up", "--dry-run")["versions"] == ALL
    assert not Path("a.db").exists()
    with closing(sqlite3.connect("a.db")) as database:
        database.execute("VACUUM")
    assert report(capsys, "up", "--dry-run")["versions"] == ALL
    assert tables() == set()
    report(capsys, "up")
    assert report(capsys, "down", "--to", "0", "--dry-run")["versions"] == ALL[::-1]
    assert "task_metadata" in tables()


def test_down_asks_first(capsys, monkeypatch):
    """Down says what the database holds and asks; a no keeps it, --yes does not ask."""
    make_with_example("sqlite:///a.db")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run(["migrate", "down"]) == 1
    assert "agent_cost_vector 14 rows" in capsys.readouterr().err
    assert "task_metadata" in tables()
    assert run(["migrate", "down", "--to", "0", "--yes"]) == 0
    assert "went down through version" in capsys.readouterr().out
    assert tables() == set()


def test_down_of_nothing_fails():
    """Taking back what does not exist fails and creates nothing."""
    assert run(["migrate", "down", "--yes"]) == 1
    assert not Path("a.db").exists()


def test_an_original_database(capsys):
    """Status and dry run recognise a database of the original scripts without touching it; up upgrades it."""
    with closing(sqlite3.connect("a.db")) as database:
        database.executescript(ORIGINAL)
    before = Path("a.db").read_bytes()
    assert report(capsys, "status")["original"] is True
    assert report(capsys, "up", "--dry-run")["would_upgrade_from_original"] is True
    assert run(["migrate", "status"]) == 0
    assert run(["migrate", "up", "--dry-run"]) == 0
    assert capsys.readouterr().out.count("original scripts") == 2
    assert Path("a.db").read_bytes() == before
    assert run(["migrate", "up"]) == 0
    assert "backup:" in capsys.readouterr().out
    assert "schema_migrations" in tables()


@pytest.mark.parametrize("command", [["up"], ["up", "--dry-run"], ["down", "--yes"]])
def test_unknown_databases_are_refused(capsys, command):
    """Somebody else's database is refused by the names of its tables and stays as it is."""
    with closing(sqlite3.connect("a.db")) as database:
        database.execute("CREATE TABLE invoices (x)")
    before = Path("a.db").read_bytes()
    assert run(["migrate", *command]) == 1
    assert "did not make: invoices" in capsys.readouterr().err
    assert Path("a.db").read_bytes() == before
