"""Following executions: each is told once when it runs and once when it has ended, whatever the order of commits."""

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Thread
from uuid import UUID

import anyio
import pytest

from asp_telemetry.analytics import Analytics
from asp_telemetry.cli.app import run
from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.upkeep import open_upkeep
from databases import AnyDatabase


@pytest.fixture
def database(any_database):
    """Make an empty database at the current schema."""
    anyio.run(open_upkeep(any_database.url).make)
    return any_database


def text(moment):
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"


def add(database, number, *, status="success", began=1.0, wrote=0.0, role="Code", project=None, error=None):
    """Write an execution that began and was written so many seconds ago; one that runs may be written again."""
    now = datetime.now(UTC)
    key = str(UUID(int=number))
    context = "NULL" if project is None else f"'{json.dumps({'project_id': project})}'"
    zone = "" if database.is_sqlite else "+00"
    ended = "NULL" if status == "in_progress" else f"'{text(now - timedelta(seconds=wrote))}{zone}'"
    database.run(
        f"""DELETE FROM execution_traces WHERE correlation_id = '{key}';
        INSERT INTO execution_traces (correlation_id, root_id, session_id, source, kind, name, agent_role, started_at,
          completed_at, status, error_type, context, created_at, updated_at)
        VALUES ('{key}', '{key}', 's', 'user_prompt', 'agent', 'run {number}', '{role}',
          '{text(now - timedelta(seconds=began))}{zone}', {ended}, '{status}',
          {"NULL" if error is None else f"'{error}'"}, {context}, '{text(now - timedelta(seconds=wrote))}{zone}',
          '{text(now - timedelta(seconds=wrote))}{zone}')"""
    )


def told(found):
    return [(int(UUID(each.id)), each.status) for each in found]


def follow(database, steps, **filters):
    """Do steps in between looks; return what each look told."""

    async def work():
        async with Analytics(database.url) as ask:
            follower = ask.follow(**filters)
            looks = [told(await follower.poll())]
            for step in steps:
                await asyncio.to_thread(step)
                looks.append(told(await follower.poll()))
            return looks

    return anyio.run(work)


def test_each_is_told_once_in_each_state(database):
    """What runs is told when it is seen and when it has ended; what is short only when it has ended; what was, never."""
    add(database, 1)
    looks = follow(
        database,
        [
            lambda: add(database, 2, status="in_progress"),
            lambda: add(database, 3),
            lambda: None,
            lambda: add(database, 2, status="error", error="ValueError"),
            lambda: None,
        ],
    )
    assert looks == [[], [(2, "in_progress")], [(3, "success")], [], [(2, "error")], []]


def test_what_is_committed_late_is_not_missed(database):
    """A row whose time lies before that of rows told already comes all the same, once."""
    looks = follow(
        database, [lambda: add(database, 1), lambda: add(database, 2, began=9, wrote=8), lambda: None]
    )
    assert looks == [[], [(1, "success")], [(2, "success")], []]


def test_who_runs_for_hours_is_awaited(database):
    """What ran before one began to follow, and has begun long ago, is told when it ends."""
    add(database, 1, status="in_progress", began=90_000, wrote=89_990)
    assert follow(database, [lambda: add(database, 1, began=90_000, status="abandoned")]) == [
        [], [(1, "abandoned")],
    ]  # fmt: skip


def test_a_clock_that_runs_ahead_hides_nobody(database):
    """A machine whose clock is an hour ahead does not make one blind for the others."""
    looks = follow(database, [lambda: add(database, 1, wrote=-3600), lambda: add(database, 2), lambda: None])
    assert looks == [[], [(1, "success")], [(2, "success")], []]


def test_filters_narrow_it(database):
    """Role, project and failures leave the others out."""

    def write():
        add(database, 1, role="Code", project="A")
        add(database, 2, role="Test", project="A", status="timeout")
        add(database, 3, role="Test", project="B", status="error")

    assert sorted(follow(database, [write], role="Test")[1]) == [(2, "timeout"), (3, "error")]


def test_failures_and_projects(database):
    """Only what fails, only one project."""

    def write():
        add(database, 1, project="A")
        add(database, 2, project="A", status="timeout")
        add(database, 3, project="B", status="error")

    assert follow(database, [write], project="A", failures=True)[1] == [(2, "timeout")]


def test_a_burst_is_told_whole(database):
    """More executions at once than one page holds are all told, each once, in the order of their times."""

    def write():
        now = datetime.now(UTC)
        zone = "" if database.is_sqlite else "+00"
        rows = ",".join(
            f"('{UUID(int=n)}', '{UUID(int=n)}', 's', 'x', 'n', '{text(now)}{zone}', 'success', '{text(now)}{zone}', '{text(now)}{zone}')"
            for n in range(1, 2_501)
        )
        database.run(
            "INSERT INTO execution_traces (correlation_id, root_id, session_id, source, name, started_at, status, "
            f"created_at, updated_at) VALUES {rows}"
        )

    looks = follow(database, [write, lambda: None])
    assert looks[1] == [(n, "success") for n in range(1, 2_501)]
    assert looks[2] == []


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_missed_or_told_twice(database, seed):
    """However beginnings, ends and looks fall together, each state of each execution is told exactly once."""
    chance = random.Random(seed)
    running, numbers, expected = set(), iter(range(1, 1000)), []

    def step():
        for _ in range(chance.randint(0, 4)):
            if running and chance.random() < 0.5:
                number = running.pop()
                add(database, number, status="error", began=200, wrote=chance.uniform(0, 8))
                expected.append((number, "error"))
            elif chance.random() < 0.5:
                number = next(numbers)
                running.add(number)
                add(database, number, status="in_progress", wrote=chance.uniform(0, 8))
                expected.append((number, "in_progress"))
            else:
                number = next(numbers)
                add(database, number, began=20, wrote=chance.uniform(0, 8))
                expected.append((number, "success"))

    looks = follow(database, [step] * 12)
    # What begins and ends between two looks is told when it has ended.
    seen = [each for look in looks for each in look]
    assert len(seen) == len(set(seen))
    ended = {number for number, status in expected if status != "in_progress"}
    assert {each for each in seen if each[1] != "in_progress"} == {
        each for each in expected if each[1] != "in_progress"
    }
    assert {number for number, status in expected if status == "in_progress"} - ended <= {
        number for number, _ in seen
    }


def test_the_latest_come_first(database):
    """`latest` shows what has begun last, oldest first, and a look afterwards does not repeat it."""
    for number in (1, 2, 3):
        add(database, number, began=10 - number)

    async def work():
        async with Analytics(database.url) as ask:
            follower = ask.follow()
            return told(await follower.latest(2)), told(await follower.poll())

    assert anyio.run(work) == ([(2, "success"), (3, "success")], [])


@contextmanager
def tailing(database, *arguments):
    command = [sys.executable, "-m", "asp_telemetry", "tail", "--every", "0.1", "--last", "0", *arguments]
    environment = {**os.environ, "ASP_DATABASE_URL": database.url, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def write_until_told(database, process, **facts):
    """Write executions until one is told: when the command has begun to look, nobody knows."""
    line = []
    reading = Thread(target=lambda: line.append(process.stdout.readline()))
    reading.start()
    for number in range(1, 500):
        add(database, number, **facts)
        reading.join(0.2)
        if line:
            return line[0]
    raise AssertionError("nothing was told")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_cleanly(database, number):
    """Ctrl-C ends it with 0 and without a word; until then each failure stands out with its error, below its day."""
    with tailing(database) as process:
        day = write_until_told(database, process, status="error", error="ValueError")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \(UTC\): ended or, where running, begun at; .*\n", day)
        line = process.stdout.readline()
        assert "error" in line
        assert "! ValueError" in line
        process.send_signal(number)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""


def test_json_lines_are_for_programs(database):
    """With --json each line is an object that says everything."""
    with tailing(database, "--json", "--role", "Test") as process:
        found = json.loads(write_until_told(database, process, role="Test", project="A", status="timeout"))
    assert (found["agent_role"], found["project_id"], found["failed"]) == ("Test", "A", True)
    assert datetime.fromisoformat(found["started_at"]).utcoffset() == timedelta(0)


def test_names_do_not_steer_the_terminal(database, capsys, monkeypatch):
    """What was recorded is shown, and does nothing."""
    add(database, 1, role="\x1b[2J<b>")

    async def stop(*_values):
        raise StoreUnavailableError("enough")

    monkeypatch.setattr("asp_telemetry.cli.tail._follow", stop)
    assert run(["tail"]) == 1
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out
    assert "[2J<b>" in shown.out
    assert shown.err == "error: enough\n"


def test_a_missing_database_is_one_line(sqlite_database, capsys):
    """Where there is nothing to follow, one line says so at once."""
    assert run(["tail"]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_a_server_that_drops_connections_is_awaited(postgres_url):
    """A look whose connection is cut is repeated, and what came meanwhile is told."""
    anyio.run(open_upkeep(postgres_url).make)
    database = AnyDatabase(postgres_url, None)
    with tailing(database) as process:
        write_until_told(database, process)
        for number in range(900, 905):
            database.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid()"
            )
            add(database, number)
            deadline = time.monotonic() + 20
            while f"run {number}" not in process.stdout.readline():
                assert time.monotonic() < deadline


def test_tables_that_vanish_are_told_and_awaited(database):
    """While a table is missing, as amid a restore, it says once what to do; once it is back, it tells what came."""
    rename = "PRAGMA legacy_alter_table = ON;" if database.is_sqlite else ""
    with tailing(database) as process:
        write_until_told(database, process)
        database.run(f"{rename} ALTER TABLE execution_traces RENAME TO elsewhere")
        line = process.stderr.readline()
        assert line.startswith("waiting: ")
        assert "execution_traces" in line
        assert "asp-telemetry migrate up" in line
        database.run(f"{rename} ALTER TABLE elsewhere RENAME TO execution_traces")
        add(database, 900)
        while "run 900" not in process.stdout.readline():
            assert process.poll() is None
        process.terminate()
        assert process.wait(20) == 0
        assert process.stderr.read() == ""
