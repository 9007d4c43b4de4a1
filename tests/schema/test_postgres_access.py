"""Who sees what: each role of the database, connected for real, looks through every table and view."""

from contextlib import asynccontextmanager

import asyncpg
import pytest

from asp_telemetry.migrations import Migrator, PostgresTarget
from asp_telemetry.records import RECORDS
from asp_telemetry.resources import published_queries, schema_directory
from postgres import Server, programs

TABLES = [record.table for record in RECORDS]
SERVICE_ONLY = {
    "schema_migrations", "database_identity", "journal_checkpoints", "rejected_records", "success_patterns",
    "pattern_usage_log", "agent_chaining_patterns", "error_patterns", "pattern_effectiveness",
}  # fmt: skip
WRITES = """
INSERT INTO task_metadata (task_id, user_id, status, estimated_complexity, actual_cost_vector_json, components_affected)
  SELECT task, who, 'completed', 3, '{"tokens": 1}', ARRAY[lower(task) || '.py']
  FROM (VALUES ('A', 'ana'), ('B', 'bo'), ('N', NULL)) AS t (task, who);
INSERT INTO agent_cost_vector (task_id, user_id, correlation_id, agent_role, metric_type, metric_value, metric_unit)
  SELECT task, who, ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'Code', 'API_Cost', n, 'USD'
  FROM (VALUES ('A', 'ana', 1), ('B', 'bo', 2), ('N', NULL, 3)) AS t (task, who, n);
INSERT INTO defect_log (defect_id, task_id, user_id, defect_type, phase_injected, phase_removed, description, component_path)
  VALUES ('DA', 'A', 'ana', 'x', 'Code', 'Test', 'd', 'a.py'), ('DB', 'B', 'bo', 'x', 'Code', 'Test', 'd', 'b.py'),
    ('DN', 'N', NULL, 'x', 'Code', 'Test', 'd', 'n.py');
INSERT INTO execution_traces (correlation_id, root_id, session_id, user_id, source, kind, name, agent_role, status, started_at)
  SELECT i, i, 's', who, 'user_prompt', 'agent', coalesce(who, 'none'), 'role of ' || coalesce(who, 'none'), 'error', now()
  FROM (VALUES ('00000000-0000-0000-0000-000000000001'::uuid, 'ana'), ('00000000-0000-0000-0000-000000000002', 'bo'),
    ('00000000-0000-0000-0000-000000000003', NULL)) AS t (i, who);
INSERT INTO execution_traces_archive SELECT * FROM execution_traces;
UPDATE execution_traces_archive SET correlation_id = ('10000000' || right(correlation_id::text, 28))::uuid;
INSERT INTO agent_routing_decisions (correlation_id, user_request, confidence_total, routing_duration_ms)
  SELECT correlation_id, coalesce(user_id, 'none'), 1, 1 FROM execution_traces
  UNION ALL SELECT correlation_id, coalesce(user_id, 'none'), 1, 1 FROM execution_traces_archive;
INSERT INTO hook_executions (execution_id, correlation_id, hook_type)
  SELECT correlation_id, correlation_id, 'hook of ' || coalesce(user_id, 'none') FROM execution_traces;
INSERT INTO endpoint_calls (correlation_id, service_name, endpoint_path, http_method, success)
  SELECT correlation_id, 'service of ' || coalesce(user_id, 'none'), '/', 'GET', true FROM execution_traces;
INSERT INTO agent_transformation_events (event_type, correlation_id, target_agent)
  SELECT 'transformation_start', correlation_id, coalesce(user_id, 'none') FROM execution_traces;
INSERT INTO router_performance_metrics (metric_type, correlation_id)
  SELECT 'cache_hit', correlation_id FROM execution_traces UNION ALL SELECT 'cache_hit', NULL;
INSERT INTO agent_definitions (agent_name, agent_type, yaml_config) VALUES ('coder', 'specialist', '{}');
INSERT INTO bootstrap_metrics (measurement_period_start, measurement_period_end, capability_name, capability_mode,
  tasks_completed, tasks_required_for_graduation, primary_metric_name, primary_metric_value, primary_metric_target,
  metric_direction) VALUES (now(), now(), 'P', 'Shadow', 1, 2, 'MAPE', 1, 2, 'lower_is_better');
INSERT INTO success_patterns (source_correlation_id, intent, keywords, agent, routing_strategy, hook_sequence, endpoint_pattern)
  VALUES ('00000000-0000-0000-0000-000000000001', 'i', '{}', 'a', 'explicit', '[]', '[]');
INSERT INTO pattern_usage_log (pattern_id, correlation_id, user_request, match_score, used)
  SELECT id, source_correlation_id, 'bo asked this', 1, true FROM success_patterns;
INSERT INTO agent_chaining_patterns (primary_agent, delegated_agents, delegation_depth, trigger_context, source_traces)
  VALUES ('a', '{}', 0, '', '{}');
INSERT INTO error_patterns (error_type, error_message_pattern, sample_correlation_ids) VALUES ('e', 'm', '{}');
INSERT INTO journal_checkpoints (journal_id, position, updated_at) VALUES ('j', 1, now());
INSERT INTO rejected_records (journal_id, sequence, record, reason, rejected_at) VALUES ('j', 1, '{}', 'r', now());
"""


@pytest.fixture
async def service(postgres_server, postgres_database):
    """Migrate a database, and write to it as an application does that is not the owner of the tables."""
    owner = await asyncpg.connect(postgres_database)
    await Migrator(PostgresTarget(owner)).up()
    for login, role in (("app", "service_role"), ("user", "authenticated"), ("guest", "anon")):
        name = f"{login}_{postgres_database.rpartition('/')[2]}"
        await owner.execute(f"CREATE ROLE {name} LOGIN IN ROLE {role}")
    await owner.close()
    async with connected(postgres_database, "app") as connection:
        await connection.execute(WRITES)
        yield postgres_database


@asynccontextmanager
async def connected(url, login, user_id=None):
    """Connect with the rights of a role, by a login of its own."""
    name = f"{login}_{url.rpartition('/')[2]}"
    settings = {} if user_id is None else {"asp.user_id": user_id}
    connection = await asyncpg.connect(url.replace("postgres@", f"{name}@"), server_settings=settings)
    try:
        yield connection
    finally:
        await connection.close()


async def views(connection):
    rows = await connection.fetch(
        "SELECT relname::text FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace"
    )
    return [row[0] for row in rows]


def mentions(rows, user):
    return any(user in str(value) for row in rows for value in row.values())


async def test_the_service_sees_and_changes_everything(service):
    """The service role reads each table and view, and may change and delete what it wrote."""
    async with connected(service, "app") as connection:
        for name in [*TABLES, *await views(connection)]:
            assert await connection.fetch(f"SELECT * FROM {name}"), name
        assert await connection.execute("UPDATE task_metadata SET status = 'failed'") == "UPDATE 3"
        assert await connection.execute("DELETE FROM rejected_records") == "DELETE 1"
        assert await connection.fetch("SELECT * FROM asp_prune()")


async def test_a_user_sees_its_own_rows_and_those_of_none(service):
    """An ordinary user sees its own rows and those of nobody, through every table and every view."""
    seen = set()
    async with connected(service, "user", "ana") as connection:
        for name in sorted({*TABLES, *await views(connection)} - SERVICE_ONLY):
            rows = [dict(row) for row in await connection.fetch(f"SELECT * FROM {name}")]
            assert rows, name
            assert not mentions(rows, "bo"), name
            assert not mentions(rows, "000000000002"), name
            if mentions(rows, "ana") or mentions(rows, "000000000001"):
                seen.add(name)
        assert len(await connection.fetch("SELECT * FROM task_metadata")) == 2
        assert len(await connection.fetch("SELECT * FROM agent_routing_decisions")) == 4
        assert len(await connection.fetch("SELECT * FROM router_performance_metrics")) == 2
        assert await connection.fetchval("SELECT api_cost_usd_24h FROM dashboard_summary") == 1 + 3
        for text in published_queries("postgres").values():
            assert not mentions(await connection.fetch(text), "b.py")
    # The rest says nothing of anybody: agents, capabilities, and sums over roles, days and reviews.
    assert {*TABLES, "trace_summary", "agent_performance", "hook_performance_summary", "endpoint_reliability",
            "error_analysis"} - SERVICE_ONLY - {"agent_definitions", "bootstrap_metrics"} <= seen  # fmt: skip


async def test_a_user_without_a_name_sees_what_belongs_to_nobody(service):
    """Where no user is set, only rows of nobody are seen; an empty setting is no user."""
    for user in (None, ""):
        async with connected(service, "user", user) as connection:
            assert [row[0] for row in await connection.fetch("SELECT task_id FROM task_metadata")] == ["N"]
            assert await connection.fetchval("SELECT count(*) FROM hook_executions") == 1


async def test_a_user_sees_its_own_tree_only(service):
    """The function that shows a trace shows a user nothing of somebody else's."""
    async with connected(service, "user", "ana") as connection:
        for number, expected in ((1, 1), (2, 0), (3, 1)):
            rows = await connection.fetch(
                f"SELECT * FROM asp_trace_tree('00000000-0000-0000-0000-00000000000{number}')"
            )
            assert len([row for row in rows if row["correlation_id"].int < 10]) == expected


async def test_a_user_reads_and_nothing_else(service):
    """An ordinary user may not write anything, nor look at patterns and house-keeping, nor prune."""
    async with connected(service, "user", "ana") as connection:
        for name in sorted(SERVICE_ONLY):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM {name}")
        for statement in (
            "INSERT INTO task_metadata (task_id) VALUES ('mine')",
            "UPDATE task_metadata SET user_id = 'ana'",
            "DELETE FROM agent_cost_vector",
            "TRUNCATE execution_traces",
            "SELECT asp_prune()",
            "SELECT asp_archive_traces()",
            "SELECT asp_match_patterns('{1}')",
            "SELECT asp_record_error('e', 'm', gen_random_uuid())",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


async def test_anonymous_sees_nothing(service):
    """The anonymous role may not look into any table or view, nor call any function that does."""
    async with connected(service, "guest", "ana") as connection:
        for name in [*TABLES, *await views(connection)]:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM {name}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT asp_trace_tree('00000000-0000-0000-0000-000000000003')")


async def test_default_grants_of_the_host_are_taken_back(postgres_database):
    """Where every new table is granted to all three roles, as on Supabase, ours are not."""
    owner = await asyncpg.connect(postgres_database)
    await owner.execute(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role"
    )
    await owner.execute(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated"
    )
    await Migrator(PostgresTarget(owner)).up()
    for kind, objects in (("anon", "r, v"), ("authenticated", "r, v")):
        granted = await owner.fetch(
            "SELECT relname::text, privilege_type FROM pg_class, aclexplode(relacl) WHERE relnamespace = 'public'::regnamespace "
            "AND relkind IN ('r', 'v') AND grantee = $1::text::regrole", kind,
        )  # fmt: skip
        assert {row[1] for row in granted} <= ({"SELECT"} if kind == "authenticated" else set()), objects
        assert not {row[0] for row in granted} & SERVICE_ONLY
        called = await owner.fetch(
            "SELECT proname::text FROM pg_proc, aclexplode(proacl) WHERE pronamespace = 'public'::regnamespace "
            "AND grantee = $1::text::regrole AND prorettype <> 'trigger'::regtype", kind,
        )  # fmt: skip
        assert {row[0] for row in called} <= {"asp_user_id", "asp_trace_tree"} - (
            {"asp_trace_tree"} if kind == "anon" else set()
        )
    await owner.close()


async def test_supabase_users_are_known_by_their_token(postgres_database):
    """Where auth.uid() exists it names the user, and the setting, which anyone may change, does not override it."""
    owner = await asyncpg.connect(postgres_database)
    await Migrator(PostgresTarget(owner)).up()
    await owner.execute(
        "CREATE SCHEMA auth; CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS "
        "$$SELECT nullif(current_setting('request.jwt.sub', true), '')::uuid$$; SET asp.user_id = 'ana'"
    )
    ana = "00000000-0000-0000-0000-0000000000aa"
    assert await owner.fetchval("SELECT asp_user_id()") == "ana"
    await owner.execute(f"SET request.jwt.sub = '{ana}'")
    assert await owner.fetchval("SELECT asp_user_id()") == ana
    await owner.execute("CREATE ROLE outsider_of_auth; GRANT USAGE ON SCHEMA public TO outsider_of_auth")
    await owner.execute("SET ROLE outsider_of_auth")
    assert await owner.fetchval("SELECT asp_user_id()") == "ana"
    await owner.execute("RESET ROLE; DROP OWNED BY outsider_of_auth; DROP ROLE outsider_of_auth")
    await owner.close()


async def test_copy_is_refused_under_row_security(service):
    """Whoever is not the owner writes with INSERT: PostgreSQL itself refuses COPY FROM under row security."""
    async with connected(service, "app") as connection:
        with pytest.raises(asyncpg.FeatureNotSupportedError):
            await connection.copy_records_to_table("task_metadata", records=[("C",)], columns=["task_id"])
        await connection.execute("INSERT INTO task_metadata (task_id) SELECT unnest($1::text[])", ["C", "D"])
        assert await connection.fetchval("SELECT count(*) FROM task_metadata") == 5


async def test_every_view_looks_with_its_readers_eyes(in_postgres):
    """No view is left that shows what its owner may see."""
    rows = await in_postgres.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'v' AND relnamespace = current_schema()::regnamespace "
        "AND NOT coalesce(reloptions @> '{security_invoker=true}', false)"
    )
    assert rows == []


async def test_every_table_has_row_security(in_postgres):
    """No table is left without row security and a policy for the service."""
    rows = await in_postgres.fetch(
        "SELECT relname, relrowsecurity, (SELECT count(*) FROM pg_policy WHERE polrelid = pg_class.oid AND polname = 'service') "
        "FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
    )
    assert {tuple(row)[1:] for row in rows} == {(True, 1)}


def test_roles_are_made_where_they_are_missing(postgres_server):
    """On a fresh server the roles are made, nobody can log in as one, and a user who may not make them is told whom to ask."""
    server = Server(programs())
    try:
        server.psql("CREATE ROLE humble LOGIN; CREATE SCHEMA humble AUTHORIZATION humble;")
        spine = (schema_directory("postgres") / "migrations" / "0001_spine.up.sql").read_text()
        with pytest.raises(RuntimeError, match="administrator run: CREATE ROLE service_role NOLOGIN"):
            server.psql(spine, user="humble")
        server.psql(spine)
        roles = "SELECT rolname, rolcanlogin, rolsuper, rolbypassrls FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1"
        assert server.psql(roles).split() == [
            "anon|f|f|f", "authenticated|f|f|f", "humble|t|f|f", "postgres|t|t|t", "service_role|f|f|f",
        ]  # fmt: skip
        server.psql(spine, user="humble")
    finally:
        server.remove()
