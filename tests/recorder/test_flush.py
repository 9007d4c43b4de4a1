"""`flush`, `aflush`, `shutdown` and `stats`: committed means committed, and figures add up."""

import asyncio
import sqlite3
import subprocess
import sys
import textwrap
import threading
from time import monotonic, sleep

import trio

import asp_telemetry as asp
from asp_telemetry.testing import locked_database


def count(path):
    """Count the executions that another connection can see."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT count(*) FROM execution_traces").fetchone()[0]
    finally:
        connection.close()


def work(number):
    """Record some executions."""
    for _ in range(number):
        with asp.span("x"):
            pass


def test_complete_means_committed(configured):
    """After a complete flush another process sees every record."""
    for size in (1, 10, 3000):
        before = count(configured.path) if configured.path.exists() else 0
        work(size)
        result = asp.flush(timeout=20)
        assert result.complete
        assert count(configured.path) == before + size
        assert (result.pending, result.rejected, result.dropped) == (0, 0, 0)


def test_flush_without_records_is_complete():
    """Flushing when nothing was recorded is done at once."""
    asp.shutdown()
    assert asp.flush().complete
    assert asp.shutdown().complete


def test_aflush_waits_without_blocking_the_loop(configured):
    """Under asyncio and trio other coroutines run while records are being committed."""

    async def beat(sleep, beats):
        for _ in range(20):
            await sleep(0.001)
            beats.append(monotonic())

    async def in_asyncio():
        beats = []
        work(2000)
        other = asyncio.create_task(beat(asyncio.sleep, beats))
        result = await asp.aflush(timeout=20)
        await other
        return result, beats

    async def in_trio():
        beats = []
        work(2000)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(beat, trio.sleep, beats)
            result = await asp.aflush(timeout=20)
        return result, beats

    for result, beats in (asyncio.run(in_asyncio()), trio.run(in_trio)):
        assert result.complete
        assert len(beats) == 20
    assert count(configured.path) == 4000


def test_a_timeout_is_kept_and_reported(configured):
    """A flush that cannot finish returns in time and says how much is pending; later all is there."""
    work(1)
    assert asp.flush(timeout=20).complete
    with locked_database():
        work(5)
        begun = monotonic()
        result = asp.flush(timeout=0.5)
        assert monotonic() - begun < 3
        assert not result.complete
        assert result.pending == 5
    assert asp.flush(timeout=30).complete
    assert count(configured.path) == 6


def test_figures_add_up(configured):
    """The sum holds: accepted == stored + pending + rejected + dropped, at any moment."""
    stop = threading.Event()

    def load():
        while not stop.is_set():
            work(50)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            asp.flush(timeout=0.02)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert asp.flush(timeout=30).complete
    figures = asp.stats()
    parts = ("stored", "pending", "rejected", "dropped")
    assert figures["accepted"] == sum(figures[part] for part in parts) == count(configured.path)
    account = {part: figures[part] for part in ("accepted", *parts)}
    assert figures["sinks"] == asp.flush(timeout=20).sinks == {"database": account}
    assert figures["writer_alive"]
    assert figures["last_error"] is None


def test_figures_add_up_while_refused_rows_are_being_found(configured):
    """Ask again and again while the database refuses rows among many: the sum holds each time."""
    for number in range(3000):
        work(1)
        if number % 500 == 0:
            asp.record_bootstrap(
                "refused", mode="Nowhere", tasks_completed=1, tasks_required=1, metric="MAPE", value=1, target=1,
                direction="lower_is_better",
            )  # fmt: skip
    looks = 0
    deadline = monotonic() + 20
    while True:
        figures = asp.stats()
        looks += 1
        parts = [figures[part] for part in ("stored", "pending", "rejected", "dropped")]
        assert figures["accepted"] == sum(parts) == 3006
        if not figures["pending"]:
            break
        assert monotonic() < deadline
        sleep(0.0005)  # a loop that never pauses would keep the interpreter's lock from the writer
    assert figures["rejected"] == 6
    assert looks > 10


def test_recording_goes_on_after_shutdown(configured):
    """A record made after shutdown() starts anew, into the same database."""
    work(2)
    assert asp.shutdown(timeout=20).complete
    work(3)
    assert asp.flush(timeout=20).complete
    assert count(configured.path) == 5


def test_shutdown_leaves_no_journal_behind(tmp_path):
    """After a complete shutdown of a program without other threads nothing waits on disk."""
    code = """
        import asp_telemetry as asp
        asp.configure("sqlite:///a.db")
        with asp.span("x"):
            pass
        assert asp.shutdown(timeout=20).complete
        from pathlib import Path
        assert list(Path("asp-journal").iterdir()) == []
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, check=True, timeout=60)


OPEN_AT_EXIT = """
import asp_telemetry as asp
asp.configure("sqlite:///telemetry.db")
task = asp.task("TASK-001")
task.__enter__()
if {ends}:
    asp.shutdown()
    task.__exit__(None, None, None)
"""


def run_open_at_exit(folder, *, ends):
    """Run a program that leaves a task open when its journal is removed; return executions and tasks."""
    subprocess.run([sys.executable, "-c", OPEN_AT_EXIT.format(ends=ends)], cwd=folder, check=True, timeout=60)
    connection = sqlite3.connect(folder / "telemetry.db")
    try:
        found = connection.execute(
            "SELECT trace.status, task.status FROM execution_traces AS trace JOIN task_metadata AS task USING (task_id)"
        )
        return found.fetchall()
    finally:
        connection.close()


def test_what_is_open_at_exit_is_abandoned(tmp_path):
    """A program that ends in the middle of a task leaves a failed task, not one that is in progress for ever."""
    assert run_open_at_exit(tmp_path, ends=False) == [("abandoned", "failed")]
    assert list((tmp_path / "asp-journal").iterdir()) == []


def test_what_ends_after_shutdown_is_no_longer_abandoned(tmp_path):
    """A task that was open during shutdown() and ends later is as it ended, once that is in the database."""
    assert run_open_at_exit(tmp_path, ends=True) == [("success", "completed")]
