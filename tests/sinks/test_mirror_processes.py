"""Mirrors across the borders of processes: kills, exits, forks, sidecars, and processes that know of no mirror."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest
from hosts_of_mirrors import figures, seconds_to_exit, settled, until

import asp_telemetry as asp
from asp_telemetry.cli.app import run


def start(code, **options):
    """Start a program in a process of its own."""
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], **options)


def stored(url):
    """Count the executions that are committed."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        return connection.execute("SELECT count(*) FROM execution_traces").fetchone()[0]


def journals(tmp_path):
    """Return the journals that are left."""
    return list((tmp_path / "asp-journal").iterdir())


def leave_behind(url, receiver, count=20):
    """Let a process record, commit, and die before the mirror has got anything."""
    receiver.stop()
    program = start(
        f"""
        import os, time, asp_telemetry as asp
        asp.configure({url!r}, otlp={receiver.url!r})
        for number in range({count}):
            with asp.span("left", iteration=number + 1):
                pass
        assert asp.flush(timeout=20).complete
        while not asp.stats()["sinks"]["otlp"]["last_verdict"]:
            time.sleep(0.01)
        os.kill(os.getpid(), 9)
        """
    )
    assert program.wait(timeout=30) == -signal.SIGKILL


@pytest.mark.crash
@pytest.mark.parametrize("moment", ["stored", "unstored"])
def test_a_process_killed_while_it_sends_is_finished_by_the_next(receiver, url, tmp_path, moment):
    """Kill a process in the middle of sending: the next one sends what is missing, and what was in flight the same again."""
    receiver.faults.append("slow" if moment == "stored" else 503)
    receiver.slow_seconds = 30
    program = start(
        f"""
        import asp_telemetry as asp, time
        asp.configure({url!r}, otlp={receiver.url!r})
        for number in range(1500):
            with asp.span("x", iteration=number + 1):
                pass
        print(asp.flush(timeout=20).complete, flush=True)
        time.sleep(60)
        """,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert program.stdout.readline() == "True\n"
        until(lambda: receiver.requests)
    finally:
        program.kill()
        program.communicate()
    [folder] = journals(tmp_path)
    in_flight = json.loads((folder / "otlp.mirror").read_text())["in_flight"]
    assert in_flight or moment == "unstored"
    already = len(receiver.spans)
    asp.configure(url, otlp=receiver.url, replace=True)
    with asp.span("next"):
        pass
    receiver.wait(1501, 30)
    until(lambda: len(journals(tmp_path)) == 1)
    copies = {}
    for span in receiver.spans:
        copies.setdefault(span.id, set()).add((span.start, span.end, span.attributes["asp.iteration"]))
    assert len(copies) == 1501
    assert all(len(found) == 1 for found in copies.values())
    assert len(receiver.spans) == 1501 + already
    assert stored(url) == 1501


@pytest.mark.crash
@pytest.mark.parametrize("kind", ["refuses", "swallows"])
def test_exit_does_not_wait_for_a_dead_receiver(tmp_path, kind):
    """With 2000 spans waiting for a receiver that refuses connections, or never answers, a process exits in a second."""
    took = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if kind == "swallows":
            listener.listen()
        place = f"http://127.0.0.1:{listener.getsockname()[1]}"
        # A busy machine may keep one process waiting, but who waits for the receiver waits every time.
        while len(took) < 3 and min(took, default=1.0) >= 1.0:
            folder = tmp_path / str(len(took))
            url = f"sqlite:///{folder}/a.db"
            took.append(seconds_to_exit(f"asp.configure({url!r}, otlp={place!r})"))
            assert stored(url) == 2000
            assert len(journals(folder)) == 1
    assert min(took) < 1.0, took


@pytest.mark.crash
def test_a_short_program_sends_before_it_ends(receiver, url, tmp_path):
    """A script that ends at once has sent its spans, and leaves no journal."""
    program = start(
        f"""
        import asp_telemetry as asp
        asp.configure({url!r}, otlp={receiver.url!r})
        with asp.span("only"):
            pass
        """
    )
    assert program.wait(timeout=20) == 0
    assert len(receiver.spans) == 1
    assert journals(tmp_path) == []


@pytest.mark.crash
def test_drain_without_the_mirror_keeps_what_it_is_owed(receiver, url, tmp_path, capsys):
    """`drain` says what it keeps and why, where the mirror is not configured or is away; else it sends; --forget gives it up."""
    leave_behind(url, receiver)
    assert run(["drain", "--database", url]) == 0
    shown = capsys.readouterr().out
    assert "kept for otlp" in shown
    assert str(journals(tmp_path)[0]) in shown
    assert run(["drain", "--database", url, "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["kept"].values()) == [["otlp"]]
    os.environ["ASP_OTLP"] = receiver.url
    try:
        assert run(["drain", "--database", url]) == 0
        shown = capsys.readouterr().out
        assert "kept for otlp (`asp-telemetry stats` tells what it said" in shown
        assert "configure it here" not in shown
        receiver.start()
        assert run(["drain", "--database", url]) == 0
    finally:
        del os.environ["ASP_OTLP"]
    assert "kept" not in capsys.readouterr().out
    assert len(receiver.spans) == 20
    assert journals(tmp_path) == []
    leave_behind(url, receiver)
    assert run(["drain", "--database", url, "--forget", "oltp"]) == 0
    assert "owe nothing to oltp any more: 0 journals" in capsys.readouterr().out
    assert run(["drain", "--database", url, "--forget", "otlp"]) == 0
    shown = capsys.readouterr().out
    assert "1 journal finished" in shown
    assert "owe nothing to otlp any more: 1 journal" in shown
    assert journals(tmp_path) == []
    assert stored(url) == 40


@pytest.mark.crash
def test_a_process_without_the_mirror_leaves_the_journal_to_one_that_has_it(receiver, url, tmp_path):
    """Whoever does not know the mirror finishes for the database alone, and does not stand in the others' way."""
    leave_behind(url, receiver)
    asp.configure(url, replace=True)
    with asp.span("without"):
        pass
    assert asp.flush(timeout=20).complete
    own = asp.stats()["journal"]
    other = next(str(each) for each in journals(tmp_path) if str(each) != own)
    program = start(
        f"""
        import asp_telemetry as asp
        asp.configure({url!r}, otlp={receiver.url!r})
        with asp.span("with"):
            pass
        asp.flush()
        input()
        """,
        stdin=subprocess.PIPE,
        text=True,
    )
    try:
        receiver.start()
        receiver.wait(21, 30)
        until(lambda: not Path(other).exists())
    finally:
        program.communicate("\n", timeout=20)
    assert sorted(span.name for span in receiver.spans) == ["left"] * 20 + ["with"]


@pytest.mark.crash
def test_a_sidecar_sends_for_a_process_without_a_writer(receiver, url, tmp_path):
    """With writer=False a running `drain --follow` brings records to the database and to the mirror."""
    environment = {**os.environ, "ASP_OTLP": receiver.url}
    sidecar = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from asp_telemetry.cli import main; main()",
            "drain",
            "--follow",
            "--database",
            url,
        ],
        stdout=subprocess.DEVNULL,
        env=environment,
    )
    host = start(
        f"""
        import asp_telemetry as asp
        asp.configure({url!r}, writer=False)
        for _ in range(3000):
            with asp.span("lives"):
                pass
        print(asp.stats()["sinks"]["otlp"]["pending"], flush=True)
        input()
        """,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert host.stdout.readline() == "3000\n"
        receiver.wait(3000, 30)
        assert host.poll() is None
        host.communicate("\n", timeout=10)
        until(lambda: not journals(tmp_path))
    finally:
        host.kill()
        host.communicate()
        sidecar.terminate()
        sidecar.communicate(timeout=10)
    assert len(receiver.spans) == stored(url) == 3000


@pytest.mark.crash
def test_a_forked_child_sends_its_own_spans_and_only_those(receiver, url):
    """Parent and forked children each send what they have recorded, once."""
    program = start(
        f"""
        import os, asp_telemetry as asp
        asp.configure({url!r}, otlp={receiver.url!r})
        def work(who):
            for number in range(50):
                with asp.span(who):
                    pass
        work("parent")
        asp.flush(timeout=20)
        children = []
        for number in range(3):
            child = os.fork()
            if not child:
                work(f"child {{number}}")
                asp.shutdown(timeout=20)
                os._exit(0)
            children.append(child)
        work("parent")
        for child in children:
            assert os.waitpid(child, 0)[1] == 0
        assert asp.shutdown(timeout=20).complete
        """
    )
    assert program.wait(timeout=60) == 0
    receiver.wait(250)
    names = sorted(span.name for span in receiver.spans)
    assert names == ["child 0"] * 50 + ["child 1"] * 50 + ["child 2"] * 50 + ["parent"] * 100


def test_the_mirror_never_runs_ahead_of_the_database(receiver, url):
    """While the database takes nothing, nothing is sent that it does not have."""
    asp.configure(url, otlp=receiver.url, replace=True)
    with asp.span("first"):
        pass
    assert asp.flush(timeout=20).complete
    receiver.wait(1)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        for _ in range(100):
            with asp.span("waits"):
                pass
        assert not asp.flush(timeout=3).complete
        assert len(receiver.spans) == 1
        assert figures()["pending"] == 100
        blocker.execute("ROLLBACK")
    settled(count=101, seconds=40)
    assert len(receiver.spans) == 101


def test_when_the_journal_is_full_the_mirror_gives_up_and_the_database_loses_nothing(receiver, url, caplog):
    """A dead mirror fills the journal up to its limit and no further: its oldest go, counted, and no record is refused."""
    receiver.stop()
    limit = 4 << 20
    asp.configure(url, otlp=receiver.url, journal_max_bytes=limit, replace=True)
    total = 60_000
    for number in range(total):
        with asp.span("x", iteration=number + 1):
            pass
        if number % 1000 == 999:
            assert asp.flush(timeout=20).complete
    assert asp.flush(timeout=20).complete
    until(lambda: figures()["drop_reasons"].get("journal_full"))
    account = asp.stats()
    assert (account["stored"], account["dropped"]) == (total, 0)
    assert account["queue_bytes"] <= limit
    assert any("given up its oldest" in record.getMessage() for record in caplog.records)
    receiver.start()
    until(lambda: figures()["pending"] == 0, 40)
    found = figures()
    assert found["stored"] + found["dropped"] == total
    assert found["stored"] > 5000
    kept = sorted(span.attributes["asp.iteration"] for span in receiver.spans)
    assert kept == list(range(total - found["stored"] + 1, total + 1))


def test_what_is_given_up_in_flight_and_arrives_all_the_same_counts_as_stored(receiver, url):
    """A slow receiver does not keep the journal from giving way, and the figures still add up to what arrived."""
    receiver.slow_seconds = 5
    receiver.faults.append("slow")
    asp.configure(url, otlp=receiver.url, journal_max_bytes=2 << 20, replace=True)
    total = 20_000
    for number in range(total):
        with asp.span("x", iteration=number + 1):
            pass
        if number == 600:
            assert asp.flush(timeout=20).complete
            until(lambda: receiver.requests)
        if number % 500 == 499:
            assert asp.flush(timeout=20).complete
    assert asp.flush(timeout=20).complete
    assert figures()["dropped"] > 0
    assert (asp.stats()["stored"], asp.stats()["dropped"]) == (total, 0)
    until(lambda: figures()["pending"] == 0, 40)
    assert figures()["stored"] == len(receiver.ids()) == len(receiver.spans)
