"""Whatever goes wrong on the way to Langfuse, every execution arrives there exactly once, and its sums are the database's."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from time import sleep

import pytest
from hosts_of_mirrors import figures, settled, until
from langfuse_double import Fault
from langfuse_trees import EXECUTIONS, compare, record_tree

import asp_telemetry as asp
from asp_telemetry.cli.app import run
from asp_telemetry.sinks import langfuse_verdicts

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
    trees = 40
    if FAULTS[fault] is None:
        langfuse.stop()
    for number in range(trees):
        if FAULTS[fault] is not None and number in {0, 20}:
            langfuse.faults.append(FAULTS[fault])
        record_tree(number)
        if number % 20 == 19:
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
    for _ in range(5):
        langfuse.faults.extend(chance.choices(faults, k=3))
        kill_after(any_database.url, chance.uniform(0.0, 1.5))
    langfuse.faults.clear()
    seen = figures_of_journals(capsys, any_database)
    assert seen["pending"] >= 0
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


def figures_of_journals(capsys, database):
    """Return what `asp-telemetry stats` says of the mirror."""
    capsys.readouterr()
    assert run(["stats", "--database", database.url, "--json"]) == 0
    return json.loads(capsys.readouterr().out)["mirrors"]["langfuse"]
