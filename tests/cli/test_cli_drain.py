"""`asp-telemetry drain` and `stats`: finish what others left, and account for all of it."""

import json
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time

import pytest

from asp_telemetry.cli.app import run

KILLED = """
    import os, asp_telemetry as asp
    asp.configure({url!r}, writer={writer})
    with asp.span("one"):
        pass
    with asp.span("two"):
        pass
    os.kill(os.getpid(), 9)
"""


def start(code, **options):
    """Start a program in a process of its own."""
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], **options)


def names(path):
    """Return the names of the executions in a database."""
    connection = sqlite3.connect(path)
    try:
        return sorted(name for (name,) in connection.execute("SELECT name FROM execution_traces"))
    finally:
        connection.close()


@pytest.mark.parametrize("writer", [True, False])
def test_drain_finishes_what_a_killed_process_left(tmp_path, capsys, writer):
    """One command brings the records of a killed process into the database, and removes its journal."""
    url = f"sqlite:///{tmp_path}/a.db"
    assert start(KILLED.format(url=url, writer=writer)).wait(timeout=30) == -signal.SIGKILL
    assert run(["drain", "--database", url, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["records"], report["journals"], report["abandoned"]) == (2, 1, 0)
    assert names(tmp_path / "a.db") == ["one", "two"]
    assert run(["drain", "--database", url]) == 0
    assert "0 records committed" in capsys.readouterr().out
    assert list((tmp_path / "asp-journal").iterdir()) == []
    assert run(["stats", "--database", url, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["stored"], figures["rejected"], figures["dropped"], figures["journals"]) == (2, 0, 0, 0)


def test_a_sidecar_follows_a_process_without_a_writer(tmp_path):
    """With writer=False a running `drain --follow` brings records over while the process lives."""
    url = f"sqlite:///{tmp_path}/a.db"
    sidecar = subprocess.Popen(
        [sys.executable, "-c", "from asp_telemetry.cli import main; main()", "drain", "--follow", "--database", url],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    host = start(
        f"""
        import asp_telemetry as asp
        asp.configure({url!r}, writer=False)
        for _ in range(3000):
            with asp.span("lives"):
                pass
        print("recorded", flush=True)
        input()
        """,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert host.stdout.readline() == "recorded\n"
        deadline = time.monotonic() + 30
        while not ((tmp_path / "a.db").exists() and _count(tmp_path / "a.db") == 3000):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert host.poll() is None
        host.communicate("\n", timeout=10)
        while list((tmp_path / "asp-journal").iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        host.kill()
        host.communicate()
        sidecar.terminate()
        sidecar.communicate(timeout=10)
    assert _count(tmp_path / "a.db") == 3000


def _count(path):
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT count(*) FROM execution_traces").fetchone()[0]
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def test_a_journal_of_another_database_is_left_alone(tmp_path, capsys):
    """What was begun into a database that was since replaced is drained only with --force."""
    url = f"sqlite:///{tmp_path}/a.db"
    start(
        f"""
        import os, asp_telemetry as asp
        asp.configure({url!r})
        with asp.span("first"):
            pass
        asp.flush()
        os.rename("{tmp_path}/a.db", "{tmp_path}/moved.db")
        for suffix in ("-wal", "-shm"):
            os.rename("{tmp_path}/a.db" + suffix, "{tmp_path}/moved.db" + suffix)
        with asp.span("second"):
            pass
        os.kill(os.getpid(), 9)
        """
    ).wait(timeout=30)
    assert run(["drain", "--database", url]) == 0
    shown = capsys.readouterr()
    assert shown.out.count("begun into another database at this address (--force") == 1
    assert shown.err == ""
    assert names(tmp_path / "a.db") == []
    assert run(["drain", "--database", url, "--force"]) == 0
    assert "second" in names(tmp_path / "a.db")


def test_an_unwritable_database_is_one_clear_line(tmp_path, capsys):
    """A failure is one line on standard error and a non-zero status."""
    (tmp_path / "a.db").write_bytes(b"this is no database, but it is long enough to be taken for one" * 20)
    assert run(["drain", "--database", f"sqlite:///{tmp_path}/a.db"]) == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert str(tmp_path / "a.db") in captured.err
    assert run(["stats", "--database", f"sqlite:///{tmp_path}/none.db"]) == 1
    assert "asp-telemetry init" in capsys.readouterr().err


def test_the_environment_names_the_database(tmp_path, capsys, monkeypatch):
    """Without --database the commands take ASP_DATABASE_URL."""
    monkeypatch.setenv("ASP_DATABASE_URL", f"sqlite:///{tmp_path}/env.db")
    assert run(["init"]) == 0
    assert (tmp_path / "env.db").exists()
    capsys.readouterr()
    assert run(["drain"]) == 0
    assert str(tmp_path / "env.db") in capsys.readouterr().out
