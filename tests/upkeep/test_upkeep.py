"""What commands rely on, whichever database it is."""

import asyncio
import re
import threading
from functools import partial

import anyio
import asyncpg
import pytest

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.database_url import sqlite_path
from asp_telemetry.errors import ConfigurationError, MigrationError, StoreUnavailableError
from asp_telemetry.migrations import load_migrations
from asp_telemetry.records import RECORDS
from asp_telemetry.resources import schema_directory
from asp_telemetry.upkeep import open_upkeep, postgres
from asp_telemetry.upkeep.results import KEPT

NEWEST = load_migrations()[-1].version


@pytest.fixture
def upkeep(any_database):
    """Give the upkeep of an empty database."""
    return open_upkeep(any_database.url)


def do(method, *arguments, **keywords):
    """Run one method to its end."""
    return anyio.run(partial(method, *arguments, **keywords))


def test_an_empty_database(upkeep):
    """Nothing is there, nothing is made by looking, and rehearsing says what would be made."""
    assert do(upkeep.exists) is False
    assert do(upkeep.check) == 0
    assert do(upkeep.row_counts) == {}
    assert do(upkeep.identity) is None
    rehearsed = do(upkeep.rehearse)
    assert rehearsed.created
    assert rehearsed.summary.dry_run
    assert rehearsed.summary.versions == tuple(range(1, NEWEST + 1))
    assert do(upkeep.states).exists is False
    for method in (upkeep.checkpoints, upkeep.verify, upkeep.orphans, upkeep.rejections, upkeep.erase):
        with pytest.raises((StoreUnavailableError, MigrationError), match="run"):
            do(method)
    assert do(upkeep.exists) is False


def test_making_it(upkeep):
    """Made once, it is there with all tables, an identity and a sound row; made again, nothing happens."""
    made = do(upkeep.make)
    assert (made.created, made.summary.version_after, made.upgraded) == (True, NEWEST, None)
    assert sorted(do(upkeep.row_counts)) == sorted(record.table for record in RECORDS)
    identity = do(upkeep.identity)
    assert identity is not None
    verification = do(upkeep.verify)
    assert (verification.ok, verification.schema_version) == (True, NEWEST)
    again = do(upkeep.make)
    assert (again.created, again.summary.versions) == (False, ())
    assert do(upkeep.identity) == identity
    assert do(upkeep.size_bytes) > 100_000


def test_every_record_goes_and_the_journals_stay(any_database, upkeep):
    """Erasing empties all tables but the ledger, the identity and the positions of the journals."""
    do(upkeep.make)
    do(upkeep.add_sample_data)
    any_database.run(
        "INSERT INTO journal_checkpoints (journal_id, position, stored, updated_at) VALUES "
        "('j/1', 640, 9, '2026-01-01 00:00:00.000000'); "
        "INSERT INTO rejected_records (journal_id, sequence, record, reason, rejected_at) VALUES "
        "('j/1', 1, '{}', 'x', '2026-01-01 00:00:00.000000')"
    )
    full = do(upkeep.row_counts)
    assert all(full[record.table] for record in RECORDS if record.table != "execution_traces_archive")
    do(upkeep.erase)
    left = {name: rows for name, rows in do(upkeep.row_counts).items() if rows}
    assert left == {name: full[name] for name in KEPT}
    (lane,) = do(upkeep.checkpoints)
    assert (lane.lane, lane.position, lane.stored, lane.reasons) == ("j/1", 640, 9, {})
    assert lane.updated_at == "2026-01-01 00:00:00.000000"
    do(upkeep.add_sample_data)
    assert do(upkeep.row_counts)["agent_cost_vector"] == full["agent_cost_vector"]


def test_erasing_beside_writers(any_database, upkeep):
    """A process that writes while records are deleted neither loses a record nor blocks for ever."""
    do(upkeep.make)
    asp.configure(any_database.url, strict=True, replace=True)
    stop = threading.Event()

    def record():
        while not stop.is_set():
            with asp.task("T-1", estimated_complexity=2):
                asp.log_defect(
                    task_id="T-1", defect_type="4_Hallucination", phase_injected="Code", phase_removed="Test", description="x"
                )  # fmt: skip
            stop.wait(0.001)

    threads = [threading.Thread(target=record) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(8):
            do(upkeep.erase)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    try:
        assert asp.flush(timeout=30).complete
        figures = asp.stats()
        assert figures["accepted"] == figures["stored"] > 0
        assert (figures["rejected"], figures["dropped"]) == (0, 0)
    finally:
        asp.shutdown(timeout=20)
        guard.be_strict(False)
        guard.reset()


def test_verification_keeps_nothing(upkeep):
    """The row that is written to verify a database is gone afterwards."""
    do(upkeep.make)
    do(upkeep.verify)
    assert do(upkeep.row_counts)["task_metadata"] == 0


def test_verification_notices(any_database, upkeep):
    """A database that changes what is written into it fails its verification."""
    do(upkeep.make)
    if any_database.is_sqlite:
        any_database.run(
            "CREATE TRIGGER spoil AFTER INSERT ON task_metadata BEGIN "
            "UPDATE task_metadata SET project_id = 'spoilt' WHERE task_id = NEW.task_id; END"
        )
    else:
        any_database.run(
            "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN NEW.project_id := 'spoilt'; RETURN NEW; END $$; "
            "CREATE TRIGGER spoil BEFORE INSERT ON task_metadata FOR EACH ROW EXECUTE FUNCTION spoil()"
        )
    assert do(upkeep.verify).ok is False


def test_what_newer_code_made_is_left_alone(any_database, upkeep):
    """A database from newer code is refused by everything that would change it, and keeps its rows."""
    do(upkeep.make)
    do(upkeep.add_sample_data)
    any_database.run(
        f"INSERT INTO schema_migrations VALUES (99, 'later', '{'0' * 64}', '2026-01-01 00:00:00.000000', 1)"
    )
    for method in (upkeep.make, upkeep.erase, upkeep.add_sample_data, upkeep.verify):
        with pytest.raises(MigrationError, match="upgrade asp-telemetry"):
            do(method)
    with pytest.raises(MigrationError, match="upgrade asp-telemetry"):
        do(upkeep.down, to=0)
    assert do(upkeep.row_counts)["agent_cost_vector"] == 14
    assert do(upkeep.states).migrations[-1].state == "newer"


def test_what_is_not_ours_is_left_alone(sqlite_database):
    """Somebody else's file is refused as it is: not even its journal mode is changed."""
    sqlite_database.run("CREATE TABLE invoices (x)")
    path = sqlite_path(sqlite_database.url)
    before = path.read_bytes()
    upkeep = open_upkeep(sqlite_database.url)
    for method in (
        upkeep.make,
        upkeep.rehearse,
        upkeep.verify,
        upkeep.erase,
        upkeep.add_sample_data,
        upkeep.orphans,
    ):
        with pytest.raises(MigrationError, match="did not make: invoices"):
            do(method)
    with pytest.raises(MigrationError, match="did not make: invoices"):
        do(upkeep.maintain, print)
    assert path.read_bytes() == before


def test_rejections_are_counted_by_reason(any_database, upkeep):
    """Equal reasons are told once, with their number and the last time, the newest first."""
    do(upkeep.make)
    any_database.run(
        "INSERT INTO rejected_records (journal_id, sequence, record, reason, rejected_at) VALUES "
        "('j/1', 1, '{}', 'old', '2026-01-01 00:00:00.000000'), ('j/1', 2, '{}', 'new', '2026-01-03 00:00:00.000000'), "
        "('j/1', 3, '{}', 'old', '2026-01-02 00:00:00.000000')"
    )
    found = [(each.reason, each.rows, each.last_at) for each in do(upkeep.rejections)]
    assert found == [("new", 1, "2026-01-03 00:00:00.000000"), ("old", 2, "2026-01-02 00:00:00.000000")]
    assert len(do(upkeep.rejections, limit=1)) == 1


def test_names_show_no_credentials(any_database, upkeep):
    """What people see of a database has neither user nor password in it."""
    assert "s3cret" not in upkeep.name
    assert "@" not in upkeep.name


def test_timescaledb_is_no_part_of_sqlite(tmp_path):
    """SQLite says that it has no such extension, and makes no file."""
    with pytest.raises(ConfigurationError, match="leave --timescaledb out"):
        do(open_upkeep(f"sqlite:///{tmp_path}/a.db").add_timescaledb)
    assert list(tmp_path.iterdir()) == []


def test_the_scripts_of_timescaledb_run_in_one_transaction(postgres_url):
    """Their own BEGIN and COMMIT are left out, so that a failure in the second takes the first back, too."""
    scripts = [
        (schema_directory("postgres") / "optional" / name).read_text() for name in postgres._TIMESCALEDB
    ]
    stripped, calls = zip(*map(postgres._script, postgres._TIMESCALEDB), strict=True)
    assert all(len(postgres._BRACKETS.findall(script)) == 2 for script in scripts)
    assert not any(re.search(r"^\s*(BEGIN|COMMIT)\s*;", script, re.MULTILINE) for script in stripped)
    # What TimescaleDB refuses inside of a transaction comes after it, statement by statement.
    assert not any(re.search(r"^CALL ", script, re.MULTILINE) for script in stripped)
    assert (
        [len(re.findall(r"^CALL ", script, re.MULTILINE)) for script in scripts]
        == [len(c) for c in calls]
        == [0, 2]
    )
    assert all(call.startswith("CALL refresh_") and call.endswith(";") for c in calls for call in c)
    do(open_upkeep(postgres_url).make)

    async def access_and_back():
        connection = await asyncpg.connect(postgres_url)
        try:
            async with connection.transaction() as _:
                await connection.execute(stripped[0])
                inside = await connection.fetchval(
                    "SELECT count(*) FROM pg_views WHERE viewname = 'own_agent_cost_vector'"
                )
                raise RuntimeError(inside)
        finally:
            assert await connection.fetchval("SELECT to_regclass('own_agent_cost_vector')") is None
            await connection.close()

    with pytest.raises(RuntimeError, match="1"):
        asyncio.run(access_and_back())


def test_a_url_needs_a_known_scheme():
    """What is no database is refused before anything is opened."""
    with pytest.raises(ConfigurationError, match="no scheme"):
        open_upkeep("a.db")
