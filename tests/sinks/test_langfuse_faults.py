"""Whatever goes wrong on the way to Langfuse, every execution arrives there exactly once, and its sums are the database's."""

import json
import random
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from time import sleep

import pytest
from hosts_of_mirrors import figures, seconds_to_exit, settled, until
from langfuse_trees import EXECUTIONS, compare, record_tree

import asp_telemetry as asp
from asp_telemetry.cli.app import run
from asp_telemetry.sinks import langfuse_verdicts
from langfuse_double import Fault

PROGRAM = Path(__file__).with_name("langfuse_trees.py")
FAULTS = {
    "slow": Fault(delay_seconds=1.0),
    "slow to store": Fault(delay_seconds=1.0, late=True),
    "down": None,
    "wrong keys": Fault(status=401),
    "too large": Fault(status=413),
    "too many": Fault(status=429, retry_after=1),
    "broken": Fault(status=500),
    "broken behind the store": Fault(status=500, stores=True),
    "overloaded": Fault(status=503),
    "cut before the store": Fault(drop="before"),
    "cut behind the store": Fault(drop="after"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_execution_arrives_once_under_every_fault(langfuse, any_database, monkeypatch, fault):
    """Whatever Langfuse answers, or fails to, it has each execution once in the end, in its place and at its time."""
    monkeypatch.setenv("LANGFUSE_TIMEOUT", "0.4")
    # Above the time after which the slowest has stored: it is a minute in earnest.
    monkeypatch.setattr(langfuse_verdicts, "DOUBT_SECONDS", 1.0)
    asp.configure(any_database.url, langfuse=True, auto_migrate=True, replace=True)
    trees = 20
    if FAULTS[fault] is None:
        langfuse.stop()
    for number in range(trees):
        if FAULTS[fault] is not None and number in {0, 10}:
            langfuse.faults.append(FAULTS[fault])
        record_tree(number)
        if number % 10 == 9:
            assert asp.flush(timeout=20).complete
    if FAULTS[fault] is None:
        until(lambda: (figures("langfuse")["last_verdict"] or "").startswith("retry"))
        langfuse.start()
    settled(mirror="langfuse", seconds=40)
    assert not langfuse.faults
    assert compare(langfuse, any_database) == trees * EXECUTIONS


@pytest.mark.crash
@pytest.mark.parametrize("seed", [1, 2])
def test_every_execution_arrives_once_though_processes_are_killed(
    langfuse, any_database, monkeypatch, capsys, seed
):
    """Kill one process after the other at any moment, under faults: the next one and `drain` finish, nothing comes twice."""
    monkeypatch.setenv("LANGFUSE_TIMEOUT", "0.4")
    monkeypatch.setenv("ASP_LANGFUSE", "1")
    monkeypatch.setattr(langfuse_verdicts, "DOUBT_SECONDS", 1.0)
    chance = random.Random(seed)
    assert run(["init"]) == 0
    faults = [fault for fault in FAULTS.values() if fault is not None]
    for _ in range(4):
        langfuse.faults.extend(chance.choices(faults, k=2))
        kill_after(any_database.url, chance.uniform(0.0, 1.5))
    langfuse.faults.clear()
    for _ in range(5):
        capsys.readouterr()
        assert run(["drain", "--database", any_database.url, "--json"]) == 0
        if not list(any_database.journal_dir.glob("*/journal.json")):
            break
    assert not list(any_database.journal_dir.glob("*/journal.json"))
    assert compare(langfuse, any_database) > 5 * EXECUTIONS


def kill_after(url, seconds):
    """Let a program record until it is killed."""
    with subprocess.Popen([sys.executable, str(PROGRAM), url, "1.0"], stdout=subprocess.PIPE) as program:
        assert program.stdout.readline()
        sleep(seconds)
        program.send_signal(signal.SIGKILL)


def test_what_a_dead_process_had_in_flight_keeps_nobody_waiting(langfuse, any_database, monkeypatch, capsys):
    """While it is too early to ask for the batch of a dead process, the records of the living go out."""
    monkeypatch.setattr(langfuse_verdicts, "DOUBT_SECONDS", 60.0)
    assert run(["init"]) == 0
    langfuse.faults.append(Fault(delay_seconds=30))
    program = start(
        f"""
        import os, asp_telemetry as asp
        asp.configure({any_database.url!r}, langfuse=True)
        with asp.span("left"):
            pass
        asp.flush(timeout=20)
        input()
        """
    )
    langfuse.wait(1)
    program.kill()
    program.communicate()
    asp.configure(any_database.url, langfuse=True, replace=True)
    with asp.span("next"):
        pass
    assert asp.flush(timeout=20).complete
    langfuse.wait(2)
    assert [one.name for one in langfuse.observations] == ["left", "next"]
    until(lambda: journal_of(program.pid, capsys)["mirrors"]["langfuse"]["last_verdict"].startswith("later"))


def test_a_score_that_waits_says_how_things_stand_when_it_goes(langfuse, any_database):
    """A defect that another process has refuted while its score waited is told as refuted."""
    asp.configure(any_database.url, langfuse=True, auto_migrate=True, replace=True)
    langfuse.stop()
    defect = asp.log_defect(task_id="T", defect_type="4_Hallucination", severity="High", phase_injected="Code",
                            phase_removed="Test", description="no such function")  # fmt: skip
    until(lambda: (figures("langfuse")["last_verdict"] or "").startswith("retry"))
    program = start(
        f"""
        import asp_telemetry as asp
        asp.configure({any_database.url!r})
        asp.resolve_defect({defect!r}, false_positive=True)
        assert asp.flush(timeout=20).complete
        """
    )
    assert program.wait(timeout=20) == 0
    program.communicate()
    langfuse.start()
    settled(mirror="langfuse")
    assert [score.value for score in langfuse.scores.values()] == [1.0]


@pytest.mark.crash
@pytest.mark.parametrize("kind", ["refuses", "swallows"])
def test_exit_does_not_wait_for_langfuse(langfuse, any_database, monkeypatch, kind):
    """With 2000 spans waiting for a Langfuse that is away, or never answers, a process exits in a second, and loses nothing."""
    assert run(["init"]) == 0
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if kind == "swallows":
            listener.listen()
        monkeypatch.setenv("LANGFUSE_BASE_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
        took = []
        # A busy machine may keep one process waiting, but who waits for Langfuse waits every time.
        while len(took) < 3 and min(took, default=1.0) >= 1.0:
            took.append(seconds_to_exit(f"asp.configure({any_database.url!r}, langfuse=True)"))
    assert min(took) < 1.0, took
    total = 2000 * len(took)
    assert any_database.rows("SELECT COUNT(*) FROM execution_traces") == [(total,)]
    monkeypatch.setenv("LANGFUSE_BASE_URL", langfuse.url)
    monkeypatch.setenv("ASP_LANGFUSE", "1")
    assert run(["drain"]) == 0
    langfuse.wait(total)
    assert len(langfuse.observations) == total
    assert not list(any_database.journal_dir.glob("*/journal.json"))


def test_an_outage_longer_than_the_journal_costs_the_mirror_its_oldest(
    langfuse, any_database, capsys, monkeypatch
):
    """The journal keeps to its limit, the mirror gives up its oldest, counted with the reason, and the database has all."""
    monkeypatch.setenv("ASP_LANGFUSE", "1")
    langfuse.stop()
    limit, total = 2 << 20, 20_000
    asp.configure(any_database.url, langfuse=True, auto_migrate=True, journal_max_bytes=limit, replace=True)
    for number in range(total):
        with asp.span("x", iteration=number + 1):
            pass
        if number % 500 == 499:
            assert asp.flush(timeout=20).complete
    until(lambda: figures("langfuse")["drop_reasons"].get("journal_full"))
    account = asp.stats()
    assert (account["stored"], account["dropped"]) == (total, 0)
    assert account["queue_bytes"] <= limit
    [told] = [
        finding
        for finding in examined(capsys)
        if finding["check"] == "mirror langfuse" and "journal_full" in finding["told"]
    ]
    assert told["level"] == "warning"
    until(has_given_up)  # what is given up while it is being sent arrives all the same
    langfuse.start()
    until(lambda: figures("langfuse")["pending"] == 0, 60)
    found = figures("langfuse")
    assert found["stored"] == len(langfuse.observations) == total - found["dropped"]
    kept = sorted(int(one.metadata["iteration"]) for one in langfuse.observations)
    assert kept == list(range(total - found["stored"] + 1, total + 1))


def test_the_lag_of_another_process_is_told(langfuse, any_database, capsys, monkeypatch):
    """`stats` and `doctor` tell of every process how much waits for Langfuse, for how long, and what it said last."""
    assert run(["init"]) == 0
    langfuse.stop()
    program = start(
        f"""
        import asp_telemetry as asp
        asp.configure({any_database.url!r}, langfuse=True)
        for _ in range(30):
            with asp.span("x"):
                pass
        assert asp.flush(timeout=20).complete
        print(1, flush=True)
        input()
        """
    )
    try:
        assert program.stdout.readline()
        until(lambda: (figures_of_journals(capsys)["last_verdict"] or "").startswith("retry: no connection"))
        found = figures_of_journals(capsys)
        assert (found["pending"], found["dropped"]) == (30, 0)
        assert found["lag_seconds"] > 0
        assert run(["stats"]) == 0
        assert "mirror langfuse: 30 records pending, the oldest for" in capsys.readouterr().out
        assert {each["level"] for each in examined(capsys) if each["check"] == "mirror langfuse"} == {"ok"}
        monkeypatch.setattr("asp_telemetry.upkeep.doctor._PATIENCE_SECONDS", 0.0)
        [late] = [each for each in examined(capsys) if each["check"] == "mirror langfuse"]
        assert late["level"] == "warning"
        assert "30 records" in late["told"]
        assert "retry: no connection" in late["told"]
        assert "log of that process" in late["remedy"]
        program.kill()
        program.communicate()
        [late] = [each for each in examined(capsys) if each["check"] == "mirror langfuse"]
        assert "--forget langfuse" in late["remedy"]
    finally:
        program.kill()
        program.communicate()
    assert run(["drain", "--forget", "langfuse"]) == 0
    assert "1 journal finished" in capsys.readouterr().out


def has_given_up():
    """Tell whether the mirror gives up no more."""
    before = figures("langfuse")["dropped"]
    sleep(0.6)
    return figures("langfuse")["dropped"] == before


def start(code):
    """Start a program in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def report(capsys, *command):
    """Return what a command says as JSON."""
    capsys.readouterr()
    assert run([*command, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def figures_of_journals(capsys):
    """Return what `asp-telemetry stats` says of the mirror."""
    return report(capsys, "stats")["mirrors"]["langfuse"]


def examined(capsys):
    """Return what `asp-telemetry doctor` finds."""
    return report(capsys, "doctor")["findings"]


def journal_of(process, capsys):
    """Return what `asp-telemetry stats` says of the journal of a process."""
    return next(each for each in report(capsys, "stats")["waiting"] if each["process_id"] == process)
