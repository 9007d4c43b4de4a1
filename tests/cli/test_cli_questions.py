"""What commands ask before something is lost: what is listed, who is warned of, and what an answer does."""

import io
import subprocess
import sys
import textwrap

import pytest

from asp_telemetry.cli.app import run
from databases import make_with_example

ASKING = [["init", "--reset"], ["migrate", "down", "--to", "0"], ["migrate", "down"]]


@pytest.fixture
def filled(any_database, capsys):
    """Make a database with the sample."""
    make_with_example(any_database.url)
    capsys.readouterr()
    return any_database


@pytest.fixture
def host(filled):
    """Start a process that records and lives until it is told to end; another one before it has been killed."""
    code = """
        import os, sys, asp_telemetry as asp
        asp.configure({url!r}, writer=False)
        for _ in range({spans}):
            with asp.span("one"):
                pass
        print("recorded", flush=True)
        input()
        """

    def start(spans):
        program = textwrap.dedent(code.format(url=filled.url, spans=spans))
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "recorded\n"
        return process

    dead = start(2)
    dead.kill()
    dead.communicate()
    living = start(5000)
    living.dead_pid = dead.pid
    yield living
    living.kill()
    living.communicate()


def costs(database):
    """Count what must not be lost without a yes."""
    return database.rows("SELECT count(*) FROM agent_cost_vector")[0][0]


@pytest.mark.parametrize("command", ASKING, ids=" ".join)
def test_nobody_answers(filled, capsys, monkeypatch, command):
    """Where nobody sits nothing is lost, the option that spares the question is named, and the output stays clean."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert run(command) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines()[-1].startswith("error: nobody answered, so nothing was changed; give --yes")
    assert costs(filled) == 14


@pytest.mark.parametrize("command", ASKING, ids=" ".join)
def test_the_question_lists_what_would_be_missed(filled, capsys, monkeypatch, command):
    """One table a line, without empty ones and house-keeping; a no ends it."""
    filled.run(
        "INSERT INTO rejected_records (journal_id, sequence, record, reason, rejected_at) "
        "VALUES ('j/1', 1, '{}', 'x', '2026-01-15 09:00:00.000000')"
    )
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run(command) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    assert "  agent_cost_vector 14 rows" in lines
    assert "  rejected_records 1 row" in lines
    for missing in ("schema_migrations", "database_identity", "journal_checkpoints", "hook_executions 0"):
        assert missing not in shown.err
    assert shown.err.endswith("error: stopped, nothing was changed\n")
    assert costs(filled) == 14


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
def test_a_yes_goes_on(filled, monkeypatch, answer):
    """An answer of y or yes is taken, whatever their case."""
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert run(["init", "--reset"]) == 0
    assert costs(filled) == 0


def test_a_living_process_is_warned_of(host, filled, capsys, monkeypatch):
    """Before records go, the processes that still record here are named, with --yes too; dead ones are not."""
    for command in ASKING:
        monkeypatch.setattr("sys.stdin", io.StringIO(""))
        assert run(command) == 1
        shown = capsys.readouterr().err
        assert shown.count("living process") == 1
        assert f"A living process (pid {host.pid}) records here." in shown
    assert costs(filled) == 14
    assert run(["init", "--reset", "--yes"]) == 0
    assert f"(pid {host.pid})" in capsys.readouterr().err


def test_down_to_nothing_warns_of_what_waits(host, capsys, monkeypatch):
    """Who gives the positions of journals up is told to drain first, and what takes the rest afterwards."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert run(["migrate", "down", "--to", "0"]) == 1
    shown = capsys.readouterr().err
    assert "2 journals hold records that are not stored yet" in shown
    assert "drain --force" in shown
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert run(["migrate", "down", "--to", "1"]) == 1
    assert "drain --force" not in capsys.readouterr().err


def test_stats_tells_what_waits(host, capsys):
    """For each journal: how many records wait, and whether its process lives; a drain moves them to stored."""
    assert run(["stats"]) == 0
    shown = capsys.readouterr().out
    assert "2 journals with" in shown
    assert f"process {host.dead_pid}: 2 records pending" in shown
    assert f"process {host.pid}: 5000 records pending" in shown
    assert "gone; `asp-telemetry drain` finishes it" in shown
    assert "alive, without a writer; `asp-telemetry drain --follow`" in shown
    assert run(["drain"]) == 0
    assert "5002 records committed, 1 journal finished" in capsys.readouterr().out
    assert run(["stats"]) == 0
    shown = capsys.readouterr().out
    assert "1 journal with" in shown
    assert f"process {host.pid}: 0 records pending;" in shown
