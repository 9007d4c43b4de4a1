"""`asp-telemetry doctor`: healthy ends with 0, a problem with 1, and each finding says what to do."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from asp_telemetry.cli.app import run
from asp_telemetry.journal.mounts import filesystem_of
from asp_telemetry.upkeep import doctor

LONG_AGO = "2026-01-01 00:00:00.000000"
TRACE = (
    "INSERT INTO execution_traces (correlation_id, root_id, parent_id, session_id, source, name, started_at, created_at) "
    "VALUES ('019bc0de-0000-7000-8000-00000000000a', '019bc0de-0000-7000-8000-00000000000b', {parent}, 's', 'x', 'x', "
    f"'{LONG_AGO}', '{LONG_AGO}')"
)
METRIC = (
    "INSERT INTO agent_cost_vector (timestamp, task_id, correlation_id, agent_role, metric_type, metric_value, metric_unit) "
    "VALUES ('{at}', '{task}', {execution}, 'Code', 'Tokens_In', 1, 'tokens')"
)


def examine(capsys, status):
    """Run the doctor, and return its findings by check."""
    assert run(["doctor", "--json"]) == status
    shown = capsys.readouterr()
    assert "s3cret" not in shown.out + shown.err
    report = json.loads(shown.out)
    assert report["healthy"] is (status == 0)
    return {finding["check"]: finding for finding in report["findings"]}


def prepare(capsys):
    """Make the database."""
    assert run(["init"]) == 0
    capsys.readouterr()


def leave_journal(any_database, *, finish="os.kill(os.getpid(), 9)"):
    """Let a process die with a record in its journal."""
    code = f"""
        import os, asp_telemetry as asp
        asp.configure({any_database.url!r}, writer=False)
        with asp.span("one"):
            pass
        {finish}
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False, timeout=30)


def test_a_new_database_is_healthy(any_database, capsys):
    """After init there is nothing to complain of, and each check is listed."""
    prepare(capsys)
    found = examine(capsys, 0)
    assert found["schema"]["level"] == "ok"
    assert found["database"]["told"] == "integrity ok, write and read back ok"
    assert {"rejected records", "orphaned rows", "dropped records", "lag", "place of the journal"} <= set(
        found
    )
    assert run(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "0 problems" in shown
    assert "s3cret" not in shown


def test_the_sample_is_healthy(any_database, capsys):
    """The worked example has no orphans."""
    assert run(["init", "--with-sample-data"]) == 0
    capsys.readouterr()
    assert examine(capsys, 0)["orphaned rows"]["level"] == "ok"


def test_what_was_never_made(any_database, capsys):
    """A database that holds nothing is a problem that init solves; recording does only where it migrates."""
    remedy = examine(capsys, 1)["schema"]["remedy"]
    assert "asp-telemetry init" in remedy
    assert ("record something" in remedy) == any_database.is_sqlite


def test_an_old_schema(any_database, capsys):
    """A schema that is behind is a problem that migrate solves; the version is named."""
    assert run(["migrate", "up", "--to", "1"]) == 0
    capsys.readouterr()
    found = examine(capsys, 1)["schema"]
    assert "schema version 1" in found["told"]
    assert "migrate up" in found["remedy"]


def test_an_edited_migration_and_a_newer_database(any_database, capsys):
    """A database that this code does not understand is a problem, by the name of the migration."""
    prepare(capsys)
    any_database.run(f"UPDATE schema_migrations SET checksum = '{'0' * 64}' WHERE version = 1")
    assert "0001_spine was edited" in examine(capsys, 1)["schema"]["told"]
    any_database.run(f"INSERT INTO schema_migrations VALUES (99, 'later', '{'0' * 64}', '{LONG_AGO}', 1)")
    any_database.run("DELETE FROM schema_migrations WHERE version = 1")
    assert "0099_later is newer" in examine(capsys, 1)["schema"]["told"]


def test_rejected_records(any_database, capsys):
    """What the database refused is a problem, with the reason, the number and the time of the last."""
    prepare(capsys)
    any_database.run(
        "INSERT INTO rejected_records (journal_id, sequence, record, reason, rejected_at) VALUES "
        f"('j/1', 1, '{{}}', 'too long', '{LONG_AGO}'), ('j/1', 2, '{{}}', 'too long', '2026-02-01 00:00:00.000000')"
    )
    told = examine(capsys, 1)["rejected records"]["told"]
    assert told == "2 because of 'too long', last at 2026-02-01 00:00:00.000000 UTC"


def test_dropped_records(any_database, capsys):
    """Records that were never journalled are a warning, with the reason."""
    prepare(capsys)
    any_database.run(
        "INSERT INTO journal_checkpoints (journal_id, position, dropped, drop_reasons, updated_at) "
        f"VALUES ('j/1', 0, 7, '{{\"journal_full\": 7}}', '{LONG_AGO}')"
    )
    found = examine(capsys, 0)["dropped records"]
    assert (found["level"], found["told"]) == (
        "warning",
        "7 since the database was made: 7 because of journal_full",
    )


@pytest.mark.parametrize(
    ("statement", "relation"),
    [
        (TRACE.format(parent="'019bc0de-0000-7000-8000-00000000000c'"), "1 rows of execution_traces.parent_id"),
        (METRIC.format(at=LONG_AGO, task="T-9", execution="NULL"), "1 rows of agent_cost_vector.task_id"),
        (
            METRIC.format(at=LONG_AGO, task="T-9", execution="'019bc0de-0000-7000-8000-00000000000c'"),
            "1 rows of agent_cost_vector.correlation_id",
        ),
    ],
)  # fmt: skip
def test_orphans(any_database, capsys, statement, relation):
    """Rows without a parent are a warning, by table, column and number."""
    prepare(capsys)
    any_database.run(statement)
    found = examine(capsys, 0)["orphaned rows"]
    assert found["level"] == "warning"
    assert relation in found["told"]


def test_what_only_looks_like_an_orphan(any_database, capsys):
    """Costs outside of tasks, archived and pruned executions and parents that still run make no orphans."""
    prepare(capsys)
    execution, root = "019bc0de-0000-7000-8000-00000000000a", "019bc0de-0000-7000-8000-00000000000b"
    any_database.run(TRACE.format(parent="NULL"))
    any_database.run(METRIC.format(at=LONG_AGO, task=root, execution=f"'{execution}'"))
    any_database.run("INSERT INTO execution_traces_archive SELECT * FROM execution_traces")
    any_database.run("DELETE FROM execution_traces")
    any_database.run(TRACE.format(parent="NULL"))
    # its execution has been pruned
    any_database.run(METRIC.format(at="2025-12-31 00:00:00.000000", task=root, execution=f"'{root}'"))
    # the future stands for what is younger than a minute
    any_database.run(METRIC.format(at="2999-01-01 00:00:00.000000", task="T-9", execution="NULL"))
    assert examine(capsys, 0)["orphaned rows"]["level"] == "ok"


def test_a_journal_that_nobody_drains(any_database, capsys, monkeypatch):
    """Records of a dead process that wait for long are a problem that drain solves."""
    prepare(capsys)
    leave_journal(any_database)
    assert examine(capsys, 0)["lag"]["level"] == "ok"
    monkeypatch.setattr(doctor, "_PATIENCE_SECONDS", 0.0)
    found = examine(capsys, 1)["lag"]
    assert "the process is gone" in found["told"]
    assert found["remedy"] == "run `asp-telemetry drain`"
    assert run(["drain"]) == 0
    capsys.readouterr()
    assert examine(capsys, 0)["lag"]["level"] == "ok"


def test_a_stranded_journal(any_database, capsys):
    """A journal that was begun into another database at this address is a problem, which names --force."""
    prepare(capsys)
    leave_journal(any_database)
    (header,) = any_database.journal_dir.glob("*/journal.json")
    facts = json.loads(header.read_text())
    header.write_text(json.dumps({**facts, "database_id": "019bc0de-0000-7000-8000-000000000001"}))
    found = examine(capsys, 1)["journal"]
    assert str(header.parent) in found["told"]
    assert "drain --force" in found["remedy"]


def test_the_doctor_leaves_journals_to_others(any_database, capsys):
    """Looking into a journal takes nothing from it."""
    prepare(capsys)
    leave_journal(any_database)
    examine(capsys, 0)
    assert run(["drain", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["records"] == 1


def test_an_unreachable_database(any_database, capsys, monkeypatch):
    """A database that cannot be reached is one finding among the others, and the journals are still looked at."""
    if any_database.is_sqlite:
        Path(any_database.url.removeprefix("sqlite:///")).write_text("dear diary " * 500)
    else:
        monkeypatch.setenv("ASP_DATABASE_URL", "postgresql://ana:s3cret@127.0.0.1:1/nowhere")
    found = examine(capsys, 1)
    assert found["database"]["level"] == "problem"
    assert "lag" in found


@pytest.mark.skipif(
    filesystem_of(Path("/dev/shm")) != "tmpfs", reason="there is no tmpfs at /dev/shm to lie on"
)
def test_a_journal_that_dies_with_the_power(any_database, capsys, monkeypatch):
    """A journal on tmpfs is a warning that names the place and the file system."""
    prepare(capsys)
    monkeypatch.setenv("ASP_JOURNAL_DIR", "/dev/shm/asp-journal-that-need-not-exist")
    found = examine(capsys, 0)["place of the journal"]
    assert (found["level"], found["remedy"]) == ("warning", "mount a volume for /dev/shm")
    assert "tmpfs" in found["told"]


def test_the_bounds_of_sqlite_are_the_documented_ones():
    """PostgreSQL is due from 50 MB, 100 000 rows or five writers at once."""
    assert (doctor.SQLITE_BYTES, doctor.SQLITE_ROWS, doctor.SQLITE_WRITERS) == (50_000_000, 100_000, 5)


def test_many_rows_are_for_postgresql(any_database, capsys):
    """From 100 000 rows on an SQLite file is said to be due for PostgreSQL, with the command; PostgreSQL never is."""
    prepare(capsys)
    columns = "task_id, agent_role, metric_type, metric_value, metric_unit"
    any_database.run(
        f"INSERT INTO agent_cost_vector ({columns}) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
        "WHERE i < 100000) SELECT 'T', 'Code', 'Retries', 0, 'count' FROM n"
    )
    found = examine(capsys, 0)
    if any_database.is_sqlite:
        assert found["scale"]["level"] == "warning"
        command = f"asp-telemetry copy --from {any_database.url} --to postgresql://"
        assert command in found["scale"]["remedy"]
    else:
        assert "scale" not in found


def test_many_bytes_are_for_postgresql(sqlite_database, capsys, monkeypatch):
    """A large SQLite file is due for PostgreSQL, however few its rows."""
    prepare(capsys)
    assert examine(capsys, 0)["scale"]["level"] == "ok"
    sqlite_database.run(
        f"INSERT INTO task_metadata (task_id, requirements_text) VALUES ('T', hex(zeroblob({doctor.SQLITE_BYTES // 2})))"
    )
    assert examine(capsys, 0)["scale"]["level"] == "warning"


def test_five_writers_are_for_postgresql(sqlite_database, capsys):
    """Five processes that write at once into an SQLite file are four too many."""
    prepare(capsys)
    code = f"""
        import asp_telemetry as asp
        asp.configure({sqlite_database.url!r})
        with asp.span("one"):
            pass
        print("recorded", flush=True)
        input()
    """
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(doctor.SQLITE_WRITERS)
    ]  # fmt: skip
    try:
        assert [writer.stdout.readline() for writer in writers] == ["recorded\n"] * len(writers)
        found = examine(capsys, 0)["scale"]
        assert "5 processes writing at once: PostgreSQL is due" in found["told"]
        writers.pop().communicate("\n", timeout=20)
        assert examine(capsys, 0)["scale"]["level"] == "ok"
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()


def test_a_journal_that_was_full(any_database, capsys, monkeypatch):
    """A journal that had no room for records is a problem, with the reason and the number."""
    prepare(capsys)
    monkeypatch.setenv("ASP_JOURNAL_MAX_BYTES", str(1 << 20))
    leave_journal(any_database, finish="list(map(asp.track(lambda number: number), range(30_000)))")
    found = examine(capsys, 1)["journal"]
    assert "because of journal_full" in found["told"]
    assert "ASP_JOURNAL_MAX_BYTES" in found["remedy"]
