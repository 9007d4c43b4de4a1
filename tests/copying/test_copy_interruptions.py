"""A copy that is killed goes on where it stopped, whatever has happened to the source in between."""

import contextlib
import random
import signal
import subprocess
import sys
import textwrap
import time
from types import SimpleNamespace

import pytest
from copying_databases import contents, make, meanwhile, query
from copying_rows import fill, insert, rows_of

from asp_telemetry.copying import CHECKPOINTS, TABLES, copy_database
from asp_telemetry.copying.database import MARK
from asp_telemetry.errors import ConfigurationError, StoreUnavailableError

pytestmark = pytest.mark.crash

COST = next(table for table in TABLES if table.name == "agent_cost_vector")
TASK = TABLES[0]
DYING = """
    import asyncio, os, sys
    from asp_telemetry.copying import copy_database

    source, target, stage, number = *sys.argv[1:4], int(sys.argv[4])

    def report(progress):
        global number
        if progress.stage == stage:
            number -= 1
            if number < 0:
                os.kill(os.getpid(), 9)

    asyncio.run(copy_database(source, target, report=report))
"""


LIVING = """
    import asyncio, sys
    from asp_telemetry.copying import copy_database

    print("begun", flush=True)
    asyncio.run(copy_database(*sys.argv[1:]))
"""


def start(code, *arguments, **options):
    """Start a program in a process of its own."""
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)], **options)


def killed(way, stage, number):
    """Copy in a process that kills itself at the n-th report of a stage."""
    assert start(DYING, way.source, way.target, stage, number).wait(60) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("stage", "number"), [("copy", 0), ("copy", 3), ("copy", 12), ("verify", 0), ("verify", 9), ("finish", 0)]
)
async def test_a_killed_copy_goes_on(way, stage, number):
    """Killed in the middle of copying, of verifying, or before its last transaction, a copy is finished by repeating it."""
    await fill(way.source, 60)
    killed(way, stage, number)
    written = {table: len(rows) for table, rows in (await contents(way.target)).items()}
    assert any(row.journal_id.startswith(MARK) for row in (await contents(way.target))["journal_checkpoints"])
    assert (await contents(way.target))["database_identity"] != (await contents(way.source))[
        "database_identity"
    ]
    report = await copy_database(way.source, way.target)
    assert (report.state, report.same) == ("resumed", True)
    assert await contents(way.target) == await contents(way.source)
    for table in report.tables[:-1]:
        assert table.written == 60 - written[table.name], "what had been committed is not written again"


async def test_what_is_adapted_is_counted_once(tmp_path, postgres_url):
    """A copy that goes on names as many adapted values as there are, not also those it compared on the way."""
    way = SimpleNamespace(source=f"sqlite:///{tmp_path}/a.db", target=postgres_url)
    await make(way.source)
    await fill(way.source, 5)
    await query(way.source, "UPDATE task_metadata SET defect_density = 0.1234567 WHERE task_id = 'KEY-2'")
    killed(way, "verify", 0)
    report = await copy_database(way.source, way.target)
    assert (report.state, report.same) == ("resumed", True)
    assert report.adapted["defect_density: rounded to 3 decimals"] == 1


async def test_a_copy_killed_at_any_moment_goes_on(way):
    """Killed again and again after random times, in the middle of transactions too, a copy still ends, and ends right."""
    await make(way.source)
    await fill(way.source, 60)
    await insert(way.source, COST, rows_of(COST, 3000, seed=1))
    chance, deaths, longest = random.Random(7), 0, 0.1
    for _ in range(20):
        process = start(LIVING, way.source, way.target, stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"begun\n"
        begun = time.monotonic()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0, longest))
        process.kill()
        process.stdout.close()
        if process.wait(60) == -signal.SIGKILL:
            deaths += 1
            longest *= 1.2
        else:
            longest = time.monotonic() - begun
            await query(way.target, "DELETE FROM journal_checkpoints")  # a fresh start for the next round
            for table in TABLES:
                await query(way.target, f"DELETE FROM {table.name}")
            await query(
                way.target, "UPDATE database_identity SET id = '00000000-0000-4000-8000-000000000000'"
            )
        if deaths >= 6:
            break
    assert deaths >= 6
    assert (await copy_database(way.source, way.target)).same
    assert await contents(way.target) == await contents(way.source)


async def test_a_source_that_changed_meanwhile_is_copied_as_it_is_now(way):
    """Rows that the source has changed, lost or gained since the copy was killed arrive as they are now."""
    await fill(way.source, 60)
    killed(way, "verify", 0)
    await query(way.source, "DELETE FROM task_metadata WHERE task_id IN ('KEY-1', 'KEY-2')")
    await query(way.source, "UPDATE agent_cost_vector SET metric_value = 5 WHERE id BETWEEN 10 AND 19")
    await query(way.source, "DELETE FROM agent_definitions")
    await insert(way.source, CHECKPOINTS, rows_of(CHECKPOINTS, 60, seed=1))
    await insert(way.source, TASK, rows_of(TASK, 60, seed=1))
    report = await copy_database(way.source, way.target)
    assert (report.state, report.same) == ("resumed", True)
    changed = {
        table.name: (table.written, table.removed)
        for table in report.tables
        if table.written or table.removed
    }
    assert changed["task_metadata"] == (60, 2)
    assert changed["agent_definitions"] == (0, 60)
    assert changed["agent_cost_vector"][0] in range(8, 11)  # some may have been 5 before
    assert await contents(way.target) == await contents(way.source)


async def test_an_unfinished_copy_of_another_database_is_refused(way, tmp_path):
    """Another source cannot go on where this one stopped; the message names both identities."""
    await fill(way.source)
    killed(way, "copy", 4)
    other = f"sqlite:///{tmp_path}/other.db"
    identity = await make(other)
    before = await contents(way.target)
    with pytest.raises(
        ConfigurationError, match=f"unfinished copy of another database .*--from is {identity}"
    ):
        await copy_database(other, way.target)
    assert await contents(way.target) == before


async def test_an_unfinished_copy_is_no_source(way, tmp_path):
    """Half a database is not copied as if it were whole."""
    await fill(way.source)
    killed(way, "copy", 4)
    with pytest.raises(ConfigurationError, match="finish that copy first"):
        await copy_database(way.target, f"sqlite:///{tmp_path}/other.db")


async def test_of_two_copies_into_one_target_one_stops(way):
    """A second copy that starts meanwhile takes over; the first one says so, and the result is whole."""
    await fill(way.source, 60)
    others = []

    def report(progress):
        if progress.stage == "copy" and progress.table == "defect_log" and not others:
            others.append(progress)
            meanwhile(_whole(way))

    with pytest.raises(StoreUnavailableError, match=r"another copy into .* is running"):
        await copy_database(way.source, way.target, report=report)
    assert (await copy_database(way.source, way.target)).state == "complete"
    assert await contents(way.target) == await contents(way.source)


async def _whole(way):
    assert (await copy_database(way.source, way.target)).same


@pytest.mark.parametrize("stage", ["copy", "finish"])
async def test_a_writer_in_the_target_stops_the_copy(way, stage):
    """Who records into a half-copied database loses nothing: the copy stops instead of overwriting it, and stays stopped."""
    await fill(way.source)
    written = []

    def report(progress):
        if (
            progress.stage == stage
            and progress.table in ("defect_log", "journal_checkpoints")
            and not written
        ):
            written.append(progress)
            meanwhile(insert(way.target, CHECKPOINTS, rows_of(CHECKPOINTS, 1, seed=70)))

    with pytest.raises(
        StoreUnavailableError, match=r"a writer has committed to .* while it holds an unfinished copy"
    ):
        await copy_database(way.source, way.target, report=report)
    with pytest.raises(StoreUnavailableError, match="a writer has committed to"):
        await copy_database(way.source, way.target)
    assert len(await query(way.target, "SELECT journal_id FROM journal_checkpoints")) == 2


async def test_a_server_that_vanishes_stops_the_copy_and_it_goes_on(postgres_server, postgres_url, tmp_path):
    """With its connection cut in the middle a copy fails with one line; repeated, it is finished."""
    source = f"sqlite:///{tmp_path}/a.db"
    await make(source)
    await fill(source)
    cut = []

    def report(progress):
        if progress.table == "execution_traces" and not cut:
            cut.append(progress)
            user = postgres_url.split("//")[1].split("@")[0]
            postgres_server.psql(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{user}';"
            )

    with pytest.raises(StoreUnavailableError, match=r"127\.0\.0\.1"):
        await copy_database(source, postgres_url, report=report)
    assert (await copy_database(source, postgres_url)).state == "resumed"
    assert await contents(postgres_url) == await contents(source)
