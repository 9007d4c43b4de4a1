"""`asp-telemetry copy`: one command over, one back, and an exit status that can be relied on."""

import json
import re
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from asp_telemetry.cli.app import run
from asp_telemetry.records import FACTS
from databases import make_with_example


@pytest.fixture
def source(tmp_path):
    """Make an SQLite database with the sample data."""
    url = f"sqlite:///{tmp_path}/a.db"
    make_with_example(url)
    return url


def change(url, sql):
    """Change an SQLite database behind everybody's back."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database, database:
        return database.execute(sql).fetchall()


def test_over_and_back(source, tmp_path, postgres_url, capsys):
    """SQLite to PostgreSQL and back keeps every row and the identity; both runs say so and exit with 0."""
    back = f"sqlite:///{tmp_path}/back.db"
    capsys.readouterr()
    assert run(["copy", "--from", source, "--to", postgres_url]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^verified: \d+ rows, every checksum the same", shown, re.MULTILINE)
    assert "DIFFERENT" not in shown
    assert [record.table for record in FACTS if record.table not in shown] == []
    assert run(["copy", "--from", postgres_url, "--to", back, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["same"], report["state"]) == (True, "new")
    assert change(back, "SELECT id FROM database_identity") == [(report["identity"],)]
    assert change(source, "SELECT id FROM database_identity") == [(report["identity"],)]
    cost = "SELECT sum(metric_value) FROM agent_cost_vector WHERE metric_type = 'API_Cost'"
    assert change(back, cost) == change(source, cost)


def test_a_damaged_row_makes_it_fail(source, tmp_path, capsys):
    """Run on a copy that has changed, the command names table, key, column and values, and exits with 1."""
    target = f"sqlite:///{tmp_path}/b.db"
    assert run(["copy", "--from", source, "--to", target]) == 0
    assert run(["copy", "--from", source, "--to", target]) == 0
    assert "complete copy already" in capsys.readouterr().out
    change(target, "UPDATE defect_log SET severity = 'Low' WHERE defect_id = 'D-001'")
    assert run(["copy", "--from", source, "--to", target]) == 1
    shown = capsys.readouterr()
    assert re.search(r"different: defect_log D-001, severity: '\w+', in the target 'Low'", shown.out)
    assert re.search(
        r"^error: --to has the value .*b\.db.* no longer the same .* in defect_log: .*\n$", shown.err
    )
    assert run(["copy", "--from", source, "--to", target, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["same"] is False


def test_it_says_how_to_finish_the_journals(source, any_database, capsys):
    """The command that a copy prints for what waits in journals is one that runs."""
    target = any_database.url
    assert run(["copy", "--from", source, "--to", target]) == 0
    (command,) = re.findall(r"^  asp-telemetry (drain .*)$", capsys.readouterr().out, re.MULTILINE)
    assert "s3cret" not in command
    assert run(shlex.split(command)) == 0
    assert "0 records committed" in capsys.readouterr().out


def test_a_target_with_rows_is_refused(source, tmp_path, capsys):
    """One line says which database, what it holds and what to do."""
    target = f"sqlite:///{tmp_path}/b.db"
    make_with_example(target)
    capsys.readouterr()
    assert run(["copy", "--from", source, "--to", target]) == 1
    assert re.fullmatch(
        r"error: --to has the value .*b\.db', which already holds rows: .*name an empty.*\n",
        capsys.readouterr().err,
    )


def test_no_password_is_printed(source, capsys):
    """Where the server cannot be reached the line names it without its password."""
    assert run(["copy", "--from", source, "--to", "postgresql://ana:s3cret@127.0.0.1:1/db"]) == 1
    shown = capsys.readouterr()
    assert "s3cret" not in shown.out + shown.err
    assert "127.0.0.1:1/db" in shown.err


def test_both_urls_are_needed(capsys):
    """A forgotten option is a misuse, not a copy of something else."""
    assert run(["copy", "--from", "sqlite:///a.db"]) == 2
    assert "--to" in capsys.readouterr().err


def test_a_terminal_sees_progress(source, tmp_path):
    """On a terminal the error stream shows how far it is, and the output stays clean."""
    code = f"from asp_telemetry.cli.app import run; run(['copy', '--from', {source!r}, '--to', 'sqlite:///{tmp_path}/b.db'])"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60,
        env={"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "TERM": "xterm", "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert "verifying" in done.stderr
    assert "verifying" not in done.stdout
