"""A copy holds what its source held, to the last digit, and is the database that journals know."""

import asyncpg
import pytest
from copying_databases import contents, make, meanwhile, migrate_down, query
from copying_rows import fill, insert, rows_of

from asp_telemetry.copying import CHECKPOINTS, TABLES, copy_database
from asp_telemetry.database_url import is_sqlite
from asp_telemetry.errors import (
    AspTelemetryError,
    ConfigurationError,
    MigrationError,
    RowRefusedError,
    StoreUnavailableError,
)
from asp_telemetry.resources import schema_directory

COST = next(table for table in TABLES if table.name == "agent_cost_vector")
TASK = next(table for table in TABLES if table.name == "task_metadata")


async def test_every_row_of_every_table_arrives(way):
    """All tables, the archive and the house-keeping hold the same records on both sides, identity included."""
    await fill(way.source)
    report = await copy_database(way.source, way.target)
    assert report.same, report.differences
    assert (report.state, report.source_moved, report.differences) == ("new", False, ())
    assert await contents(way.target) == await contents(way.source)
    assert {table.name: (table.rows, table.written) for table in report.tables} == {
        **{table.name: (40, 40) for table in TABLES}, CHECKPOINTS.name: (40, 0),
    }  # fmt: skip


async def test_there_and_back_again(way, tmp_path):
    """A copy of a copy equals the first database."""
    await fill(way.source)
    third = f"sqlite:///{tmp_path}/third.db"
    first = await copy_database(way.source, way.target)
    second = await copy_database(way.target, third)
    assert first.same
    assert second.same
    assert [table.checksum for table in first.tables] == [table.checksum for table in second.tables]
    assert await contents(third) == await contents(way.source)


async def test_an_empty_database_can_be_copied(way):
    """A database without rows makes one without rows, of the same identity."""
    report = await copy_database(way.source, way.target)
    assert (report.same, report.rows) == (True, 0)
    assert await contents(way.target) == await contents(way.source)


@pytest.mark.parametrize("cost", [0.00003, 1e-10, 12345.6789012345])
async def test_a_small_cost_survives_to_the_last_digit(way, cost):
    """0.00003 USD is 0.00003 USD in the copy."""
    (row,) = rows_of(COST, 1)
    place = COST.names.index("metric_value")
    await insert(way.source, COST, [(*row[:place], cost, *row[place + 1 :])])
    assert (await copy_database(way.source, way.target)).same
    (found,) = await query(way.target, "SELECT metric_value FROM agent_cost_vector")
    assert float(found["metric_value"]) == cost


async def test_triggers_neither_change_rows_nor_count_twice(way):
    """A missing duration stays missing, and the counters of patterns stay what they were."""
    await fill(way.source)
    assert (await copy_database(way.source, way.target)).same
    for sql in (
        "SELECT count(*) AS count FROM hook_executions WHERE duration_ms IS NULL AND completed_at IS NOT NULL",
        "SELECT sum(total_usage_count) AS count FROM success_patterns",
    ):
        (before,), (after,) = await query(way.source, sql), await query(way.target, sql)
        assert before == after
        assert before["count"] > 0


async def test_generated_keys_go_on_after_the_greatest(way):
    """What is recorded after the copy gets keys that no copied row has."""
    await fill(way.source)
    await copy_database(way.source, way.target)
    for table, columns, values in (
        ("agent_cost_vector", "task_id, agent_role, metric_type, metric_value, metric_unit", "'T', 'Code', 'X', 1, 'y'"),
        ("rejected_records", "journal_id, sequence, record, reason, rejected_at",
         "'j', 1, '{}', 'why', '2026-01-15 09:00:00.000000'"),
    ):  # fmt: skip
        await query(way.target, f"INSERT INTO {table} ({columns}) VALUES ({values})")
        (found,) = await query(way.target, f"SELECT max(id) AS newest, count(*) AS count FROM {table}")
        assert found == {"newest": 41, "count": 41}


async def test_triggers_are_on_after_the_copy(postgres_url, tmp_path):
    """In the copy a pattern's use counts again, as in any PostgreSQL database."""
    source = f"sqlite:///{tmp_path}/a.db"
    await make(source)
    await fill(source, 3)
    await copy_database(source, postgres_url)
    off = "SELECT count(*) FROM pg_trigger WHERE tgenabled <> 'O' AND tgrelid::regclass::text LIKE '%hook%'"
    assert await query(postgres_url, off) == [{"count": 0}]
    await query(
        postgres_url,
        "INSERT INTO pattern_usage_log (pattern_id, correlation_id, user_request, match_score, used, outcome) "
        "SELECT id, id, 'again', 0.9, true, 'success' FROM success_patterns",
    )
    (before,) = await query(source, "SELECT sum(total_usage_count) AS uses FROM success_patterns")
    (after,) = await query(postgres_url, "SELECT sum(total_usage_count) AS uses FROM success_patterns")
    assert after["uses"] == before["uses"] + 3


async def test_triggers_of_timescaledb_stay_on(postgres_database, tmp_path):
    """What keeps hypertables and their sums right, and may not be switched off, sees every row that is copied."""
    source = f"sqlite:///{tmp_path}/a.db"
    await make(source)
    await fill(source, 3)
    await make(postgres_database)
    for sql in (
        # Where and as the extension has its own.
        "CREATE SCHEMA _timescaledb_functions",
        "CREATE TABLE noticed (id bigint)",
        (
            "CREATE FUNCTION _timescaledb_functions.notice() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN INSERT INTO public.noticed VALUES (NEW.id); RETURN NULL; END$$"
        ),
        (
            "CREATE TRIGGER ts_notice AFTER INSERT ON agent_cost_vector "
            "FOR EACH ROW EXECUTE FUNCTION _timescaledb_functions.notice()"
        ),
    ):
        await query(postgres_database, sql)
    assert (await copy_database(source, postgres_database)).same
    (copied,) = await query(source, "SELECT count(*) AS count FROM agent_cost_vector")
    assert await query(postgres_database, "SELECT count(*) AS count FROM noticed") == [copied]
    assert copied["count"] > 0


async def test_a_complete_copy_is_verified_and_left_alone(way):
    """Repeating a copy that had ended writes nothing, and says that both are the same."""
    await fill(way.source)
    await copy_database(way.source, way.target)
    before = await contents(way.target)
    report = await copy_database(way.source, way.target)
    assert (report.state, report.same) == ("complete", True)
    assert sum(table.written for table in report.tables) == 0
    assert await contents(way.target) == before


async def test_a_damaged_value_is_named(way):
    """One changed value in the copy shows with table, key, column and both values; one missing and one surplus row too."""
    await fill(way.source)
    await copy_database(way.source, way.target)
    await query(way.target, "UPDATE agent_cost_vector SET metric_value = 0.00004 WHERE id = 7")
    await query(way.target, "DELETE FROM task_metadata WHERE task_id = 'KEY-3'")
    await insert(way.target, TASK, rows_of(TASK, 1, seed=99))
    report = await copy_database(way.source, way.target)
    assert not report.same
    assert [table.name for table in report.tables if not table.same] == ["task_metadata", "agent_cost_vector"]
    (cost,) = [found for found in report.differences if found.table == "agent_cost_vector"]
    assert (cost.key, cost.column, cost.target) == ("7", "metric_value", "0.0000400000")
    assert ("task_metadata", "KEY-3", "task_id", "KEY-3", None) in report.differences


async def test_damage_during_the_copy_keeps_it_unfinished(way):
    """Rows are read back before the copy counts as complete; repeating it mends what was wrong."""
    await fill(way.source)
    damaged = []

    def report(progress):
        if progress.stage == "copy" and progress.table == "rejected_records" and not damaged:
            damaged.append(progress)
            meanwhile(
                query(way.target, "UPDATE task_metadata SET task_type = 'damaged' WHERE task_id = 'KEY-5'")
            )

    found = await copy_database(way.source, way.target, report=report)
    assert damaged
    assert not found.same
    assert found.differences[0][:3] == ("task_metadata", "KEY-5", "task_type")
    again = await copy_database(way.source, way.target)
    assert (again.state, again.same) == ("resumed", True)
    assert sum(table.written for table in again.tables) == 1
    assert await contents(way.target) == await contents(way.source)


async def test_a_target_with_rows_is_refused(way):
    """A database that holds anything of its own is refused with its name, what it holds and what to do."""
    await make(way.target)
    await insert(way.target, TASK, rows_of(TASK, 2))
    with pytest.raises(
        ConfigurationError, match=r"--to has the value .* already holds rows: task_metadata 2; name an empty"
    ):
        await copy_database(way.source, way.target)
    assert len(await query(way.target, "SELECT task_id FROM task_metadata")) == 2
    await migrate_down(way.target, to=0)
    assert (await copy_database(way.source, way.target)).same


async def test_a_target_with_checkpoints_is_refused(way):
    """A database that a journal has been drained into is refused, rows or not."""
    await make(way.target)
    await insert(way.target, CHECKPOINTS, rows_of(CHECKPOINTS, 1))
    with pytest.raises(ConfigurationError, match="journal_checkpoints 1"):
        await copy_database(way.source, way.target)


async def test_a_source_of_an_older_schema_is_refused_unchanged(tmp_path, postgres_url):
    """A source is never migrated: the message names the command that does."""
    source = f"sqlite:///{tmp_path}/old.db"
    await make(source)
    await migrate_down(source, to=2)
    with pytest.raises(
        MigrationError, match=r"at schema version 2 .* run `asp-telemetry migrate up --database"
    ):
        await copy_database(source, postgres_url)
    assert await query(source, "SELECT max(version) AS version FROM schema_migrations") == [{"version": 2}]


async def test_a_missing_source_makes_no_file(tmp_path, postgres_url):
    """A misspelt source is an error that names it, not a new database."""
    with pytest.raises(ConfigurationError, match="there is no such file"):
        await copy_database(f"sqlite:///{tmp_path}/typo.db", postgres_url)
    assert list(tmp_path.iterdir()) == []


async def test_a_database_is_not_copied_onto_itself(tmp_path):
    """Source and target must differ, also where a link hides that they are one file."""
    source = f"sqlite:///{tmp_path}/a.db"
    await make(source)
    (tmp_path / "b.db").symlink_to(tmp_path / "a.db")
    for target in (source, f"sqlite:///{tmp_path}/b.db"):
        with pytest.raises(ConfigurationError, match="--from and --to both"):
            await copy_database(source, target)


async def test_a_row_that_the_target_cannot_hold_is_named(tmp_path, postgres_url):
    """SQLite lets through a time that is none; the copy stops and names table, key and value, and can be repeated."""
    source = f"sqlite:///{tmp_path}/a.db"
    await make(source)
    await fill(source, 10)
    await query(
        source, "UPDATE task_metadata SET started_at = '2026-99-99 09:00:00.000000' WHERE task_id = 'KEY-4'"
    )
    with pytest.raises(RowRefusedError, match=r"refuses the row 'KEY-4' of task_metadata: .*2026-99-99"):
        await copy_database(source, postgres_url)
    await query(source, "UPDATE task_metadata SET started_at = NULL WHERE task_id = 'KEY-4'")
    report = await copy_database(source, postgres_url)
    assert (report.state, report.same) == ("resumed", True)


async def test_a_value_that_sqlite_cannot_hold_exactly_fails_the_verification(tmp_path, postgres_url):
    """24 digits do not fit into SQLite's numbers: the copy says which value lost some instead of losing them silently."""
    await make(postgres_url)
    (row,) = rows_of(COST, 1)
    await insert(postgres_url, COST, [row])
    await query(postgres_url, "UPDATE agent_cost_vector SET metric_value = 12345678901234.0123456789")
    report = await copy_database(postgres_url, f"sqlite:///{tmp_path}/a.db")
    assert not report.same
    (found,) = report.differences
    assert (found.column, found.source) == ("metric_value", "12345678901234.0123456789")


async def test_what_postgresql_cannot_hold_is_adapted_and_counted(tmp_path, postgres_url):
    """NUL characters, lone surrogates and surplus decimals are replaced the same way for both sides, and reported."""
    source = f"sqlite:///{tmp_path}/a.db"
    await make(source)
    await fill(source, 5)
    await query(
        source,
        "UPDATE task_metadata SET task_description = 'a' || char(0) || 'b', defect_density = 0.1234567, "
        """metadata = '["\\u0000", "\\ud800", "\\\\u0000"]', requirements_text = CAST(x'ff41' AS TEXT) """
        "WHERE task_id = 'KEY-2'",
    )
    report = await copy_database(source, postgres_url)
    assert report.same, report.differences
    assert {
        place: count
        for place, count in report.adapted.items()
        if "task_description" in place or "density" in place
    } == {
        "task_description: characters replaced that PostgreSQL cannot store": 1,
        "defect_density: rounded to 3 decimals": 1,
    }
    assert any("UTF-8" in place for place in report.adapted)
    (row,) = await query(
        postgres_url,
        "SELECT task_description, requirements_text, defect_density::text, metadata FROM task_metadata "
        "WHERE task_id = 'KEY-2'",
    )
    assert row == {
        "task_description": "a\ufffdb", "requirements_text": "\ufffdA", "defect_density": "0.123",
        "metadata": '["\ufffd", "\ufffd", "\\\\u0000"]',
    }  # fmt: skip


async def test_a_live_source_is_copied_as_it_was(way):
    """Rows that arrive while the copy runs stay in the source alone, and the report says that there are some."""
    await fill(way.source)
    before = await contents(way.source)
    arrived = []

    def report(progress):
        if not arrived:
            arrived.append(progress)
            meanwhile(insert(way.source, TABLES[-1], rows_of(TABLES[-1], 1, seed=70)))
            meanwhile(insert(way.source, CHECKPOINTS, rows_of(CHECKPOINTS, 1, seed=70)))

    found = await copy_database(way.source, way.target, report=report)
    assert (found.same, found.source_moved) == (True, True)
    assert await contents(way.target) == before
    assert len((await contents(way.source))["rejected_records"]) == 41


async def test_optional_foreign_keys_do_not_stop_a_copy_with_whole_references(tmp_path, postgres_url):
    """A target that checks foreign keys takes what refers to rows that are there."""
    source = f"sqlite:///{tmp_path}/a.db"
    await make(source)
    await insert(source, TASK, rows_of(TASK, 30))
    costs = [
        dict(zip(COST.names, row, strict=True)) | {"task_id": f"KEY-{n}"}
        for n, row in enumerate(rows_of(COST, 30))
    ]
    await insert(source, COST, [tuple(row.values()) for row in costs])
    await make(postgres_url)
    connection = await asyncpg.connect(postgres_url)
    await connection.execute((schema_directory("postgres") / "optional" / "foreign_keys.sql").read_text())
    await connection.close()
    assert (await copy_database(source, postgres_url)).same


def test_the_fixture_leads_both_ways(way):
    """The contract above runs in either direction."""
    assert is_sqlite(way.source) != is_sqlite(way.target)


@pytest.fixture
async def stranger(postgres_server, postgres_url):
    """Make a user who may read and write all tables of a database as the service role, and owns none of them."""
    await make(postgres_url)
    owner = postgres_url.split("//")[1].split("@")[0]
    name = f"stranger_of_{owner}"
    postgres_server.psql(
        f"CREATE ROLE {name} LOGIN IN ROLE service_role; ALTER ROLE {name} SET search_path = {owner};"
    )
    yield postgres_server.url(user=name)
    postgres_server.psql(f"DROP ROLE {name};")


async def test_who_sees_only_some_rows_copies_none(postgres_server, postgres_url, stranger, tmp_path):
    """A user from whom row-level security hides rows gets an error, not a copy that lacks them."""
    await fill(postgres_url, 5)
    name = stranger.split("//")[1].split("@")[0]
    postgres_server.psql(f"REVOKE service_role FROM {name}; GRANT authenticated TO {name};")
    target = f"sqlite:///{tmp_path}/a.db"
    with pytest.raises(AspTelemetryError, match=r"permission denied|row-level security"):
        await copy_database(stranger, target)
    postgres_server.psql(f"GRANT service_role TO {name};")
    with pytest.raises(StoreUnavailableError, match=r"row-level security.* connect as the owner"):
        await copy_database(stranger, target)


async def test_only_the_owner_may_copy_into_postgresql(stranger, tmp_path):
    """Another user is told before the first row which right is wanting."""
    source = f"sqlite:///{tmp_path}/a.db"
    await make(source)
    with pytest.raises(
        MigrationError, match=r"does not own agent_chaining_patterns, .*connect as the user who ran"
    ):
        await copy_database(source, stranger)
