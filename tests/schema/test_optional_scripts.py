"""The optional PostgreSQL scripts: each runs on a migrated database, does what it says, and does not break the rest."""

import re
from datetime import datetime, timedelta

import asyncpg
import pytest

from asp_telemetry.migrations import Migrator, PostgresTarget
from asp_telemetry.records import RECORDS
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.statements import load_statements

OPTIONAL = schema_directory("postgres") / "optional"
SAMPLE = (schema_directory("postgres") / "sample_data.sql").read_text()
PATTERN = (
    "INSERT INTO success_patterns (source_correlation_id, prompt_embedding, intent, keywords, agent, routing_strategy, "
    "hook_sequence, endpoint_pattern) SELECT gen_random_uuid(), {}, 'i' || n, '{{}}', 'a', 's', '[]', '[]' "
    "FROM generate_series(1, {}) AS n"
)


def script(name):
    return (OPTIONAL / name).read_text()


@pytest.fixture
async def migrated(postgres_database):
    connection = await asyncpg.connect(postgres_database, statement_cache_size=0)
    await Migrator(PostgresTarget(connection)).up()
    yield connection
    await connection.close()


@pytest.fixture
async def vectors(migrated):
    if not await migrated.fetchval("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'"):
        pytest.skip("this server has no pgvector")
    return migrated


async def test_vectors_are_found_through_an_index(vectors):
    """With pgvector the same function gives the same answer from an index; other widths are kept and not found."""
    migrated = vectors
    await migrated.execute("SELECT setseed(0.5)")
    await migrated.execute(PATTERN.format("ARRAY[random(), random(), n::real / 2000]::real[]", 2000))
    await migrated.execute(PATTERN.format("ARRAY[1, 0]::real[]", 10))
    question = "SELECT intent FROM asp_match_patterns('{0.3, 0.9, 0.1}', 0.9, 5)"
    slowly = [row[0] for row in await migrated.fetch(question)]
    await migrated.execute("SET asp.embedding_width = '3'")
    await migrated.execute(script("pgvector.sql"))
    await migrated.execute("SET hnsw.ef_search = 200; ANALYZE success_patterns")
    assert [row[0] for row in await migrated.fetch(question)] == slowly
    assert len(slowly) == 5
    await migrated.execute("SELECT pg_stat_force_next_flush()")
    scans = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'idx_pattern_embedding'"
    assert await migrated.fetchval(scans) > 0
    await migrated.execute(PATTERN.format("ARRAY[1, 2, 3, 4]::real[]", 1))
    with pytest.raises(asyncpg.DataError, match="expected 3 dimensions"):
        await migrated.execute("SELECT asp_match_patterns('{1, 2}')")


@pytest.mark.parametrize(("width", "kind"), [("1536", "vector"), ("3072", "halfvec")])
async def test_the_width_is_chosen_and_kept(vectors, width, kind):
    """Any width up to 4000 can be chosen, above 2000 at half the precision; the database says which it is."""
    migrated = vectors
    await migrated.execute(f"SET asp.embedding_width = '{width}'")
    for _ in range(2):
        await migrated.execute(script("pgvector.sql"))
    rows = await migrated.fetch(
        "SELECT pg_get_indexdef(oid), obj_description(oid, 'pg_class') FROM pg_class WHERE relname LIKE 'idx%embedding'"
    )
    assert len(rows) == 2
    assert all(f"::{kind}({width})" in row[0] and row[1] == f"embedding width {width}" for row in rows)
    summary = await Migrator(PostgresTarget(migrated)).down(to=0)
    assert summary.version_after == 0


@pytest.mark.parametrize("width", ["", "0", "4001"])
async def test_a_bad_width_is_refused(vectors, width):
    """Without a sensible width nothing is changed, and the hint says what to do."""
    migrated = vectors
    await migrated.execute(f"SET asp.embedding_width = '{width}'")
    with pytest.raises(asyncpg.PostgresError, match="must be 1 to 4000"):
        await migrated.execute(script("pgvector.sql"))
    assert await migrated.fetchval("SELECT count(*) FROM pg_class WHERE relname LIKE 'idx%embedding'") == 0


async def test_defect_types_can_be_closed(migrated):
    """The closed list takes the documented types as text, in batches too, and refuses others."""
    await migrated.execute(SAMPLE)
    await migrated.execute(script("strict_defect_types.sql"))
    insert = (
        "INSERT INTO defect_log (defect_id, task_id, defect_type, phase_injected, phase_removed, description) "
        "SELECT id, 'T', kind, 'Code', 'Test', 'd' FROM unnest($1::text[], $2::text[]) AS t (id, kind)"
    )
    await migrated.execute(insert, ["E1", "E2"], ["4_Hallucination", "unknown"])
    with pytest.raises(asyncpg.DataError, match="9_New"):
        await migrated.execute(insert, ["E3"], ["9_New"])
    assert await migrated.fetchval("SELECT count(*) FROM defect_log") == 4
    assert (await Migrator(PostgresTarget(migrated)).down(to=0)).version_after == 0


async def test_defect_types_are_not_closed_over_other_rows(migrated):
    """While rows of other types exist the script fails and changes nothing."""
    await migrated.execute(
        "INSERT INTO defect_log (defect_id, task_id, defect_type, phase_injected, phase_removed, description) "
        "VALUES ('D', 'T', 'odd', 'Code', 'Test', 'd')"
    )
    with pytest.raises(asyncpg.DataError, match="odd"):
        await migrated.execute(script("strict_defect_types.sql"))
    await migrated.execute("ROLLBACK")
    assert await migrated.fetchval("SELECT defect_type FROM defect_log") == "odd"


async def test_foreign_keys_are_checked_at_the_end_of_a_transaction(migrated):
    """With foreign keys children may still come first, as long as the parent comes in the same transaction."""
    await migrated.execute(SAMPLE)
    await migrated.execute(script("foreign_keys.sql"))
    child = (
        "INSERT INTO agent_cost_vector (task_id, agent_role, metric_type, metric_value, metric_unit) "
        "VALUES ('NEW', 'Code', 'Latency', 1, 'ms')"
    )
    async with migrated.transaction():
        await migrated.execute(child)
        await migrated.execute("INSERT INTO task_metadata (task_id) VALUES ('NEW')")
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await migrated.execute(child.replace("NEW", "NEWER"))
    keys = await migrated.fetch(
        "SELECT conname, condeferred, conrelid::regclass AS child FROM pg_constraint WHERE contype = 'f'"
    )
    assert len(keys) == 6
    assert all(key["condeferred"] for key in keys)
    for key in keys:
        await migrated.execute(f"ALTER TABLE {key['child']} VALIDATE CONSTRAINT {key['conname']}")
    await migrated.execute("SELECT asp_prune('1 day', '1 day', '1 day')")
    assert (await Migrator(PostgresTarget(migrated)).down(to=0)).version_after == 0


async def test_costs_can_be_guarded_by_views_instead_of_row_security(migrated, postgres_database):
    """Prepared for hypertables, users still see their own costs only, through the same views; the service sees all."""
    await migrated.execute(SAMPLE)
    await migrated.execute(
        "INSERT INTO agent_cost_vector (task_id, user_id, agent_role, metric_type, metric_value, metric_unit) "
        "VALUES ('T', 'bo', 'Code', 'API_Cost', 5, 'USD'), ('T', NULL, 'Code', 'API_Cost', 2, 'USD')"
    )
    await migrated.execute(script("hypertable_access.sql"))
    own, views = "SELECT sum(metric_value) FROM own_agent_cost_vector WHERE metric_type = 'API_Cost'", {}
    assert str(await migrated.fetchval(own)) == "7.1726500000"
    for role, user, total in (("service_role", "x", "7.1726500000"), ("authenticated", "ana", "2.1726500000"),
                              ("authenticated", "bo", "7.0000000000"), ("authenticated", "", "2.0000000000")):  # fmt: skip
        async with migrated.transaction():
            await migrated.execute(f"SET LOCAL ROLE {role}")
            await migrated.execute(f"SET LOCAL asp.user_id = '{user}'")
            assert str(await migrated.fetchval(own)) == total
            views[user] = await migrated.fetchval("SELECT api_cost_usd_24h FROM dashboard_summary")
            await migrated.fetch("SELECT * FROM trace_summary, agent_performance, bootstrap_status")
            await migrated.fetch("SELECT * FROM asp_trace_tree('019bc0de-0000-7000-8000-000000000001')")
    assert [int(total) for total in views.values()] == [7, 2, 7, 2]
    for role in ("authenticated", "anon"):
        await migrated.execute(f"SET ROLE {role}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await migrated.fetch("SELECT * FROM agent_cost_vector")
        await migrated.execute("RESET ROLE")


async def test_scripts_without_the_extension_say_so(migrated):
    """Where TimescaleDB is not installed its script stops at the first line and changes nothing."""
    if await migrated.fetchval("SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'"):
        pytest.skip("this server has TimescaleDB")
    with pytest.raises(asyncpg.PostgresError, match="timescaledb"):
        await migrated.execute(script("timescaledb.sql"))
    assert await Migrator(PostgresTarget(migrated)).check() > 0


# What TimescaleDB adds, in a form that an ordinary server understands: enough to try the rest of the script there.
ORDINARY = """
CREATE FUNCTION by_range(text, interval) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION create_hypertable(regclass, text, create_default_indexes boolean, migrate_data boolean)
  RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $2';
CREATE FUNCTION add_compression_policy(regclass, interval) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION add_continuous_aggregate_policy(regclass, start_offset interval, end_offset interval, schedule_interval interval)
  RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION time_bucket(interval, timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE
  AS $$SELECT date_bin($1, $2, '2000-01-01 00:00:00+00')$$;
CREATE TABLE summed_up (name text, earliest timestamptz, latest timestamptz);
CREATE PROCEDURE refresh_continuous_aggregate(regclass, timestamptz, timestamptz) LANGUAGE sql
  AS 'INSERT INTO summed_up VALUES ($1, $2, $3)';
"""


# What of TimescaleDB 2.22 the commands look into: the names and types of its catalog, with one hypertable half compressed.
CATALOG = """
CREATE SCHEMA timescaledb_information;
CREATE VIEW timescaledb_information.hypertables AS
  SELECT 'public'::name AS hypertable_schema, 'agent_cost_vector'::name AS hypertable_name, 4::bigint AS num_chunks
  UNION ALL SELECT 'public', 'bootstrap_metrics', 1 UNION ALL SELECT 'public', 'of_somebody_else', 9;
CREATE VIEW timescaledb_information.continuous_aggregates AS
  SELECT 'public'::name AS view_schema, 'daily_cost_summary'::name AS view_name
  UNION ALL SELECT 'elsewhere', 'another';
CREATE FUNCTION hypertable_compression_stats(hypertable regclass) RETURNS TABLE (
  total_chunks bigint, number_compressed_chunks bigint, before_compression_table_bytes bigint,
  before_compression_index_bytes bigint, before_compression_toast_bytes bigint, before_compression_total_bytes bigint,
  after_compression_table_bytes bigint, after_compression_index_bytes bigint, after_compression_toast_bytes bigint,
  after_compression_total_bytes bigint, node_name name) LANGUAGE sql STABLE STRICT AS
  $$SELECT 4, 2, 600, 300, 100, 1000, 60, 30, 10, 100, NULL::name WHERE $1 = 'agent_cost_vector'::regclass$$;
CREATE FUNCTION hypertable_detailed_size(hypertable regclass) RETURNS TABLE (
  table_bytes bigint, index_bytes bigint, toast_bytes bigint, total_bytes bigint, node_name name) LANGUAGE sql STRICT AS
  $$SELECT 660, 330, NULL::bigint, 990, NULL::name WHERE $1 = 'agent_cost_vector'::regclass
    UNION ALL SELECT NULL, NULL, NULL, NULL, NULL WHERE $1 = 'bootstrap_metrics'::regclass$$;
"""


async def test_the_state_of_hypertables_is_asked_in_their_words(migrated):
    """Sizes and compression come from TimescaleDB's own functions, for our tables only, also where nothing is compressed."""
    if await migrated.fetchval("SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'"):
        pytest.skip("this server has TimescaleDB, which the commands are tested with as it is")
    await migrated.execute(CATALOG)
    asked = load_statements(schema_directory("postgres") / "upkeep.sql")
    ours = [record.table for record in RECORDS]

    async def answer(name, *values):
        return [tuple(row) for row in await migrated.fetch(asked[name], *values)]

    assert await answer("hypertables", ours) == [("agent_cost_vector",), ("bootstrap_metrics",)]
    assert await answer("aggregates") == [("daily_cost_summary",)]
    assert await answer("compression", ours) == [
        ("agent_cost_vector", 4, 2, 1000, 100),
        ("bootstrap_metrics", 1, 0, None, None),
    ]
    assert sorted(await answer("hypertable_sizes", ours)) == [
        ("agent_cost_vector", 660, 330),
        ("bootstrap_metrics", 0, 0),
    ]


async def test_the_script_for_hypertables_fits_the_schema(migrated):
    """Keys change, views go and come back with the same columns and figures; what only TimescaleDB knows is left out here."""
    if await migrated.fetchval("SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'"):
        pytest.skip("this server has TimescaleDB, where the script runs as it is")
    await migrated.execute(SAMPLE)
    views = ("daily_cost_summary", "hourly_agent_performance")

    async def figures(view):
        rows = [dict(row) for row in await migrated.fetch(f"SELECT * FROM {view}")]
        for row in rows:
            if view == "daily_cost_summary" and isinstance(row["day"], datetime):
                row["day"] = row["day"].date()
        return sorted(rows, key=str)

    before = [await figures(view) for view in views]
    text = re.sub(
        r"CREATE EXTENSION.*?;|ALTER TABLE \w+ SET \(\s+timescaledb.*?\);",
        "",
        script("timescaledb.sql"),
        flags=re.DOTALL,
    )
    text = re.sub(r"\nWITH \(timescaledb[^)]*\)", "", text).replace("WITH NO DATA", "")
    text = text.replace(
        "CREATE MATERIALIZED VIEW", "CREATE VIEW"
    )  # which is what one of TimescaleDB's is to PostgreSQL
    await migrated.execute(ORDINARY + script("hypertable_access.sql") + text)
    assert [await figures(view) for view in views] == before
    assert all(before)
    told = "SELECT relname::text FROM pg_class WHERE relname = ANY ($1) AND obj_description(oid, 'pg_class') <> ''"
    assert {row[0] for row in await migrated.fetch(told, views)} == set(views)
    # All of the past, and of the present only what the policies would: sums of today would be old the minute after.
    summed = await migrated.fetch("SELECT name, earliest, now() - latest FROM summed_up")
    ends = {"daily_cost_summary": timedelta(days=1), "hourly_agent_performance": timedelta(hours=1)}
    assert {row[0]: (row[1], round(row[2] / ends[row[0]], 2)) for row in summed} == dict.fromkeys(
        views, (None, 1)
    )
    await migrated.execute("SET ROLE authenticated")
    for view in views:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await migrated.fetch(f"SELECT * FROM {view}")
