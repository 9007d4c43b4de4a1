"""The migrator on PostgreSQL: one transaction per step, one lock for all, refusals in plain words."""

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager

import asyncpg
import pytest

from asp_telemetry.errors import MigrationError, StoreUnavailableError
from asp_telemetry.migrations import Migration, Migrator, PostgresTarget, load_migrations
from asp_telemetry.resources import schema_directory

ALL = load_migrations("postgres")
SPINE = ALL[0]
MORE = Migration(2, "more", "CREATE TABLE more (x int);\nINSERT INTO more VALUES (42);", "DROP TABLE more;")
BROKEN = Migration(
    2, "broken", "CREATE TABLE half (x int);\nINSERT INTO nowhere VALUES (1);", "DROP TABLE half;"
)


@asynccontextmanager
async def migrator(url, *migrations):
    connection = await asyncpg.connect(url, statement_cache_size=0)
    try:
        yield Migrator(PostgresTarget(connection), migrations or (SPINE,))
    finally:
        await connection.close()


async def query(url, sql):
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def tables(url):
    return await query(
        url,
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'",
    )


async def test_up_down_up(postgres_url):
    """Migrations go up with their ledger rows, down again, and up once more; the identity stays."""
    async with migrator(postgres_url, SPINE, MORE) as them:
        summary = await them.up()
        assert (summary.versions, summary.version_before, summary.version_after) == ((1, 2), 0, 2)
        ledger = "SELECT version, name, checksum FROM schema_migrations ORDER BY 1"
        assert await query(postgres_url, ledger) == [(1, "spine", SPINE.checksum), (2, "more", MORE.checksum)]
        identity = await query(postgres_url, "SELECT id FROM database_identity")
        assert len(identity) == 1
        assert (await them.up()).versions == ()
        assert (await them.down(to=1)).versions == (2,)
        assert (await them.up()).versions == (2,)
        assert await query(postgres_url, "SELECT id FROM database_identity") == identity
        applied = (await them.status())[0].applied_at
        assert len(applied) == len("2026-01-15 09:00:00.000000")
        assert (await them.down(to=0)).versions == (2, 1)
        assert await tables(postgres_url) == []


async def test_all_of_them_go_up_and_down(postgres_url):
    """The migrations that are shipped arrive, and go without leaving anything."""
    async with migrator(postgres_url, *ALL) as them:
        assert (await them.up()).versions == tuple(migration.version for migration in ALL)
        assert await them.check() == len(ALL)
        await them.down(to=0)
    assert await tables(postgres_url) == []


async def test_both_dialects_have_the_same_steps():
    """A version number means the same on both databases."""
    assert [step.label for step in ALL] == [step.label for step in load_migrations("sqlite")]


async def test_a_failing_migration_leaves_nothing_behind(postgres_url):
    """A migration that fails half-way is rolled back whole, and the message names file, line and cause."""
    async with migrator(postgres_url, SPINE, BROKEN) as them:
        with pytest.raises(
            MigrationError, match=r'0002_broken \(line 2\) failed on .*"nowhere" does not exist'
        ):
            await them.up()
        assert [state.state for state in await them.status()] == ["applied", "pending"]
    assert ("half",) not in await tables(postgres_url)


async def test_dry_run_changes_nothing(postgres_url):
    """A dry run tells what would be done, finds faults in it, and leaves the database as it was."""
    async with migrator(postgres_url, SPINE, MORE) as them:
        assert (await them.up(dry_run=True)).versions == (1, 2)
        assert await tables(postgres_url) == []
        await them.up()
        assert (await them.down(to=0, dry_run=True)).versions == (2, 1)
        assert await query(postgres_url, "SELECT x FROM more") == [(42,)]


async def test_an_edited_migration_is_refused(postgres_url):
    """A file that was changed after it was applied is refused by name, and status shows it."""
    async with migrator(postgres_url) as them:
        await them.up()
    async with migrator(postgres_url, Migration(1, "spine", SPINE.up + "-- changed", SPINE.down)) as them:
        with pytest.raises(MigrationError, match="0001_spine was edited after it was applied"):
            await them.up()
        assert [state.state for state in await them.status()] == ["edited"]


async def test_a_newer_database_is_refused(postgres_url):
    """A database that newer code made is refused with both versions."""
    async with migrator(postgres_url, SPINE, MORE) as newer:
        await newer.up()
    async with migrator(postgres_url) as older:
        with pytest.raises(
            MigrationError, match="schema version 2, this asp-telemetry knows versions up to 1"
        ):
            await older.up()


async def test_tables_of_our_names_that_are_not_ours_are_refused(postgres_database):
    """Tables that stand where ours would are refused by name; others in the same schema do not matter."""
    await query(postgres_database, "SELECT 1")
    connection = await asyncpg.connect(postgres_database)
    await connection.execute("CREATE TABLE orders (x int); CREATE TABLE defect_log (defect_id text)")
    await connection.close()
    async with migrator(postgres_database) as them:
        with pytest.raises(MigrationError, match="did not make: defect_log; choose"):
            await them.up()
    assert sorted(await tables(postgres_database)) == [("defect_log",), ("orders",)]


async def test_another_tools_ledger_is_refused(postgres_database):
    """A schema_migrations table of another tool is not taken for ours, and not written to."""
    connection = await asyncpg.connect(postgres_database)
    await connection.execute("CREATE TABLE schema_migrations (version text PRIMARY KEY)")
    await connection.close()
    async with migrator(postgres_database) as them:
        with pytest.raises(MigrationError, match="did not make: schema_migrations"):
            await them.up()


async def test_foreign_tables_beside_ours_are_left_alone(postgres_url):
    """An application may keep its own tables in the same schema."""
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("CREATE TABLE orders (x int)")
    await connection.close()
    async with migrator(postgres_url) as them:
        assert (await them.up()).versions == (1,)
        await them.down(to=0)
    assert await tables(postgres_url) == [("orders",)]


async def test_a_pasted_schema_is_adopted(postgres_server, postgres_database):
    """A database made by pasting schema.sql gets its ledger and identity, and keeps its rows."""
    pasted = (schema_directory("postgres") / "schema.sql").read_text()
    postgres_server.psql(
        f"{pasted} INSERT INTO task_metadata (task_id) VALUES ('mine');", postgres_database.rpartition("/")[2]
    )
    async with migrator(postgres_database, *ALL) as them:
        assert (await them.up(dry_run=True)).versions == tuple(range(1, len(ALL) + 1))
        await them.up()
        assert {state.state for state in await them.status()} == {"applied"}
    assert await query(postgres_database, "SELECT task_id FROM task_metadata") == [("mine",)]
    assert await query(postgres_database, "SELECT count(*) FROM database_identity") == [(1,)]
    assert await query(postgres_database, "SELECT count(*) FROM pg_namespace WHERE nspname ~ 'asp'") == [(0,)]


async def test_a_changed_paste_is_refused(postgres_server, postgres_database):
    """A pasted schema that somebody has changed is not taken for ours."""
    pasted = (schema_directory("postgres") / "schema.sql").read_text()
    postgres_server.psql(
        f"{pasted} ALTER TABLE task_metadata ADD COLUMN mine int;", postgres_database.rpartition("/")[2]
    )
    async with migrator(postgres_database, *ALL) as them:
        with pytest.raises(MigrationError, match="did not make"):
            await them.up()


async def test_a_paste_that_cannot_be_compared_is_told_so(in_postgres):
    """Where the user may not make the schema to compare with, the message says who may."""
    with pytest.raises(MigrationError, match=r"permission denied.*as the database's owner"):
        await Migrator(PostgresTarget(in_postgres)).up()


async def test_a_missing_schema_is_named(postgres_url):
    """Where the search path leads nowhere, the message says so instead of failing in the first statement."""
    connection = await asyncpg.connect(postgres_url, server_settings={"search_path": "nowhere"})
    with pytest.raises(MigrationError, match="no schema of the search path exists in database 'postgres'"):
        await Migrator(PostgresTarget(connection)).up()
    await connection.close()


async def test_a_read_only_server_is_unavailable(postgres_url):
    """A standby is told from a broken migration."""
    connection = await asyncpg.connect(postgres_url, server_settings={"default_transaction_read_only": "on"})
    with pytest.raises(StoreUnavailableError, match="name the primary server"):
        await Migrator(PostgresTarget(connection)).up()
    await connection.close()


async def test_a_dead_connection_is_unavailable(postgres_url, postgres_server):
    """A connection that the server has dropped is not called a faulty migration."""
    connection = await asyncpg.connect(postgres_url)
    postgres_server.psql(f"SELECT pg_terminate_backend({connection.get_server_pid()})")
    with pytest.raises(
        StoreUnavailableError, match=r"check that the server runs|the server is starting, stopping"
    ):
        await Migrator(PostgresTarget(connection)).up()
    await connection.close()


async def test_cancelling_a_wait_for_the_lock_leaves_no_lock(postgres_url):
    """A task that is cancelled while it waits for the lock neither keeps it nor breaks its connection."""
    holder, waiter = [await asyncpg.connect(postgres_url) for _ in range(2)]
    async with PostgresTarget(holder).locked(keep=False):
        target = PostgresTarget(waiter)

        async def hold():
            async with target.locked():
                pytest.fail("the lock was not free")

        task = asyncio.create_task(hold())
        while not await holder.fetchval(  # noqa: ASYNC110 - the event happens in the server
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        ):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await waiter.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
    assert (await Migrator(target, (SPINE,)).up()).versions == (1,)
    await asyncio.gather(holder.close(), waiter.close())


async def test_nothing_outlives_a_transaction(postgres_url):
    """Behind a pooler that gives every transaction another session, migrations run all the same."""

    class Pooled:
        """Send each transaction to another one of three sessions, as a pooler in transaction mode does."""

        def __init__(self, sessions):
            self._sessions = sessions
            self._current = sessions[0]

        def _turn(self):
            if not self._current.is_in_transaction():
                self._sessions.append(self._sessions.pop(0))
                self._current = self._sessions[0]
            return self._current

        def is_in_transaction(self):
            return self._current.is_in_transaction()

        def is_closed(self):
            return self._current.is_closed()

        async def execute(self, sql, *values, **options):
            return await self._turn().execute(sql, *values, **options)

        async def fetch(self, sql, *values):
            assert self._current.is_in_transaction(), "prepared and executed in two sessions"
            return await self._turn().fetch(sql, *values)

    sessions = [await asyncpg.connect(postgres_url, statement_cache_size=0) for _ in range(3)]
    them = Migrator(PostgresTarget(Pooled(sessions)))
    assert (await them.up()).version_after == len(ALL)
    assert (await them.down(to=0)).version_after == 0
    held = await sessions[0].fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
    assert held == 0
    await asyncio.gather(*(session.close() for session in sessions))


@pytest.mark.parametrize("overtaken_at", range(1, 5))
async def test_a_migration_by_somebody_else_at_any_moment_is_no_surprise(postgres_url, overtaken_at):
    """Whoever looks for the ledger just before another process makes it does not take the tables for a stranger's."""
    async with migrator(postgres_url, SPINE) as other:

        class Overtaken(PostgresTarget):
            looks = 0

            async def applied(self):
                found = await super().applied()
                self.looks += 1
                if self.looks == overtaken_at:
                    await other.up()
                return found

        connection = await asyncpg.connect(postgres_url, statement_cache_size=0)
        assert 2 in (await Migrator(Overtaken(connection), (SPINE, MORE)).up()).versions
        assert await query(postgres_url, "SELECT version FROM schema_migrations") == [(1,), (2,)]
        await connection.close()


@pytest.mark.crash
def test_ten_processes_at_once_migrate_once(postgres_database, tmp_path):
    """Ten processes that start together on an empty database all succeed, and migrate it exactly once."""
    go = tmp_path / "go"
    program = """
import asyncio, sys, time
from pathlib import Path
import asyncpg
from asp_telemetry.migrations import Migrator, PostgresTarget
async def main():
    connection = await asyncpg.connect(sys.argv[1], statement_cache_size=0)
    print("ready", flush=True)
    while not Path(sys.argv[2]).exists():
        time.sleep(0.001)
    print(len((await Migrator(PostgresTarget(connection)).up()).versions))
    await connection.close()
asyncio.run(main())
"""
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, postgres_database, str(go)],
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
    assert sum(int(out) for out, _ in results) == len(ALL)
    counts = "SELECT count(*) FROM schema_migrations UNION ALL SELECT count(*) FROM database_identity"
    assert asyncio.run(query(postgres_database, counts)) == [(len(ALL),), (1,)]
