"""Connections to SQLite files: private, in WAL mode, patient, and harmless to files that are none of ours."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from asp_telemetry.errors import MigrationError, StoreUnavailableError
from asp_telemetry.stores.sqlite_connection import connect, open_database


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


async def value(connection, sql):
    return next(iter(await connection.execute_fetchall(sql)))[0]


async def test_the_settings(tmp_path):
    """A connection is in WAL mode, waits five seconds for a lock, syncs every commit and commits by itself."""
    connection = await connect(tmp_path / "a.db")
    assert await value(connection, "PRAGMA journal_mode") == "wal"
    assert await value(connection, "PRAGMA busy_timeout") == 5000
    assert await value(connection, "PRAGMA synchronous") == 2
    assert await value(connection, "PRAGMA temp_store") == 2
    assert connection.isolation_level is None
    await connection.close()


async def test_files_are_private(tmp_path):
    """The folder, the database and its side files can be read by this user alone, whatever the umask."""
    path = tmp_path / "new" / "a.db"
    old = os.umask(0)
    try:
        opened = await open_database(path)
        assert mode(path.parent) == 0o700
        assert {name.name: mode(name) for name in path.parent.iterdir()} == dict.fromkeys(
            ["a.db", "a.db-wal", "a.db-shm"], 0o600
        )
        await opened.connection.close()
    finally:
        os.umask(old)


async def test_existing_permissions_stay(tmp_path):
    """A folder and a file that are there keep the permissions that somebody gave them."""
    path = tmp_path / "a.db"
    path.touch()
    path.chmod(0o640)
    tmp_path.chmod(0o755)
    await (await connect(path)).close()
    assert (mode(path), mode(tmp_path)) == (0o640, 0o755)


@pytest.mark.parametrize("name", ["a b.db", "what?.db", "50%.db", "a#b.db", "día.db"])
async def test_any_file_name_works(tmp_path, name):
    """A file name may hold whatever a file name may hold."""
    opened = await open_database(tmp_path / name)
    await opened.connection.close()
    assert (tmp_path / name).stat().st_size > 0


@pytest.mark.parametrize("open_it", [connect, open_database])
@pytest.mark.parametrize("content", [b"dear diary " * 500, b"SQLite format 3\x00" + b"\xff" * 8000])
async def test_corrupt_files_are_left_alone(tmp_path, open_it, content):
    """A file that is corrupt or no database is named with the remedy, and stays byte for byte as it is."""
    path = tmp_path / "a.db"
    path.write_bytes(content)
    with pytest.raises(
        StoreUnavailableError, match=r"a\.db: file is not a database; it is left as it is; restore"
    ):
        await open_it(path)
    assert path.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.db"]


async def test_an_unknown_database_keeps_its_journal_mode(tmp_path):
    """Somebody else's database is refused before anything in it is changed."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE users (x)")
    before = path.read_bytes()
    with pytest.raises(MigrationError, match="users"):
        await open_database(path)
    assert path.read_bytes() == before


async def test_a_path_that_cannot_be_created(tmp_path):
    """A path below a file, or one that is a folder, is named with the remedy."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailableError, match=r"file/a\.db cannot be created"):
        await connect(tmp_path / "file" / "a.db")
    with pytest.raises(StoreUnavailableError, match="unable to open database file; give this user"):
        await connect(tmp_path)


async def test_read_only_changes_nothing(tmp_path):
    """A read-only connection creates no file, keeps the journal mode and refuses to write."""
    path = tmp_path / "a.db"
    with pytest.raises(StoreUnavailableError, match="unable to open database file"):
        await connect(path, read_only=True)
    assert not path.exists()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE users (x)")
    before = path.read_bytes()
    connection = await connect(path, read_only=True)
    assert await value(connection, "PRAGMA journal_mode") == "delete"
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await connection.execute("INSERT INTO users VALUES (1)")
    await connection.close()
    assert path.read_bytes() == before


def test_a_failed_open_leaves_no_thread_behind(tmp_path):
    """When a file cannot be opened, the thread that tried has ended before the error arrives."""

    async def attempt():
        with pytest.raises(StoreUnavailableError):
            await connect(tmp_path / "missing.db", read_only=True)
        return set(threading.enumerate())

    # One that an earlier test has left to end by itself may be gone by then.
    before = set(threading.enumerate())
    for _ in range(30):
        assert asyncio.run(attempt()) <= before


async def test_an_empty_file_becomes_a_database(tmp_path):
    """An empty file, such as `touch` makes, is taken for a new database."""
    path = tmp_path / "a.db"
    path.touch()
    opened = await open_database(path)
    assert opened.summary.version_after >= 1
    await opened.connection.close()


async def test_second_connections_do_not_drop_locks(tmp_path):
    """Opening a file a second time in one process leaves the lock of the first connection in force."""
    path = tmp_path / "a.db"
    first = (await open_database(path)).connection
    await first.execute("BEGIN IMMEDIATE")
    await (await connect(path)).close()
    found = await asyncio.to_thread(
        subprocess.run,
        [
            sys.executable,
            "-c",
            f"import sqlite3; sqlite3.connect({str(path)!r}, timeout=0).execute('BEGIN IMMEDIATE')",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "database is locked" in found.stderr
    await first.execute("ROLLBACK")
    await first.close()


@pytest.mark.crash
def test_a_locked_database_does_not_hold_up_the_exit(tmp_path):
    """A process whose statement still waits for somebody's lock can end at once."""
    path = tmp_path / "a.db"
    asyncio.run(_make(path))
    program = f"""
import asyncio, os, sys
from pathlib import Path
from asp_telemetry.stores.sqlite_connection import connect
async def main():
    connection = await connect(Path({str(path)!r}))
    asyncio.get_running_loop().create_task(connection.execute("BEGIN IMMEDIATE"))
    await asyncio.sleep(0.1)
    print("leaving", flush=True)
    sys.exit(0)
asyncio.run(main())
"""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdout.readline() == b"leaving\n"
        process.communicate(timeout=4)


async def _make(path):
    await (await open_database(path)).connection.close()
