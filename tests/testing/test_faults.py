"""Injected faults: callers go on, records wait, and when a fault is over all is stored and nothing of it is left."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from time import monotonic, sleep

import pytest

import asp_telemetry as asp
from asp_telemetry.errors import AspTelemetryError
from asp_telemetry.journal.segment import Segment
from asp_telemetry.sinks.database import DatabaseSink
from asp_telemetry.stores import sqlite_connection
from asp_telemetry.testing import (
    assert_no_loss,
    capture,
    dead_writer,
    full_disk,
    locked_database,
    tiny_disk,
    vanished_database,
)
from asp_telemetry.testing import disk as disks

FAULTS = [locked_database, vanished_database, dead_writer, full_disk]


@asp.track_tool
def double(number: int) -> int:
    return 2 * number


@asp.track_agent("teller")
def tell(number: int) -> int:
    asp.current_span().set(metadata={"text": f"{number} " * 1000})
    return 2 * number


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Let the writer say early that the database is locked."""
    monkeypatch.setattr(sqlite_connection, "BUSY_TIMEOUT_SECONDS", 0.2)


def until(what: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = monotonic() + seconds
    while not what():
        assert monotonic() < deadline, "it did not happen in time"
        sleep(0.01)


@pytest.mark.parametrize("recorded_before", [0, 100])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_block_costs_callers_and_records_nothing(
    fault: Callable[[], AbstractContextManager[object]], recorded_before: int
):
    """Inject each fault before and after the first record: calls return, records wait, afterwards all are stored once."""
    with capture() as recorded:
        for number in range(recorded_before):
            double(number)
        assert recorded.flush().complete
        with fault():
            assert [double(number) for number in range(500)] == [2 * number for number in range(500)]
            assert not asp.flush(timeout=0.3).complete
            assert asp.stats()["pending"] == 500
            assert_no_loss(timeout=0)
        until(lambda: asp.stats()["writer_alive"])
        assert_no_loss()
        assert len(recorded.executions) == recorded_before + 500
    assert_no_loss(recorded)
    assert len(recorded.executions) == recorded_before + 500


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_hits_the_program_where_there_is_no_block(program, fault):
    """Outside of capture() a fault hits what the program is configured for, and undoes itself even after an error."""
    with fault():
        double(1)
        assert not asp.flush(timeout=0.3).complete
    assert_no_loss(timeout=20)
    with pytest.raises(ValueError, match="as told"), fault():
        raise ValueError("as told")
    assert asp.flush(timeout=20).complete
    assert program.names() == ["double"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_spares_what_is_outside_of_its_block(program, fault):
    """A fault inside a block leaves the program around it alone: its records are stored meanwhile."""
    outside = asp.propagate(double)
    with capture() as recorded:
        double(1)
        with fault():
            double(2)
            assert not recorded.flush(timeout=0.2).complete
            outside(3)
            until(lambda: _count(program.path) == 2)
    assert len(recorded.executions) == 2
    assert program.names() == ["double"]


def _count(path) -> int:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT count(*) FROM execution_traces").fetchone()[0]
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (locked_database, "database is locked"),
        (vanished_database, "cannot be created|was deleted or replaced"),
        (full_disk, "database or disk is full"),
        (dead_writer, "MemoryError: dead_writer"),
    ],
)
def test_a_fault_shows_in_the_figures(fault, told):
    """While a fault lasts stats() tells what is wrong, as it would of the real one."""
    import re  # noqa: PLC0415 - only here

    with capture() as recorded:
        double(1)
        assert recorded.flush().complete
        with fault():
            double(2)
            until(lambda: recorded.stats()["last_error"])
            assert re.search(told, recorded.stats()["last_error"])
    assert recorded.stats()["stored"] == 2


def test_a_vanished_database_comes_back_as_it_was(program):
    """While it is away its path leads nowhere and nothing is made there; then the same file is there again."""
    before = program.path.stat().st_ino
    with vanished_database():
        assert not program.path.exists()
        double(1)
        until(lambda: asp.stats()["last_error"])
        sleep(0.5)
        assert not program.path.exists()
    assert program.path.stat().st_ino == before
    assert program.names() == ["double"]
    assert sorted(found.name for found in program.path.parent.iterdir() if found.is_dir()) == ["asp-journal"]


def test_a_dead_writer_stays_dead_until_the_block_ends():
    """No flush and no record brings the writer back before the block ends; then it comes by itself."""
    with capture() as recorded:
        with dead_writer():
            double(1)
            begun = monotonic()
            assert not asp.flush(timeout=5).complete
            assert monotonic() - begun < 4
            assert not asp.stats()["writer_alive"]
        until(lambda: recorded.stats()["stored"] == 1)


@pytest.mark.parametrize("mounts", [True, False])
def test_a_full_disk_counts_what_it_costs(monkeypatch, mounts):
    """Record more than memory holds while the disk is full: what found no room is counted, and assert_no_loss says it."""
    if not mounts:
        monkeypatch.setattr(disks, "_mount", lambda *_: False)
    with tiny_disk() as folder, capture(folder=folder) as recorded:
        tell(0)
        assert recorded.flush().complete
        with full_disk() as is_real:
            assert [tell(number) for number in range(1, 8000)] == [2 * number for number in range(1, 8000)]
            figures = asp.stats()
            assert set(figures["drop_reasons"]) == {"disk_full"}
            assert figures["dropped"] > 1000
        if not mounts:
            assert not is_real
        with pytest.raises(
            AssertionError, match=rf"{figures['dropped']} of 8000 dropped \({figures['dropped']} disk_full\)"
        ):
            assert_no_loss()
        assert len(recorded.executions) == 8000 - figures["dropped"]
        assert not (folder / "filler").exists()


def test_nothing_is_left_of_a_full_disk():
    """After the block segments and batches go where they went before, by the very functions."""
    before = Segment.mapped.__func__, Segment.written.__func__, DatabaseSink.write
    with capture(), full_disk():
        pass
    assert (Segment.mapped.__func__, Segment.written.__func__, DatabaseSink.write) == before


@pytest.fixture
def anywhere(any_database):
    """Be a program that records into either kind of database."""
    asp.configure(any_database.url, replace=True, auto_migrate=True)
    double(0)
    assert asp.flush(timeout=20).complete
    yield any_database
    asp.shutdown(timeout=20)


@pytest.mark.parametrize("fault", [locked_database, dead_writer])
def test_faults_hit_either_kind_of_database(anywhere, fault):
    """Whichever database a program has, a lock and a dead writer keep its records waiting, and readers can read."""
    with fault():
        double(1)
        assert not asp.flush(timeout=0.3).complete
        assert asp.stats()["pending"] == 1
        assert anywhere.rows("SELECT count(*) FROM execution_traces") == [(1,)]
    assert_no_loss(timeout=20)
    assert anywhere.rows("SELECT count(*) FROM execution_traces") == [(2,)]


def test_faults_of_files_need_a_file(postgres_url, tmp_path, monkeypatch):
    """On PostgreSQL a vanished file is refused, and a lock where there are no tables, each with the remedy."""
    monkeypatch.setenv("ASP_JOURNAL_DIR", str(tmp_path))
    asp.configure(postgres_url, replace=True)
    try:
        with pytest.raises(AspTelemetryError, match=r"needs an SQLite database.*use it inside capture\(\)"):
            vanished_database().__enter__()
        with pytest.raises(
            AspTelemetryError, match=r"cannot be locked: .*run asp-telemetry migrate up first"
        ):
            locked_database().__enter__()
    finally:
        asp.shutdown(timeout=1)


def test_faults_need_a_recorder(program):
    """Where recording is off there is nothing to inject a fault into, and it is said."""
    program.configure(disabled=True)
    with pytest.raises(AspTelemetryError, match=r"recording is off; use it inside capture\(\)"):
        dead_writer().__enter__()
