"""The migrator: one transaction per step, refusals in plain words, and many processes at once."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiosqlite
import pytest

from asp_telemetry.errors import MigrationError, StoreUnavailableError
from asp_telemetry.migrations import Migration, Migrator, SqliteTarget, files, load_migrations
from asp_telemetry.migrations.sqlite import split_statements
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.sqlite_connection import open_database

SPINE = load_migrations("sqlite")[0]
MORE = Migration(
    2,
    "more",
    """
    -- A trigger has semicolons inside; so has this comment.
    CREATE TABLE more (x INTEGER, y TEXT DEFAULT ';');
    CREATE TRIGGER twice AFTER INSERT ON more BEGIN
      UPDATE more SET x = x * 2;
      UPDATE more SET y = 'a;b';
    END;
    INSERT INTO more (x) VALUES (21)
    ;
    """,
    "DROP TABLE more;",
)
BROKEN = Migration(2, "broken", "CREATE TABLE half (x); INSERT INTO nowhere VALUES (1);", "DROP TABLE half;")


@asynccontextmanager
async def migrator(path, *migrations):
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        await connection.execute("PRAGMA busy_timeout = 50")
        yield Migrator(SqliteTarget(connection), migrations or (SPINE,))


def query(path, sql):
    with closing(sqlite3.connect(path)) as database:
        return database.execute(sql).fetchall()


async def test_up_down_up(tmp_path):
    """Migrations go up with their ledger rows, down again, and up once more; triggers survive the way."""
    path = tmp_path / "a.db"
    async with migrator(path, SPINE, MORE) as them:
        summary = await them.up()
        assert (summary.versions, summary.version_before, summary.version_after) == ((1, 2), 0, 2)
        assert summary.bytes_after > summary.bytes_before
        assert query(path, "SELECT x, y FROM more") == [(42, "a;b")]
        assert query(path, "SELECT version, name, checksum FROM schema_migrations") == [
            (1, "spine", SPINE.checksum),
            (2, "more", MORE.checksum),
        ]
        assert (await them.up()).versions == ()
        assert (await them.down(to=1)).versions == (2,)
        assert [state.state for state in await them.status()] == ["applied", "pending"]
        assert (await them.down(to=0)).versions == (1,)
        assert query(path, "SELECT name FROM sqlite_schema") == []
        assert (await them.up(to=1)).versions == (1,)


async def test_identity_is_made_once(tmp_path):
    """A database has exactly one identity, which later migrations leave alone."""
    path = tmp_path / "a.db"
    async with migrator(path) as first:
        await first.up()
    before = query(path, "SELECT id FROM database_identity")
    async with migrator(path, SPINE, MORE) as second:
        await second.up()
    assert query(path, "SELECT id FROM database_identity") == before
    assert len(before) == 1


async def test_a_failing_migration_leaves_nothing_behind(tmp_path):
    """A migration that fails half-way is rolled back whole; those before it stay."""
    path = tmp_path / "a.db"
    async with migrator(path, SPINE, BROKEN) as them:
        with pytest.raises(MigrationError, match=r"0002_broken failed on .*a\.db: no such table: nowhere"):
            await them.up()
        assert [state.state for state in await them.status()] == ["applied", "pending"]
    assert query(path, "SELECT name FROM sqlite_schema WHERE name = 'half'") == []


async def test_dry_run_changes_nothing(tmp_path):
    """A dry run tells what would be done, finds faults in it, and leaves the database as it was."""
    path = tmp_path / "a.db"
    async with migrator(path, SPINE, MORE) as them:
        assert (await them.up(dry_run=True)).versions == (1, 2)
        assert query(path, "SELECT name FROM sqlite_schema") == []
        await them.up()
        assert (await them.down(to=0, dry_run=True)).versions == (2, 1)
        assert query(path, "SELECT x FROM more") == [(42,)]
    async with migrator(tmp_path / "b.db", SPINE, BROKEN) as them:
        with pytest.raises(MigrationError, match="0002_broken"):
            await them.up(dry_run=True)


async def test_an_edited_migration_is_refused(tmp_path):
    """A file that was changed after it was applied is refused by name, and status shows it."""
    path = tmp_path / "a.db"
    async with migrator(path) as them:
        await them.up()
    edited = Migration(1, "spine", SPINE.up + "-- changed", SPINE.down)
    async with migrator(path, edited) as them:
        with pytest.raises(MigrationError, match="0001_spine was edited after it was applied"):
            await them.up()
        with pytest.raises(MigrationError, match="edited"):
            await them.down(to=0)
        assert [state.state for state in await them.status()] == ["edited"]


async def test_a_newer_database_is_refused(tmp_path):
    """A database that newer code made is refused with both versions."""
    path = tmp_path / "a.db"
    async with migrator(path, SPINE, MORE) as newer:
        await newer.up()
    async with migrator(path) as older:
        with pytest.raises(
            MigrationError, match="schema version 2, this asp-telemetry knows versions up to 1; upgrade"
        ):
            await older.up()
        assert [state.state for state in await older.status()] == ["applied", "newer"]


async def test_an_unknown_database_is_refused_by_name(tmp_path):
    """Somebody else's database is refused with the names of its tables, and not touched."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript("CREATE TABLE users (x); CREATE TABLE orders (x);")
    before = path.read_bytes()
    async with migrator(path) as them:
        with pytest.raises(MigrationError, match=r"did not make: orders, users; choose another database"):
            await them.up()
    assert path.read_bytes() == before


async def test_another_tools_ledger_is_refused(tmp_path):
    """A schema_migrations table of another tool is not taken for ours: the database is refused by name."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "CREATE TABLE schema_migrations (version TEXT PRIMARY KEY); CREATE TABLE users (x);"
        )
    async with migrator(path) as them:
        with pytest.raises(MigrationError, match=r"did not make: schema_migrations, users"):
            await them.up()


async def test_a_pasted_schema_is_adopted(tmp_path):
    """A database made by pasting schema.sql gets its ledger and identity, and keeps its rows."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript((schema_directory("sqlite") / "schema.sql").read_text())
        database.executescript("INSERT INTO task_metadata (task_id) VALUES ('mine');")
    async with migrator(path, *load_migrations("sqlite")) as them:
        await them.up()
        assert {state.state for state in await them.status()} == {"applied"}
    assert query(path, "SELECT task_id FROM task_metadata") == [("mine",)]
    assert query(path, "SELECT count(*) FROM database_identity") == [(1,)]


async def test_a_file_that_is_no_database_is_refused(tmp_path):
    """A file of another kind is refused and left as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("dear diary " * 500)
    async with migrator(path) as them:
        with pytest.raises(MigrationError, match=r"notes\.txt is not a SQLite database"):
            await them.up()
    assert path.read_text().startswith("dear diary")


async def test_a_locked_database_is_unavailable(tmp_path):
    """While another process holds the write lock, the message says so and names the file."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with migrator(path) as them:
            with pytest.raises(StoreUnavailableError, match=r"a\.db: database is locked; another process"):
                await them.up()
            other.execute("ROLLBACK")
            assert (await them.up()).versions == (1,)


async def test_cancelling_a_wait_for_the_lock_leaves_no_lock(tmp_path):
    """A task that is cancelled while it waits for the write lock does not keep it afterwards."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with aiosqlite.connect(path, isolation_level=None) as connection:
            await connection.execute("PRAGMA busy_timeout = 5000")
            target = SqliteTarget(connection)

            async def hold():
                async with target.locked():
                    pytest.fail("the lock was not free")

            task = asyncio.create_task(hold())
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.sleep(0)
            other.execute("ROLLBACK")
            with pytest.raises(asyncio.CancelledError):
                await task
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")


@pytest.mark.crash
def test_ten_processes_at_once_migrate_once(tmp_path):
    """Ten processes that start together on a new path all succeed, and migrate it exactly once."""
    path, go = tmp_path / "a.db", tmp_path / "go"
    program = """
import asyncio, sys, time
from pathlib import Path
from asp_telemetry.stores.sqlite_connection import open_database
async def main():
    print("ready", flush=True)
    while not Path(sys.argv[2]).exists():
        time.sleep(0.001)
    opened = await open_database(Path(sys.argv[1]))
    await opened.connection.close()
    print(len(opened.summary.versions))
asyncio.run(main())
"""
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, str(path), str(go)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(10)
    ]
    # Whoever is still loading modules meets nobody.
    assert [process.stdout.readline() for process in started] == ["ready\n"] * 10
    go.touch()
    results = [process.communicate(timeout=90) for process in started]
    assert [process.returncode for process in started] == [0] * 10, results
    assert sum(int(out) for out, _ in results) == len(load_migrations("sqlite"))
    assert query(path, "SELECT count(*) FROM schema_migrations") == [(len(load_migrations("sqlite")),)]
    assert query(path, "SELECT count(*) FROM database_identity") == [(1,)]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["0001_a.up.sql"], "0001_a.down.sql is missing"),
        (["0002_a.up.sql", "0002_a.down.sql"], "numbered"),
        (["0001_a.up.sql", "0001_a.down.sql", "0001_b.up.sql", "0001_b.down.sql"], "numbered"),
        (["first.sql"], "is not named"),
    ],
)
def test_a_set_of_files_with_holes_is_refused(tmp_path, files, message):
    """Files that do not form a whole sequence are refused before any of them runs."""
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(MigrationError, match=message):
        load_migrations(folder=tmp_path)


def test_checksums_do_not_depend_on_line_ends(tmp_path):
    """A checkout with Windows line ends has the checksum that the ledger knows."""
    for name in ("0001_spine.up.sql", "0001_spine.down.sql"):
        text = Path(schema_directory("sqlite") / "migrations" / name).read_bytes()
        (tmp_path / name).write_bytes(text.replace(b"\n", b"\r\n"))
    assert load_migrations(folder=tmp_path)[0].checksum == SPINE.checksum


@pytest.mark.parametrize("change", ["edited", "added"])
def test_a_program_keeps_to_its_migrations_while_it_is_upgraded(tmp_path, monkeypatch, change):
    """A running program opens its database again as before when an upgrade has replaced the files under it."""
    shutil.copytree(schema_directory("sqlite"), tmp_path / "sqlite")
    monkeypatch.setattr(files, "schema_directory", tmp_path.joinpath)

    async def open_and_close():
        opened = await open_database(tmp_path / "a.db")
        await opened.connection.close()
        return opened.summary.version_after

    version = asyncio.run(open_and_close())
    newest = max((tmp_path / "sqlite" / "migrations").glob("*.up.sql"))
    if change == "edited":
        newest.write_text(f"{newest.read_text()}-- said better\n")
    else:
        for way in ("up", "down"):
            newest.with_name(f"{version + 1:04d}_later.{way}.sql").write_text("SELECT 1;")

    assert asyncio.run(open_and_close()) == version
    assert query(tmp_path / "a.db", "SELECT max(version) FROM schema_migrations") == [(version,)]


def test_an_unfinished_statement_is_refused():
    """SQL whose last statement lacks its semicolon is refused, not half run."""
    with pytest.raises(MigrationError, match="middle of a statement"):
        list(split_statements("SELECT 1; SELECT 2"))


async def test_an_unknown_version_is_refused(tmp_path):
    """A version that does not exist is refused with those that do."""
    async with migrator(tmp_path / "a.db") as them:
        with pytest.raises(MigrationError, match="choose 0 to 1"):
            await them.up(to=7)
