"""PostgreSQL in trouble: nothing is lost, nothing doubled, callers do not notice, and the figures say what is wrong."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

import asyncpg
import pytest
from proxies import Proxy

import asp_telemetry as asp
from asp_telemetry import guard
from postgres import Server, programs

pytestmark = pytest.mark.timeout(180)
REPOSITORY = Path(__file__).parents[2]
# Far above what a busy machine needs for a call, and far below what any of these servers is away.
SLOWEST_CALL_SECONDS = 2.0
LOCKED_SECONDS = 60.0
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@pytest.fixture(scope="module")
def own_server(postgres_server) -> Iterator[Server]:
    """Start a server that these tests may kill."""
    binaries = programs()
    assert binaries is not None
    server = Server(binaries)
    yield server
    server.remove()


@pytest.fixture
def url(own_server) -> Iterator[str]:
    """Make an empty database on that server."""
    own_server.psql("DROP DATABASE IF EXISTS faults WITH (FORCE)")
    own_server.psql("CREATE DATABASE faults")
    yield own_server.url("faults")
    asp.shutdown(timeout=20)
    guard.be_strict(False)
    guard.reset()


def record(url, tmp_path, **settings):
    """Record into a database, with faults in the caller raised instead of swallowed."""
    asp.configure(
        url, journal_dir=tmp_path / "journal", auto_migrate=True, strict=True, replace=True, **settings
    )


@asp.track_agent("Planning", model="gpt-4o", provider="openai")
def plan(number):
    """Be an execution with four metrics."""
    asp.current_span().record_usage(input_tokens=10, output_tokens=2)
    return number


def query(url, sql):
    """Return the rows of a query."""

    async def run():
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetch(sql)
        finally:
            await connection.close()

    return asyncio.run(run())


def until(condition, seconds=30.0):
    """Wait until something is so."""
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, asp.stats()
        sleep(0.01)


def until_told(reason):
    """Wait until the figures say what is wrong, and that records wait because of it."""

    def told():
        figures = asp.stats()
        return (
            reason in (figures.get("last_error") or "")
            and figures["pending"] > 0
            and figures["lag_seconds"] > 0
            and figures["unavailable_seconds"] is not None
        )

    until(told)


def until_more_is_stored():
    """Wait until the writer has committed another batch."""
    before = asp.stats()["stored"]
    until(lambda: asp.stats()["stored"] > before)


class Load:
    """Call a tracked function from several threads until told to stop, and keep account of it."""

    def __init__(self, threads=3, pause=0.0005):
        self.calls = 0
        self.slowest = 0.0
        self.failures = []
        self._pause = pause
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work) for _ in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self):
        calls, slowest = 0, 0.0
        while not self._stop.is_set():
            begun = monotonic()
            try:
                assert plan(calls) == calls
            except Exception as error:
                self.failures.append(error)
                break
            slowest = max(slowest, monotonic() - begun)
            calls += 1
            sleep(self._pause)
        with self._lock:
            self.calls += calls
            self.slowest = max(self.slowest, slowest)


def assert_exactly(url, load):
    """Check that every call is in the database exactly once, with its metrics, and that nobody was kept waiting."""
    assert load.failures == []
    assert load.slowest < SLOWEST_CALL_SECONDS
    result = asp.flush(timeout=60)
    assert result.complete, asp.stats()
    assert (result.pending, result.rejected, result.dropped) == (0, 0, 0)
    (found,) = query(
        url,
        "SELECT (SELECT count(*) FROM execution_traces) AS traces, (SELECT count(*) FROM agent_cost_vector) AS metrics, "
        "(SELECT sum(stored) FROM journal_checkpoints) AS stored, (SELECT count(*) FROM rejected_records) AS rejected, "
        f"({DEADLOCKS}) AS deadlocks",
    )
    assert tuple(found) == (load.calls, 4 * load.calls, load.calls, 0, 0)
    figures = asp.stats()
    assert figures["accepted"] == figures["stored"] == load.calls
    assert (figures["lag_seconds"], figures["last_error"]) == (0.0, None)


def test_a_server_killed_in_the_middle_of_batches(own_server, url, tmp_path):
    """A server that is killed and restarted again and again has every call exactly once in the end."""
    record(url, tmp_path)
    with Load() as load:
        for _ in range(4):
            until_more_is_stored()
            own_server.kill()
            until(lambda: asp.stats()["unavailable_seconds"] is not None)
            assert not asp.flush(timeout=0.1).complete
            until(lambda: asp.stats()["lag_seconds"] > 0.2)
            until_told("check that the server runs")
            own_server.start()
    assert_exactly(url, load)


@contextmanager
def proxied(server, url):
    """Put a proxy in front of a server."""
    with Proxy("127.0.0.1", server.port) as proxy:
        yield proxy, url.replace(f":{server.port}/", f":{proxy.port}/")
        proxy.mode, proxy.cut_commits = "pass", 0
        asp.shutdown(timeout=20)


def test_a_network_that_drops(own_server, url, tmp_path):
    """Connections that are cut at any moment, and refused for a while, cost time and nothing else."""
    with proxied(own_server, url) as (proxy, through):
        record(through, tmp_path)
        with Load() as load:
            for turn in range(12):
                until_more_is_stored()
                sleep(turn / 1000)
                proxy.drop()
            proxy.mode = "refuse"
            proxy.drop()
            until(lambda: (asp.stats()["unavailable_seconds"] or 0) > 0.5)
            until_told("check that the server runs")
            proxy.mode = "pass"
        assert_exactly(url, load)


def test_an_answer_lost_behind_the_commit(own_server, url, tmp_path):
    """A batch that was committed though its answer got lost is not committed a second time."""
    with proxied(own_server, url) as (proxy, through):
        record(through, tmp_path)
        with Load() as load:
            for turn in range(1, 9):
                proxy.cut_commits = 1
                until(lambda turn=turn: proxy.cuts == turn)
                until_more_is_stored()
        assert proxy.cuts == 8
        assert_exactly(url, load)


def test_a_network_that_stalls(own_server, url, tmp_path, monkeypatch):
    """A network that takes everything and answers nothing counts as dead after the time for a statement."""
    monkeypatch.setattr("asp_telemetry.stores.postgres_connection.COMMAND_SECONDS", 0.5)
    monkeypatch.setattr("asp_telemetry.stores.postgres_connection.CONNECT_SECONDS", 0.5)
    with proxied(own_server, url) as (proxy, through):
        record(through, tmp_path)
        with Load() as load:
            for _ in range(3):
                until_more_is_stored()
                proxy.mode = "stall"
                until_told("did not answer in time")
                proxy.mode = "pass"
                proxy.drop()
        assert_exactly(url, load)


def test_no_connection_is_free(own_server, url, tmp_path):
    """A server without a free connection is waited for, and the reason is told."""
    own_server.stop()
    own_server.start(max_connections="8", superuser_reserved_connections="0")

    async def occupy():
        taken = []
        try:
            while True:
                taken.append(await asyncpg.connect(url))
        except asyncpg.TooManyConnectionsError:
            record(url, tmp_path)
            with Load() as load:
                await asyncio.to_thread(until_told, "53300")
        for connection in taken:
            await connection.close()
        return load

    try:
        load = asyncio.run(asyncio.wait_for(occupy(), 60))
        assert_exactly(url, load)
    finally:
        asp.shutdown(timeout=20)
        own_server.stop()
        own_server.start()


SLOW = """
ALTER DATABASE faults SET statement_timeout = '200ms';
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;
CREATE TRIGGER slow BEFORE INSERT ON execution_traces FOR EACH STATEMENT EXECUTE FUNCTION slow();
"""
FAST = "ALTER DATABASE faults RESET statement_timeout; DROP TRIGGER slow ON execution_traces;"
FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON agent_cost_vector FOR EACH STATEMENT EXECUTE FUNCTION full_disk();
"""
FREED = "DROP TRIGGER full_disk ON agent_cost_vector;"
AWAY = "ALTER DATABASE faults SET default_transaction_read_only = on; ALTER TABLE execution_traces RENAME TO away;"
BACK = """
SET default_transaction_read_only = off;
ALTER TABLE away RENAME TO execution_traces;
ALTER DATABASE faults RESET default_transaction_read_only;
"""


@pytest.mark.parametrize(
    ("break_it", "mend_it", "reason"),
    [(SLOW, FAST, "57014"), (FULL, FREED, "53100"), (AWAY, BACK, "42P01")],
    ids=["statement timeout", "full disk", "missing table"],
)
def test_a_server_that_refuses_for_a_while(own_server, url, tmp_path, break_it, mend_it, reason):
    """What a server refuses because of its own state waits, and is not taken for a bad record."""
    record(url, tmp_path)
    with Load() as load:
        until(lambda: asp.stats()["stored"] > 0)
        own_server.psql(break_it, "faults")
        own_server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'faults'")
        until_told(reason)
        own_server.psql(f"SET statement_timeout = 0; {mend_it}", "faults")
    assert_exactly(url, load)


@pytest.fixture
def small_disk(own_server, url) -> Iterator[Path]:
    """Mount a disk of a few megabytes as a tablespace of the server."""
    folder = own_server.folder / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size=16m,uid={own_server.data.stat().st_uid}", "tmpfs", folder],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip(f"no disk was really full: nothing can be mounted here ({mounted.stderr.strip()})")
    try:
        own_server.psql(f"CREATE TABLESPACE small LOCATION '{folder}'")
        yield folder
        asp.shutdown(timeout=20)
        own_server.psql("DROP DATABASE faults WITH (FORCE)")
        own_server.psql("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_disk_that_is_really_full(own_server, url, small_disk, tmp_path):
    """While the server's disk is full records wait; as soon as there is room again, all of them arrive."""
    record(url, tmp_path)
    with Load() as load:
        until(lambda: asp.stats()["stored"] > 0)
        own_server.psql("ALTER TABLE agent_cost_vector SET TABLESPACE small", "faults")
        filler = small_disk / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        until_told("53100")
        filler.unlink()
    assert_exactly(url, load)


def test_a_locked_table(own_server, url, tmp_path):
    """A table that somebody locks for a minute delays records, again and again, and the reason is told."""

    async def hold():
        connection = await asyncpg.connect(url)
        async with connection.transaction():
            await connection.execute("LOCK TABLE agent_cost_vector IN ACCESS EXCLUSIVE MODE")
            # Far longer than one attempt lasts: the next ones must not give up either.
            await asyncio.sleep(LOCKED_SECONDS)
            await asyncio.to_thread(until_told, "55P03")
            assert asp.stats()["lag_seconds"] > LOCKED_SECONDS - 5
            assert not (await asyncio.to_thread(asp.flush, 0.1)).complete
        await connection.close()

    record(url, tmp_path)
    with Load(pause=0.01) as load:
        until(lambda: asp.stats()["stored"] > 0)
        asyncio.run(asyncio.wait_for(hold(), LOCKED_SECONDS + 60))
    assert_exactly(url, load)
    assert load.calls > 10 * LOCKED_SECONDS  # they went on all the time, not only before and after


def test_a_poison_record_is_put_aside(url, tmp_path):
    """Of many records in one batch only the one that the database refuses is rejected, with the reason."""
    record(url, tmp_path)
    for number in range(50):
        plan(number)
    asp.update_task("T-1", estimated_complexity=2**40)
    for number in range(50):
        plan(number)
    result = asp.flush(timeout=60)
    assert result.complete
    assert result.rejected == 1
    (found,) = query(url, "SELECT reason, record ->> 'task_id' AS task FROM rejected_records")
    assert found["task"] == "T-1"
    assert "out of range" in found["reason"]
    (traces,) = query(url, "SELECT count(*) FROM execution_traces")
    assert traces["count"] == 100
    figures = asp.stats()
    assert figures["accepted"] == 101 == figures["stored"] + figures["rejected"]


def test_records_wait_for_the_migration(url, tmp_path, caplog):
    """Into a database that was not migrated nothing is written; one warning names the command, after which all is."""
    asp.configure(url, journal_dir=tmp_path / "journal", strict=True, replace=True)
    for number in range(10):
        plan(number)
    assert not asp.flush(timeout=1).complete
    assert asp.stats()["pending"] == 10
    warnings = [text for text in caplog.messages if "migrate up" in text]
    assert len(warnings) == 1
    assert f"asp-telemetry migrate up --database {url}`" in warnings[0]
    assert query(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")[0]["count"] == 0
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    command = [
        sys.executable,
        "-c",
        "from asp_telemetry.cli import main; main()",
        "migrate",
        "up",
        "--database",
        url,
    ]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    assert asp.flush(timeout=30).complete
    assert query(url, "SELECT count(*) FROM execution_traces")[0]["count"] == 10


FINISH_ONE_TASK = """
import sys
import asp_telemetry as asp

asp.configure(sys.argv[1], journal_dir=sys.argv[2], strict=True)

@asp.track_agent("Code", model="gpt-4o", provider="openai")
def code():
    asp.current_span().record_cost("0.00003")

for turn in range(20):
    with asp.task("T-1", project_id="P", estimated_complexity=4) as task:
        code()
        task.set(metadata={sys.argv[3]: turn})
    asp.log_defect(task_id="T-1", defect_type="4_Hallucination", phase_injected="Code", phase_removed="Test", description="x")
    asp.flush(0.05)
result = asp.shutdown(30)
assert result.complete, result
"""


def test_eight_processes_finish_one_task(url, tmp_path):
    """Eight processes that finish the same task over and over agree on its sums in the end."""
    record(url, tmp_path)
    plan(1)
    assert asp.shutdown(timeout=30).complete
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", FINISH_ONE_TASK, url, tmp_path / f"journal-{number}", f"p{number}"],
            env=environment, stderr=subprocess.PIPE, text=True,
        )
        for number in range(8)
    ]  # fmt: skip
    for process in processes:
        _, trouble = process.communicate(timeout=120)
        assert process.returncode == 0, trouble
        assert "Traceback" not in trouble
        assert "deadlock" not in trouble
    (found,) = query(
        url,
        "SELECT status, defect_count, actual_cost_vector_json ->> 'api_cost_usd' AS cost, metadata::text, "
        "(SELECT count(*) FROM execution_traces WHERE name = 'code') AS executions, "
        f"(SELECT count(*) FROM rejected_records) AS rejected, ({DEADLOCKS}) AS deadlocks FROM task_metadata",
    )
    assert (found["executions"], found["rejected"], found["deadlocks"]) == (160, 0, 0)
    assert (found["status"], found["defect_count"], found["cost"]) == ("completed", 160, "0.0048")
    assert found["metadata"].count("19") == 8
