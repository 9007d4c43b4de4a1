"""`asp-telemetry backup` and `restore`: files, questions, schedules, on either database."""

import io
import json
import shlex
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from asp_telemetry.cli.app import run
from keeping import new_database

__all__ = ["new_database"]


@pytest.fixture
def database(new_database, tmp_path, monkeypatch):
    """Make the database of the environment, with sample rows."""
    found = new_database()
    anyio.run(found.fill)
    monkeypatch.setenv("ASP_DATABASE_URL", found.url)
    monkeypatch.setenv("ASP_JOURNAL_DIR", str(tmp_path / "state" / "journal"))
    return found


def test_backup_and_restore(database, new_database, capsys, tmp_path, monkeypatch):
    """A backup lands beside the journals; restoring it asks before rows are lost, and not where there are none."""
    assert run(["backup", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert Path(report["backup"]).parent == tmp_path / "state" / "asp-backups"
    assert report["tables"]["defect_log"] == 2
    anyio.run(database.run, "DELETE FROM defect_log")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run(["restore", report["backup"]]) == 1
    assert "agent_cost_vector 15 rows" in capsys.readouterr().err
    assert anyio.run(database.count, "defect_log") == 0
    assert run(["restore", report["backup"], "--force"]) == 0
    assert "counted, compared, equal" in " ".join(capsys.readouterr().out.split())
    assert anyio.run(database.count, "defect_log") == 2
    other = new_database()
    assert run(["restore", report["backup"], "--database", other.url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == report["rows"]
    assert anyio.run(other.everything) == anyio.run(database.everything)


def test_keep(database, capsys, tmp_path):
    """--keep deletes what is too much and says so."""
    for _ in range(2):
        assert run(["backup", "--to", str(tmp_path / "b"), "--keep", "1"]) == 0
    shown = capsys.readouterr().out
    assert "read back and equal" in " ".join(shown.split())
    assert shown.count("deleted ") == 1
    assert len(list((tmp_path / "b").iterdir())) == 2


def test_the_schedule_is_a_line_for_cron(database, capsys, tmp_path):
    """--schedule prints a line with absolute paths that a shell understands, makes nothing, and shows no password."""
    assert run(["backup", "--schedule", "--to", "50% of it"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    minute, hour, *_ = line.split()
    assert (int(minute) < 60, int(hour) < 24) == (True, True)
    command = shlex.split(line.split(" ", 5)[5].replace("\\%", "%"))
    assert Path(command[0]).is_absolute()
    assert command[1:] == [
        "backup", "--database", database.url, "--to", str(Path("50% of it").absolute()), "--keep", "14",
    ]  # fmt: skip
    assert not Path("50% of it").exists()
    assert run(["backup", "--schedule", "--database", "postgresql://ana:s3cret@host/db"]) == 0
    printed = capsys.readouterr()
    assert "s3cret" not in printed.out + printed.err
    assert ".pgpass" in printed.err


def test_what_makes_no_sense(database, capsys, tmp_path):
    """Unknown formats, a keep of zero and a missing backup are refused by name."""
    assert run(["backup", "--format", "tar"]) == 1
    assert "'tar'" in capsys.readouterr().err
    assert run(["backup", "--keep", "0"]) == 2
    assert run(["restore", str(tmp_path / "none.db"), "--yes"]) == 1
    assert "none.db does not exist" in capsys.readouterr().err


def test_nobody_is_asked_about_a_backup_that_cannot_be_restored(database, capsys, tmp_path, monkeypatch):
    """A missing, unaccompanied, damaged or unfitting backup is refused before the question whether rows may go."""
    assert run(["backup", "--to", str(tmp_path / "b"), "--json"]) == 0
    whole = Path(json.loads(capsys.readouterr().out)["backup"])
    damaged, alone = tmp_path / "damaged", tmp_path / "alone"
    for copied in (damaged, alone):
        copied.write_bytes(whole.read_bytes() + b"!")
    damaged.with_name("damaged.json").write_bytes(whole.with_name(f"{whole.name}.json").read_bytes())
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    for name, told in (
        ("none", "none does not exist"),
        ("alone", "alone.json does not exist"),
        ("damaged", "bytes instead of"),
    ):
        capsys.readouterr()
        assert run(["restore", str(tmp_path / name)]) == 1
        shown = capsys.readouterr().err
        assert told in shown
        assert "Replace it?" not in shown


def test_sqlite_needs_no_driver_of_postgres():
    """Backing SQLite up imports no asyncpg."""
    program = (
        "import sys, asp_telemetry.cli.backup, asp_telemetry.cli.restore, asp_telemetry.cli.prune, "
        "asp_telemetry.backups.sqlite_backup, asp_telemetry.retention.sqlite; print('asyncpg' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
