"""A disk that is full or forbidden, a database that is locked, gone or broken: callers notice nothing, nothing is hidden."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from hosts import Host, until

import asp_telemetry as asp
from asp_telemetry.stores import sqlite_connection
from asp_telemetry.testing import locked_database

WITHOUT_PRIVILEGES = [
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
]
"""What makes the superuser heed the permissions of files."""
LOCKER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(30)
"""


@asp.track_tool
def double(number: int) -> int:
    """Be the user's function."""
    return 2 * number


@asp.track_agent("teller")
def tell(number: int) -> int:
    """Be a user's function that records a lot."""
    asp.current_span().set(metadata={"text": f"{number} " * 1000})
    return 2 * number


def _count(numbers: range) -> None:
    for number in numbers:
        with asp.span("count", iteration=number + 1):
            pass


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a memory disk with some options."""
    mounted: list[Path] = []

    def mount_disk(options: str) -> Path:
        disk = tmp_path / "disk"
        disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "none", str(disk)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = f"mounting is not permitted here: {done.stderr.strip()}"
            if os.environ.get("CI") and os.geteuid() == 0:
                pytest.fail(reason)
            pytest.skip(reason)
        mounted.append(disk)
        return disk

    yield mount_disk
    asp.shutdown(timeout=1)
    for disk in mounted:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_costs_records_with_a_reason_and_callers_nothing(
    host: Host, mount: Callable[[str], Path]
) -> None:
    """Fill the disk under a running program: results stay right, drops are counted, and room brings the rest in."""
    disk = mount("size=12m")
    host.database = disk / "telemetry.db"
    host.configure()
    assert tell(0) == 0
    host.settled()
    filler = disk / "filler"
    with pytest.raises(OSError, match="No space left"):
        _fill(filler)
    assert [tell(number) for number in range(1, 8000)] == [2 * number for number in range(1, 8000)]
    figures = host.account()
    assert figures["accepted"] == 8000
    assert figures["dropped"] > 1000
    assert set(figures["drop_reasons"]) == {"disk_full"}
    until(lambda: asp.stats()["last_error"])
    assert any("No space left on device" in message for message in host.messages())
    filler.unlink()
    dropped = figures["dropped"]

    def stored() -> bool:
        return bool(asp.flush(timeout=1).complete)

    until(stored)
    figures = host.account()
    assert figures["dropped"] == dropped
    assert host.rows("SELECT count(*) FROM execution_traces") == [(8000 - dropped,)]
    assert tell(1) == 2
    assert host.settled()["stored"] == 8001 - dropped


def test_a_folder_that_cannot_be_made_leaves_everything_in_memory(host: Host) -> None:
    """Point at a path below a file: calls go on, records wait in memory, and the log says what to do."""
    (host.folder / "file").write_text("")
    host.database = host.folder / "file" / "telemetry.db"
    host.configure()
    assert [double(number) for number in range(100)] == [2 * number for number in range(100)]
    until(lambda: asp.stats()["last_error"])
    figures = host.account()
    assert figures["pending"] == 100
    assert figures["journal"] is None
    text = "\n".join(host.messages())
    assert "make it writable or set ASP_JOURNAL_DIR" in text
    assert "ASP_DATABASE_URL" in text
    (host.folder / "file").unlink()
    until(lambda: asp.flush(timeout=1).complete)
    assert host.account()["stored"] == 100


def test_a_limit_on_file_sizes_is_met_like_a_full_disk(
    host: Host, program: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Forbid large files: no segment can be reserved, records wait in memory, and the program does its work."""
    done = program(
        """
        import resource, sys
        import asp_telemetry as asp
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        asp.configure(f"sqlite:///{sys.argv[1]}")
        @asp.track_tool
        def double(number):
            return 2 * number
        print(sum(double(number) for number in range(1000)))
        print(asp.flush(timeout=0.5).complete, asp.stats()["pending"], asp.stats()["journal_trouble"])
        """,
        host.database,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("999000\nFalse 1000 the journal cannot write")
    assert "File too large; records wait in memory" in done.stderr


def test_a_read_only_disk_costs_the_caller_nothing(host: Host, mount: Callable[[str], Path]) -> None:
    """Point at a disk that is mounted read-only: calls go on, records wait in memory, the log says what to do."""
    host.database = mount("size=12m,ro") / "telemetry.db"
    host.configure()
    assert [double(number) for number in range(1000)] == [2 * number for number in range(1000)]
    until(lambda: asp.stats()["last_error"])
    figures = host.account()
    assert figures["pending"] == 1000
    text = "\n".join(host.messages())
    assert "Read-only file system" in text
    assert "make it writable or set ASP_JOURNAL_DIR" in text
    subprocess.run(["mount", "-o", "remount,rw", str(host.database.parent)], check=True)
    until(lambda: asp.flush(timeout=1).complete)
    assert host.rows("SELECT count(*) FROM execution_traces") == [(1000,)]


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_read_only_folder_costs_the_caller_nothing(host: Host, when: str) -> None:
    """Forbid the folder, before the start or under a running program: calls go on, the log says what to do."""
    program = host.folder / "program.py"
    program.write_text(
        """if True:
        import os, pathlib, sys
        import asp_telemetry as asp
        database, when = pathlib.Path(sys.argv[1]), sys.argv[2]
        asp.configure(f"sqlite:///{database}", exit_seconds=0.5)
        @asp.track_tool
        def double(number):
            return 2 * number
        def forbid():
            for path in [database.parent, *database.parent.rglob("*")]:
                if path.is_dir():
                    path.chmod(0o500)
        if when == "before":
            forbid()
        assert double(0) == 0
        if when == "meanwhile":
            assert asp.flush(timeout=10).complete
            forbid()
        print(sum(double(number) for number in range(1, 10_000)))
        for number in range(100):
            # No key would keep the database from taking these twice.
            asp.record_bootstrap("once", mode="Shadow", tasks_completed=number, tasks_required=1, metric="MAPE", value=1,
                target=1, direction="lower_is_better")
        complete = asp.flush(timeout=1 if when == "before" else 20).complete
        figures = asp.stats()
        assert figures["accepted"] == 10_100 == figures["stored"] + figures["pending"], figures
        assert figures["journal_trouble"], figures
        print(complete)
        """
    )
    host.database = host.folder / "folder" / "telemetry.db"
    host.database.parent.mkdir()
    command = [sys.executable, str(program), str(host.database), when]
    if os.geteuid() == 0:
        command = [*WITHOUT_PRIVILEGES, *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    for path in [host.database.parent, *host.database.parent.rglob("*")]:
        path.chmod(0o700)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["99990000", str(when == "meanwhile")]
    assert "Permission denied" in done.stderr
    if when == "before":
        assert "records wait in memory" in done.stderr
        assert "make it writable or set ASP_JOURNAL_DIR" in done.stderr
        assert "ASP_DATABASE_URL" in done.stderr
    else:
        assert host.rows("SELECT count(*) FROM execution_traces") == [(10_000,)]
        assert host.rows("SELECT count(*), count(DISTINCT tasks_completed) FROM bootstrap_metrics") == [
            (100, 100)
        ]


def test_a_database_locked_by_another_process_for_thirty_seconds_delays_nobody(
    host: Host, program: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Lock the database from outside for 30 s: calls return at once, a program ends in time, and all is stored once."""
    host.configure()
    with asp.span("call", iteration=1):
        pass
    host.settled()
    called, slowest = 1, 0.0
    locker = subprocess.Popen(
        [sys.executable, "-c", LOCKER, str(host.database)], stdout=subprocess.PIPE, text=True
    )
    with locker:
        assert locker.stdout is not None
        assert locker.stdout.readline() == "locked\n"
        begun = monotonic()
        done = program(
            """
            import sys
            import asp_telemetry as asp
            asp.configure(f"sqlite:///{sys.argv[1]}")
            for number in range(1, 1001):
                with asp.span("other", iteration=number):
                    pass
            """,
            host.database,
        )
        assert (done.returncode, monotonic() - begun < 15) == (0, True)
        while locker.poll() is None:
            called += 1
            before = monotonic()
            with asp.span("call", iteration=called):
                pass
            slowest = max(slowest, monotonic() - before)
            if called == 1000:
                assert not asp.flush(timeout=0.2).complete
                assert host.account()["pending"] == 999
            sleep(0.002)
        assert monotonic() - begun >= 29
    assert slowest < 1
    assert called > 2000
    assert any("database is locked" in message for message in host.messages())
    assert host.settled()["stored"] == called
    assert host.names("call") == [("call", number) for number in range(1, called + 1)]
    # The other program's journal is adopted by this one.
    until(lambda: len(host.names("other")) == 1000)
    assert host.names("other") == [("other", number) for number in range(1, 1001)]
    assert asp.stats()["last_error"] is None


def test_a_locked_database_is_waited_for_while_callers_go_on(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lock the database for longer than the writer is patient: calls return meanwhile, all is stored afterwards."""
    monkeypatch.setattr(sqlite_connection, "BUSY_TIMEOUT_SECONDS", 0.2)
    host.configure()
    double(0)
    host.settled()
    with locked_database():
        assert [double(number) for number in range(1, 5001)] == [2 * number for number in range(1, 5001)]
        until(lambda: asp.stats()["last_error"])
        assert "locked" in asp.stats()["last_error"]
        assert asp.stats()["unavailable_seconds"] >= 0
        assert not asp.flush(timeout=0.3).complete
        assert host.account()["pending"] == 5000
    assert host.settled()["stored"] == 5001
    assert asp.stats()["last_error"] is None
    assert host.rows("SELECT count(*), count(DISTINCT correlation_id) FROM execution_traces") == [
        (5001, 5001)
    ]


@pytest.mark.parametrize("how", ["deleted", "replaced", "folder deleted"])
def test_a_database_that_disappears_is_made_anew(host: Host, how: str) -> None:
    """Delete the database under a running program: a new one is made, and what comes from then on is in it."""
    host.database = host.folder / "folder" / "telemetry.db"
    host.configure(journal_dir=host.folder / "journal")
    _count(range(100))
    host.settled()
    if how == "folder deleted":
        shutil.rmtree(host.database.parent)
    else:
        for path in host.database.parent.glob("telemetry.db*"):
            path.unlink()
        if how == "replaced":
            host.database.touch()
    _count(range(100, 200))
    assert asp.flush(timeout=20).complete
    assert host.account()["pending"] == 0
    # What the journal still holds of the time before comes back as well.
    found = [number for _, number in host.names("count")]
    assert len(found) == len(set(found))
    assert set(range(101, 201)) <= set(found)
    assert any("was deleted or replaced" in message for message in host.messages())


def test_a_corrupt_database_is_left_exactly_as_it_is(host: Host) -> None:
    """Start on a file that is no database: it is neither renamed nor overwritten, records wait, one message says so."""
    host.database.write_bytes(b"this is not a database " * 1000)
    before = host.database.read_bytes()
    host.configure()
    assert [double(number) for number in range(100)] == [2 * number for number in range(100)]
    until(lambda: asp.stats()["last_error"])
    assert host.account()["pending"] == 100
    asp.shutdown(timeout=1)
    assert host.database.read_bytes() == before
    assert sorted(path.name for path in host.folder.iterdir()) == ["asp-journal", "telemetry.db"]
    about = [message for message in host.messages() if "telemetry.db" in message]
    assert len(about) == 1
    assert "records wait in the journal" in about[0]
    host.database.unlink()
    double(100)
    until(
        lambda: (
            asp.flush(timeout=1).complete and host.rows("SELECT count(*) FROM execution_traces") == [(101,)]
        )
    )


def test_a_database_corrupted_while_running_keeps_records_waiting(host: Host) -> None:
    """Overwrite the database under a running program: callers go on, what cannot be written waits in the journal."""
    host.configure()
    for number in range(2000):
        double(number)
    host.settled()
    asp.shutdown()
    host.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    with host.database.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(host.database.stat().st_size - 8192))
    damaged = host.database.read_bytes()
    host.configure()
    assert [double(number) for number in range(100)] == [2 * number for number in range(100)]
    until(lambda: asp.stats()["last_error"])
    assert asp.stats()["stored"] == 0
    asp.shutdown(timeout=1)
    assert host.database.read_bytes()[4096 * 2 :] == damaged[4096 * 2 :]
    assert len(list((host.folder / "asp-journal").iterdir())) == 1


def test_a_database_of_newer_code_is_left_alone(host: Host) -> None:
    """Meet a database that newer code has made: nothing is written into it, records wait, the log names the remedy."""
    host.configure()
    double(0)
    asp.shutdown()
    connection = sqlite3.connect(host.database)
    with connection:
        connection.execute(
            "INSERT INTO schema_migrations SELECT 9999, 'later', checksum, applied_at, duration_ms FROM schema_migrations LIMIT 1"
        )
    connection.close()
    host.configure()
    assert [double(number) for number in range(100)] == [2 * number for number in range(100)]
    until(lambda: asp.stats()["last_error"])
    assert host.account()["pending"] == 100
    [message] = [message for message in host.messages() if "schema version 9999" in message]
    assert str(host.database) in message
    assert "upgrade asp-telemetry" in message
    assert host.rows("SELECT count(*) FROM execution_traces") == [(1,)]
    asp.shutdown(timeout=1)


def test_a_dead_writer_thread_loses_nothing(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the writer's thread die: calls are journalled all the same, and the next flush starts another."""
    from asp_telemetry.writer.thread import Writer  # noqa: PLC0415 - the writer's own module is never imported by a host

    async def die(_: Writer, *__: object) -> None:
        raise MemoryError("as told")

    before = set(threading.enumerate())
    host.configure()
    with monkeypatch.context() as patched:
        patched.setattr(Writer, "_work", die)
        double(1)
        until(lambda: not asp.stats()["writer_alive"])
        assert asp.stats()["last_error"] == "MemoryError: as told"
        assert any("the writer thread ended" in message for message in host.messages())
        assert [double(number) for number in range(2, 1000)] == [2 * number for number in range(2, 1000)]
        assert host.account()["pending"] == 999
    assert host.settled()["stored"] == 999
    assert len(set(threading.enumerate()) - before) < 4
