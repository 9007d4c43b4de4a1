"""Each trap of the original designs, sprung once, and shown to be avoided: on both databases where it concerns both."""

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest

from asp_telemetry.errors import MigrationError
from asp_telemetry.migrations import Migrator, PostgresTarget, load_migrations
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.sqlite_connection import open_database

POSTGRES = schema_directory("postgres")
COST = (
    "INSERT INTO agent_cost_vector (timestamp, task_id, agent_role, metric_type, metric_value, metric_unit) "
    "VALUES ('{moment}', 'T', '{role}', '{metric}', 0.00003, 'USD')"
)


def cost(moment="2026-01-15 09:00:00.000000", role="Code", metric="API_Cost"):
    return COST.format(moment=moment, role=role, metric=metric)


def sql_files():
    return {path: path.read_text() for path in POSTGRES.rglob("*.sql")}


async def test_1_the_execution_date_deploys_and_is_that_of_utc(in_postgres, in_sqlite):
    """The day of a cost is its day in UTC wherever the server stands; the original expression does not even deploy."""
    with pytest.raises(asyncpg.PostgresError, match="not immutable"):
        await in_postgres.execute(
            "CREATE TABLE trap (t timestamptz, d date GENERATED ALWAYS AS (t::date) STORED)"
        )
    assert await in_postgres.fetchval("SHOW timezone") == "Asia/Kolkata"
    await in_postgres.execute(cost("2026-01-15 23:30:00.000000+00"))
    in_sqlite.execute(cost("2026-01-15 23:30:00.000000"))
    day = "SELECT execution_date FROM agent_cost_vector"
    assert str(await in_postgres.fetchval(day)) == in_sqlite.execute(day).fetchone()[0] == "2026-01-15"


async def test_2_small_costs_are_not_rounded_away(in_postgres, in_sqlite):
    """A cost of 0.00003 USD stays what it is; in the original column it was 0.0000."""
    assert await in_postgres.fetchval("SELECT 0.00003::numeric(15,4)") == 0
    await in_postgres.execute(cost())
    in_sqlite.execute(cost())
    value = "SELECT metric_value FROM agent_cost_vector"
    assert await in_postgres.fetchval(value) == Decimal("0.00003")
    assert Decimal(repr(in_sqlite.execute(value).fetchone()[0])) == Decimal("0.00003")


async def test_3_hypertables_get_keys_with_the_time(postgres_database):
    """The TimescaleDB script runs where TimescaleDB is; elsewhere its keys and the catalog it names are looked at."""
    script = (POSTGRES / "optional" / "timescaledb.sql").read_text()
    assert "ADD PRIMARY KEY (id, timestamp)" in script
    assert "ADD PRIMARY KEY (id, measured_at)" in script
    assert not [
        path for path, text in sql_files().items() if "timescaledb_information.hypertable_compression" in text
    ]
    connection = await asyncpg.connect(postgres_database)
    try:
        if not await connection.fetchval(
            "SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'"
        ):
            pytest.skip("this server has no TimescaleDB: its script was read, not run")
        await Migrator(PostgresTarget(connection)).up()
        await connection.execute((POSTGRES / "optional" / "hypertable_access.sql").read_text())
        await connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
        transaction, _, calls = script.partition("\nCOMMIT;\n")
        await connection.execute(f"{transaction}\nCOMMIT;")
        for call in re.findall(r"^CALL .*;$", calls, re.MULTILINE):
            await connection.execute(call)
        await connection.execute(cost("2026-01-15 09:00:00+00"))
        for chunk in await connection.fetch("SELECT show_chunks('agent_cost_vector')::text"):
            await connection.execute(f"SELECT compress_chunk('{chunk[0]}')")
        assert await connection.fetchval("SELECT sum(metric_value) FROM own_agent_cost_vector") == Decimal(
            "0.00003"
        )
        assert await connection.fetchval("SELECT api_cost_usd FROM daily_cost_summary") == Decimal("0.00003")
        assert await connection.fetchval("SELECT tasks FROM hourly_agent_performance") == 1
        assert await connection.fetchval("SELECT count(*) FROM timescaledb_information.hypertables") == 2
    finally:
        await connection.close()


async def test_4_times_compare_correctly_as_text(in_sqlite):
    """In SQLite the times of rows compare with datetime(); the T of the original format, which does not, is refused."""
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    in_sqlite.execute(cost(f"{today} 00:00:00.000000"))
    assert f"{today}T00:00:00" > f"{today} 23:59:59"
    late = "SELECT count(*) FROM agent_cost_vector WHERE timestamp > datetime(?, '+1 minute')"
    assert in_sqlite.execute(late, (today,)).fetchone() == (0,)
    with pytest.raises(sqlite3.IntegrityError):
        in_sqlite.execute(cost(f"{today}T00:00:00.000000"))


async def test_5_row_security_is_there_outside_of_supabase(in_postgres):
    """Roles and policies exist on any server, not on Supabase alone; who sees what is tested role by role."""
    roles = await in_postgres.fetch(
        "SELECT rolname FROM pg_roles WHERE rolname IN ('service_role', 'authenticated', 'anon') AND NOT rolcanlogin"
    )
    assert len(roles) == 3
    assert not await in_postgres.fetchval("SELECT to_regprocedure('auth.uid()')")
    assert await in_postgres.fetchval("SELECT asp_user_id()") is None


async def test_6_no_index_depends_on_the_moment(in_postgres):
    """Partial indexes have constant conditions; PostgreSQL refuses any other."""
    with pytest.raises(asyncpg.PostgresError, match="IMMUTABLE"):
        await in_postgres.execute("CREATE INDEX trap ON task_metadata (task_id) WHERE created_at > now()")
    rows = await in_postgres.fetch(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() AND indexdef ~ ' WHERE '"
    )
    assert len(rows) > 10
    assert not [row for row in rows if "now()" in row[0]]


@pytest.mark.parametrize(
    ("direction", "value", "reached"),
    [
        ("lower_is_better", 18, 1),
        ("lower_is_better", 22, 0),
        ("higher_is_better", 18, 0),
        ("higher_is_better", 22, 1),
    ],
)
async def test_7_a_target_is_reached_in_its_own_direction(in_postgres, in_sqlite, direction, value, reached):
    """An error rate reaches its target from above, a true-positive rate from below."""
    moment = "2026-01-15 09:00:00.000000"
    sql = (
        "INSERT INTO bootstrap_metrics (measured_at, measurement_period_start, measurement_period_end, capability_name, "
        "capability_mode, tasks_completed, tasks_required_for_graduation, primary_metric_name, primary_metric_value, "
        f"primary_metric_target, metric_direction) VALUES ('{moment}', '{moment}', '{moment}', 'c', 'Shadow', 1, 2, 'm', "
        f"{value}, 20, '{direction}')"
    )
    in_sqlite.execute(sql)
    await in_postgres.execute(sql)
    question = "SELECT on_target FROM bootstrap_status"
    assert in_sqlite.execute(question).fetchone() == (reached,)
    assert await in_postgres.fetchval(question) is bool(reached)


async def test_8_children_may_be_written_before_their_parents(in_postgres, in_sqlite):
    """No table refers to another by default: a cost is taken though neither task nor execution is there yet."""
    assert await in_postgres.fetch("SELECT * FROM pg_constraint WHERE contype = 'f'") == []
    for (table,) in in_sqlite.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        assert in_sqlite.execute("SELECT * FROM pragma_foreign_key_list(?)", (table,)).fetchall() == []
    await in_postgres.execute(cost())
    in_sqlite.execute(cost())


async def test_9_no_index_repeats_the_head_of_another(in_postgres, in_sqlite):
    """Indexes cost writes: none is there that another one with the same leading columns would answer for."""

    def repeated(indexes):
        return [
            (short, longer) for short, longer in ((a, b) for a in indexes for b in indexes if a is not b)
            if short[0] == longer[0] and longer[1][: len(short[1])] == short[1]
        ]  # fmt: skip

    rows = await in_postgres.fetch(
        "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND indexdef !~ ' WHERE | gin '"
    )
    found = [(row[0], re.search(r"\((.*)\)", row[1])[1].split(", ")) for row in rows]
    assert repeated(found) == []
    found = [
        (
            table,
            [
                row[0]
                for row in in_sqlite.execute("SELECT name FROM pragma_index_info(?) ORDER BY seqno", (index,))
            ],
        )
        for table, index in in_sqlite.execute(
            "SELECT t.name, i.name FROM sqlite_schema t, pragma_index_list(t.name) i WHERE t.type = 'table' AND NOT partial"
        ).fetchall()
    ]
    assert repeated(found) == []


async def test_10_vocabularies_are_open(in_postgres, in_sqlite):
    """A new role, metric, defect type, strategy or outcome needs no new schema; closed are only the documented lists."""
    for database_does in (in_postgres.execute, in_sqlite.execute):
        defect = (
            "INSERT INTO defect_log (defect_id, task_id, defect_type, phase_injected, phase_removed, description) "
            "VALUES ('D', 'T', '9_New', 'Dream', 'Waking', 'd')"
        )
        for statement in (cost(role="Gardener", metric="Joy"), defect):
            done = database_does(statement)
            if hasattr(done, "__await__"):
                await done
    rows = await in_postgres.fetch(
        "SELECT DISTINCT attname::text FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey) "
        "WHERE contype = 'c' AND pg_get_constraintdef(pg_constraint.oid) ~ 'ANY' AND connamespace = current_schema()::regnamespace"
    )
    closed = {"status", "bootstrap_phase", "capability_mode", "severity", "metric_direction", "kind"}
    assert {row[0] for row in rows} == closed
    text = "\n".join(
        sql for (sql,) in in_sqlite.execute("SELECT sql FROM sqlite_schema WHERE type = 'table'")
    )
    assert set(re.findall(r"\((\w+) (?:IN \('|= ')", text)) == closed


async def test_11_embeddings_have_no_width(in_postgres, in_sqlite):
    """The base schema takes vectors of any model, needs no extension, and knows no width that would break a checksum."""
    types = await in_postgres.fetch(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
        "WHERE attname LIKE '%embedding' AND relkind = 'r' AND relnamespace = current_schema()::regnamespace"
    )
    assert [row[0] for row in types] == ["real[]", "real[]"]
    assert not [m.label for m in load_migrations("postgres") if re.search(r"\bvector\(|halfvec", m.up)]
    rows = ("'{0.5, 1}'", "'{0.5, 1, 2}'")
    insert = (
        "INSERT INTO success_patterns (source_correlation_id, prompt_embedding, intent, keywords, agent, routing_strategy, "
        "hook_sequence, endpoint_pattern) VALUES ('00000000-0000-0000-0000-000000000001', {}, 'i', {}, 'a', 's', '[]', '[]')"
    )
    for row in rows:
        await in_postgres.execute(insert.format(row, "'{}'"))
        in_sqlite.execute(insert.format(row.replace("{", "[").replace("}", "]"), "'[]'"))


async def test_12_measured_durations_stay_and_nothing_ends_before_it_began(in_postgres, in_sqlite):
    """A measured duration is not recomputed, and no defect is resolved before it was made, whatever the clocks say."""
    one = "'00000000-0000-0000-0000-000000000001'"
    start = datetime(2026, 1, 15, 9, tzinfo=UTC)
    await in_postgres.execute(
        "INSERT INTO execution_traces (correlation_id, root_id, session_id, source, name, started_at, completed_at, duration_ms) "
        f"VALUES ({one}, {one}, 's', 's', 'n', $1, $2, 5)", start, start + timedelta(hours=1),
    )  # fmt: skip
    assert await in_postgres.fetchval("SELECT duration_ms FROM execution_traces") == 5
    defect = (
        "INSERT INTO defect_log (defect_id, created_at, resolved_at, task_id, defect_type, phase_injected, phase_removed, "
        "description) VALUES ('D', '2026-01-15 09:00:00.000001', '2026-01-15 09:00:00.000000', 'T', 'x', 'Code', 'Test', 'd')"
    )
    with pytest.raises(asyncpg.CheckViolationError):
        await in_postgres.execute(defect)
    with pytest.raises(sqlite3.IntegrityError):
        in_sqlite.execute(defect)


async def test_13_databases_of_the_original_scripts_are_known(tmp_path, postgres_database):
    """An original SQLite database arrives at the newest version with its rows; original tables on PostgreSQL are refused by name."""
    original = (Path(__file__).parent / "original.sql").read_text()
    path = tmp_path / "asp_telemetry.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(original)
    opened = await open_database(path)
    await opened.connection.close()
    with closing(sqlite3.connect(path)) as database:
        versions = database.execute("SELECT count(*) FROM schema_migrations").fetchone()
        assert versions == (len(load_migrations("sqlite")),)
        assert database.execute("SELECT count(*) FROM agent_cost_vector").fetchone() == (3,)
        assert database.execute("SELECT sum(tasks) FROM defect_density_by_component").fetchone() == (2,)
    connection = await asyncpg.connect(postgres_database)
    await connection.execute(
        "CREATE TABLE agent_cost_vector (id bigserial PRIMARY KEY, timestamp timestamptz, task_id varchar(100), "
        "metric_value numeric(15,4)); CREATE TABLE bootstrap_metrics (id bigserial PRIMARY KEY)"
    )
    with pytest.raises(MigrationError, match="agent_cost_vector, bootstrap_metrics"):
        await Migrator(PostgresTarget(connection)).up()
    await connection.close()
