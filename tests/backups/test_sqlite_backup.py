"""Backups of SQLite: a file that stands alone, taken and put back while others have the database open."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from asp_telemetry.backups import back_up, restore
from asp_telemetry.database_url import sqlite_path
from asp_telemetry.errors import BackupError, StoreUnavailableError
from keeping import Kept


@pytest.fixture
async def source(tmp_path):
    return await Kept(f"sqlite:///{tmp_path}/a.db").fill()


async def test_the_file_is_a_database_by_itself(source, tmp_path):
    """A backup may be opened with sqlite3 as it is, read-only media included."""
    path = (await back_up(source.url, tmp_path / "backups")).path
    assert path.name.startswith("a-")
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        assert connection.execute("SELECT count(*) FROM defect_log").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


async def test_one_moment_is_backed_up(source, tmp_path):
    """What others write meanwhile is in the backup as a whole or not at all."""
    stop = threading.Event()
    path = sqlite_path(source.url)

    def write():
        with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as connection:
            number = 0
            while not stop.is_set():
                number += 1
                connection.execute("BEGIN IMMEDIATE")
                for half in ("a", "b"):
                    connection.execute("INSERT INTO task_metadata (task_id) VALUES (?)", (f"{half}{number}",))
                connection.execute("COMMIT")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = [await back_up(source.url, tmp_path / "backups") for _ in range(5)]
    finally:
        stop.set()
        writer.join()
    for summary in made:
        with closing(sqlite3.connect(summary.path)) as connection:
            halves = [
                connection.execute(
                    "SELECT count(*) FROM task_metadata WHERE task_id GLOB ?", (f"{half}[0-9]*",)
                ).fetchone()
                for half in ("a", "b")
            ]
        assert halves[0] == halves[1]
    assert made[-1].manifest.tables["task_metadata"].rows > made[0].manifest.tables["task_metadata"].rows


async def test_others_see_the_restored_rows(source, tmp_path):
    """A connection that was open before the restore sees what was restored, and may go on writing."""
    summary = await back_up(source.url, tmp_path / "backups")
    with closing(sqlite3.connect(sqlite_path(source.url), isolation_level=None)) as other:
        other.execute("DELETE FROM defect_log")
        await restore(source.url, summary.path, replace=True)
        assert other.execute("SELECT count(*) FROM defect_log").fetchone() == (2,)
        other.execute("DELETE FROM defect_log WHERE defect_id = 'D-001'")
    with closing(sqlite3.connect(sqlite_path(source.url))) as third:
        assert third.execute("SELECT count(*) FROM defect_log").fetchone() == (1,)
        assert third.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_lock_is_not_waited_for_without_end(source, tmp_path, monkeypatch):
    """A database that another process keeps locked stays as it is, and is named."""
    monkeypatch.setattr("asp_telemetry.backups.sqlite.BUSY_TIMEOUT_SECONDS", 0.2)
    summary = await back_up(source.url, tmp_path / "backups")
    with closing(sqlite3.connect(sqlite_path(source.url), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO task_metadata (task_id) VALUES ('mine')")
        with pytest.raises(StoreUnavailableError, match="another process"):
            await restore(source.url, summary.path, replace=True)
        other.execute("COMMIT")
    assert await source.count("task_metadata") == summary.manifest.tables["task_metadata"].rows + 1


async def test_a_corrupt_database_is_set_aside(source, tmp_path):
    """What SQLite cannot read is kept under another name, and only replaced when that is said."""
    summary = await back_up(source.url, tmp_path / "backups")
    path = sqlite_path(source.url)
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(BackupError, match="unreadable bytes 14000"):
        await restore(source.url, summary.path)
    assert path.read_bytes().startswith(b"not a database")
    restored = await restore(source.url, summary.path, replace=True)
    assert restored.set_aside.read_bytes() == b"not a database" * 1000
    assert await source.count("defect_log") == 2


async def test_text_that_is_no_text_survives(source, tmp_path):
    """Bytes that are not UTF-8 are copied as they are, not judged."""
    path = sqlite_path(source.url)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO task_metadata (task_id, task_type) VALUES ('bad', CAST(x'ff41' AS TEXT))"
        )
    summary = await back_up(source.url, tmp_path / "backups")
    await restore(f"sqlite:///{tmp_path}/b.db", summary.path)
    with closing(sqlite3.connect(Path(tmp_path) / "b.db")) as connection:
        query = "SELECT hex(task_type) FROM task_metadata WHERE task_id = 'bad'"
        assert connection.execute(query).fetchone() == ("FF41",)
