"""A disk that is full or forbidden, a database that is locked, gone or broken: callers notice nothing, nothing is hidden."""

import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hosts import Host, until

import asp_telemetry as asp
from asp_telemetry.stores import sqlite_connection


@asp.track_tool
def double(number: int) -> int:
    """Be the user's function."""
    return 2 * number


@asp.track_agent("teller")
def tell(number: int) -> int:
    """Be a user's function that records a lot."""
    asp.current_span().set(metadata={"text": f"{number} " * 1000})
    return 2 * number


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


def test_a_locked_database_is_waited_for_while_callers_go_on(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lock the database for longer than the writer is patient: calls return meanwhile, all is stored afterwards."""
    monkeypatch.setattr(sqlite_connection, "BUSY_TIMEOUT_SECONDS", 0.2)
    host.configure()
    double(0)
    host.settled()
    other = sqlite3.connect(host.database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert [double(number) for number in range(1, 5001)] == [2 * number for number in range(1, 5001)]
    until(lambda: asp.stats()["last_error"])
    assert "locked" in asp.stats()["last_error"]
    assert asp.stats()["unavailable_seconds"] >= 0
    assert not asp.flush(timeout=0.3).complete
    assert host.account()["pending"] == 5000
    other.execute("ROLLBACK")
    other.close()
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
    for number in range(100):
        double(number)
    host.settled()
    if how == "folder deleted":
        shutil.rmtree(host.database.parent)
    else:
        for path in host.database.parent.glob("telemetry.db*"):
            path.unlink()
        if how == "replaced":
            host.database.touch()
    for number in range(100, 200):
        assert double(number) == 2 * number
    assert asp.flush(timeout=20).complete
    figures = host.account()
    (stored,) = host.rows("SELECT count(*) FROM execution_traces")[0]
    assert stored >= 100
    assert figures["pending"] == 0
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


def test_a_dead_writer_thread_loses_nothing(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the writer's thread die: calls are journalled all the same, and the next flush starts another."""
    from asp_telemetry.writer.thread import Writer  # noqa: PLC0415 - the writer's own module is never imported by a host

    async def die(_: Writer, *__: object) -> None:
        raise MemoryError("as told")

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
    assert threading.active_count() < 6
