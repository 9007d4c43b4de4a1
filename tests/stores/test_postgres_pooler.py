"""Behind PgBouncer in transaction mode, where every transaction may run in another session."""

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import threading
import time

import anyio
import asyncpg
import pytest
from batches import Lane, defect, logged, metric, open_patiently, task, write_patiently

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.migrations import Migrator, PostgresTarget
from asp_telemetry.stores import open_store
from asp_telemetry.stores.pool import open_pool
from asp_telemetry.writer.batch import Change

# Two sessions for everybody: whoever relies on getting the same one twice soon does not.
CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server_port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
server_round_robin = 1
server_reset_query =
max_client_conn = 200
"""


@pytest.fixture(scope="module")
def pooler(postgres_server):
    """Start PgBouncer in front of the session's server, and give its port."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("nothing was tested behind PgBouncer: the program is not installed")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    # Beside the server's data, where the account that both run as may look.
    file = postgres_server.folder / "pgbouncer.ini"
    file.write_text(CONFIGURATION.format(server_port=postgres_server.port, port=port))
    account = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    process = subprocess.Popen(
        [program, "-q", file],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        cwd="/",
        **account,
    )
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stderr), daemon=True)
    reader.start()
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert process.poll() is None, lines
        time.sleep(0.02)
    yield port
    process.terminate()
    process.wait(10)
    reader.join(10)
    process.stderr.close()


@pytest.fixture
def pooled(pooler, postgres_server, postgres_database):
    """Give the URL of an empty database behind the pooler."""
    return postgres_database.replace(f":{postgres_server.port}/", f":{pooler}/")


async def test_the_pooler_mixes_sessions(pooled):
    """What the other tests rely on: two transactions of one connection may run in different sessions."""

    async def sessions(number):
        connection = await asyncpg.connect(pooled, statement_cache_size=0)
        try:
            question = f"SELECT pg_backend_pid() FROM pg_sleep({number / 1000})"
            return {await connection.fetchval(question) for _ in range(20)}
        finally:
            await connection.close()

    found = await asyncio.gather(*(sessions(number) for number in range(1, 6)))
    assert max(len(pids) for pids in found) == len(set.union(*found)) == 2


async def test_migrations_started_at_once_run_once(pooled):
    """Ten migrators that start together through the pooler all succeed, and migrate once, up and down."""

    async def migrate():
        connection = await asyncpg.connect(pooled, statement_cache_size=0)
        try:
            return (await Migrator(PostgresTarget(connection)).up()).versions
        finally:
            await connection.close()

    done = await asyncio.gather(*(migrate() for _ in range(10)))
    connection = await asyncpg.connect(pooled, statement_cache_size=0)
    try:
        migrator = Migrator(PostgresTarget(connection))
        assert sorted(version for versions in done for version in versions) == list(
            range(1, migrator.newest + 1)
        )
        assert (await migrator.down(to=0)).version_after == 0
        assert await connection.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
    finally:
        await connection.close()


async def test_several_writers_share_two_sessions(pooled):
    """More writers than the pooler has sessions write tasks, defects and costs of the same names, and agree in the end."""

    async def write(number):
        store = open_store(pooled, auto_migrate=True)
        await open_patiently(store)
        lane = Lane()
        try:
            for turn in range(10):
                entries = [
                    lane.entry(Change.DEFECT, logged(f"D-{turn % 3}"), task_id="T-1"),
                    lane.entry(
                        Change.RESOLVE_DEFECT,
                        defect(f"D-{(turn + number) % 3}", metadata=f'{{"{number}":{turn}}}'),
                    ),
                    lane.entry(
                        Change.TASK,
                        task("T-1", status="completed", metadata=f'{{"{number}":{turn}}}'),
                        task_id="T-1",
                    ),
                    *(lane.insert(metric("API_Cost", "0.00003"), task_id="T-1") for _ in range(20)),
                ]
                await write_patiently(store, lane, entries)
        finally:
            await store.close()

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(write, number)
    async with open_pool(pooled, min_size=2, max_size=4) as pool, pool.acquire() as connection:
        found = await connection.fetchrow(
            "SELECT defect_count, actual_cost_vector_json ->> 'api_cost_usd' AS cost, metadata::text FROM task_metadata"
        )
        assert (found["defect_count"], found["cost"]) == (3, "0.036")
        assert found["metadata"].count(": 9") == 6
        assert await connection.fetchval("SELECT count(*) FROM execution_traces") == 6 * 10 * 20


async def test_many_readers_share_two_sessions(pooled):
    """The read pool works behind the pooler, with parameters, more connections than sessions, and health checks between."""
    store = open_store(pooled, auto_migrate=True)
    await store.open()
    await store.close()
    async with open_pool(pooled, min_size=5, max_size=20) as pool:

        async def read(number):
            async with pool.acquire() as connection:
                assert (
                    await connection.fetchval("SELECT $1::int + count(*) FROM agent_cost_vector", number)
                    == number
                )
                assert await connection.fetchval("SHOW transaction_read_only") == "on"
            assert (await pool.health_check()).ok

        await asyncio.gather(*(read(number) for number in range(40)))
        assert pool.stats().acquired >= 80
        assert pool.stats().in_use == 0


def test_the_recorder_works_behind_the_pooler(pooled, tmp_path):
    """Whoever configures the pooler's URL has all calls in the database in the end."""

    @asp.track_agent("Planning", model="gpt-4o", provider="openai")
    def plan():
        asp.current_span().record_cost("0.00003")

    asp.configure(pooled, journal_dir=tmp_path / "journal", auto_migrate=True, strict=True, replace=True)
    try:
        for _ in range(50):
            with asp.task("T-1", project_id="P"):
                plan()
            asp.flush(0.01)
        assert asp.flush(timeout=60).complete, asp.stats()
        figures = asp.stats()
        assert (figures["accepted"], figures["last_error"]) == (figures["stored"], None)
    finally:
        asp.shutdown(timeout=20)
        guard.be_strict(False)
        guard.reset()

    async def cost():
        async with open_pool(pooled, min_size=1) as pool, pool.acquire() as connection:
            return await connection.fetchval(
                "SELECT actual_cost_vector_json ->> 'api_cost_usd' FROM task_metadata"
            )

    assert asyncio.run(cost()) == "0.0015"
