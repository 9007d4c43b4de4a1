"""`asp-telemetry prune`: counts, asks, archives and deletes, on either database."""

import io
import json
from pathlib import Path

import anyio
import pytest

from asp_telemetry.cli.app import run
from keeping import ago, key, new_database

__all__ = ["new_database"]


@pytest.fixture
def database(new_database, tmp_path, monkeypatch):
    """Make the database of the environment, with an old use of a pattern and an old trace."""
    found = new_database()
    anyio.run(found.migrate)
    anyio.run(
        found.run,
        "INSERT INTO execution_traces (correlation_id, root_id, session_id, source, name, started_at, status, input) "
        f"VALUES ('{key(1)}', '{key(1)}', 's', 'x', 'n', '{ago(days=100)}', 'success', '[1]')",
        "INSERT INTO pattern_usage_log (pattern_id, correlation_id, user_request, match_score, used, used_at) "
        f"VALUES ('{key(1)}', '{key(1)}', 'do', 0.9, '0', '{ago(days=200)}')",
    )
    monkeypatch.setenv("ASP_DATABASE_URL", found.url)
    monkeypatch.setenv("ASP_JOURNAL_DIR", str(tmp_path / "state" / "journal"))
    return found


def count(database, table):
    return anyio.run(database.count, table)


def rows(capsys):
    report = json.loads(capsys.readouterr().out)
    return report, {rule["rule"]: rule["rows"] for rule in report["rules"]}


def test_a_dry_run_counts(database, capsys):
    """A dry run says what is due and changes nothing."""
    assert run(["prune", "--dry-run", "--json"]) == 0
    report, due = rows(capsys)
    assert (report["dry_run"], due) == (True, {"traces": 1, "usage_log": 1, "patterns": 0})
    assert count(database, "execution_traces") == 1
    assert run(["prune", "--dry-run", "--older-than", "101d"]) == 0
    assert "only counted" in capsys.readouterr().out


def test_it_asks_first(database, capsys, monkeypatch, tmp_path):
    """It says what goes where and asks; a no keeps everything, a yes does it."""
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run(["prune"]) == 1
    asked = capsys.readouterr().err
    assert "1 row of execution_traces to execution_traces_archive" in asked
    assert f"written to {tmp_path / 'state' / 'asp-archive'} before" in asked
    assert count(database, "execution_traces") == 1
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert run(["prune"]) == 0
    assert str(tmp_path / "state" / "asp-archive" / "pruned-") in capsys.readouterr().out.replace("\n", "")
    assert (count(database, "execution_traces"), count(database, "execution_traces_archive")) == (0, 1)
    assert run(["prune"]) == 0


def test_yes_does_not_ask(database, capsys, tmp_path):
    """With --yes and --json a program is told what was done, and where it was written to."""
    assert run(["prune", "--yes", "--json", "--archive", "kept", "--payloads-older-than", "1d"]) == 0
    report, done = rows(capsys)
    assert done["usage_log"] == 1
    assert done["archived_payloads"] == 1
    assert Path(report["archive"]).parent == Path("kept").absolute()
    Path(report["archive"]).unlink()
    Path("kept").rmdir()


def test_options_that_contradict(database, capsys):
    """--discard goes with no archive; a bad age is refused by its value."""
    for arguments in (["--discard", "--archive", "x"], ["--discard", "--traces-to-file"]):
        assert run(["prune", "--yes", *arguments]) == 1
        assert "give one of them" in capsys.readouterr().err
    assert run(["prune", "--older-than", "soon"]) == 1
    assert "'soon'" in capsys.readouterr().err
    assert run(["prune", "--discard", "--yes"]) == 0
    assert "lost for good" not in capsys.readouterr().out
