"""What PostgreSQL does by itself: triggers that keep times, durations and counters, and the functions."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import asyncpg
import pytest

NOW = datetime(2026, 1, 15, 9, tzinfo=UTC)


def uuid_of(number):
    return UUID(int=number)


async def add_trace(connection, number, root, parent=None, *, started=NOW, status="success"):
    await connection.execute(
        "INSERT INTO execution_traces (correlation_id, root_id, parent_id, session_id, source, name, started_at, status) "
        "VALUES ($1, $2, $3, 's', 'user_prompt', $4, $5, $6)",
        uuid_of(number), uuid_of(root), None if parent is None else uuid_of(parent), f"n{number}", started, status,
    )  # fmt: skip


async def add_pattern(connection, number=1, embedding=None):
    await connection.execute(
        "INSERT INTO success_patterns (id, source_correlation_id, prompt_embedding, intent, keywords, agent, routing_strategy, "
        "hook_sequence, endpoint_pattern) VALUES ($1, $1, $2, 'i', '{}', 'a', 'explicit', '[]', '[]')",
        uuid_of(number), embedding,
    )  # fmt: skip


async def add_usage(connection, *, used=True, outcome=None, pattern=1):
    return await connection.fetchval(
        "INSERT INTO pattern_usage_log (pattern_id, correlation_id, user_request, match_score, used, outcome, expected_duration_ms, "
        "used_at) VALUES ($1, $1, 'q', 0.9, $2, $3, 100, $4) RETURNING id", uuid_of(pattern), used, outcome, NOW,
    )  # fmt: skip


async def counters(connection):
    return tuple(
        await connection.fetchrow(
            "SELECT total_usage_count, success_count, failure_count, success_rate FROM success_patterns"
        )
    )


async def test_updated_at_moves_unless_it_is_said(in_postgres):
    """An update that says nothing about updated_at moves it; one that says something is believed; nothing moves it back."""
    await in_postgres.execute("INSERT INTO task_metadata (task_id, updated_at) VALUES ('T', $1)", NOW)
    await in_postgres.execute("UPDATE task_metadata SET status = 'failed'")
    assert await in_postgres.fetchval("SELECT updated_at FROM task_metadata") > NOW
    await in_postgres.execute("UPDATE task_metadata SET updated_at = $1", NOW)
    assert await in_postgres.fetchval("SELECT updated_at FROM task_metadata") == NOW
    future = datetime.now(UTC) + timedelta(days=1)
    await in_postgres.execute("UPDATE task_metadata SET updated_at = $1", future)
    await in_postgres.execute("UPDATE task_metadata SET status = 'pending'")
    assert await in_postgres.fetchval("SELECT updated_at FROM task_metadata") == future


@pytest.mark.parametrize(
    ("table", "columns", "values"),
    [
        ("execution_traces", "correlation_id, root_id, session_id, source, name", f"'{uuid_of(1)}', '{uuid_of(1)}', '', '', ''"),
        ("hook_executions", "correlation_id, execution_id, hook_type", f"'{uuid_of(1)}', '{uuid_of(1)}', ''"),
        ("endpoint_calls", "correlation_id, service_name, endpoint_path, http_method, success", f"'{uuid_of(1)}', '', '', '', true"),
    ],
)  # fmt: skip
async def test_durations_are_filled_in_but_never_overwritten(in_postgres, table, columns, values):
    """A missing duration follows from start and completion, at insert and later; a measured one stays; none is below zero."""
    insert = f"INSERT INTO {table} ({columns}, started_at, completed_at, duration_ms) VALUES ({values}, $1, $2, $3)"
    duration = f"SELECT duration_ms FROM {table}"
    await in_postgres.execute(insert, NOW, NOW + timedelta(microseconds=1500), None)
    assert await in_postgres.fetchval(duration) == Decimal("1.5")
    await in_postgres.execute(f"DELETE FROM {table}")
    await in_postgres.execute(insert, NOW, NOW + timedelta(seconds=1), Decimal("999.123456"))
    await in_postgres.execute(f"UPDATE {table} SET completed_at = completed_at + interval '1 day'")
    assert await in_postgres.fetchval(duration) == Decimal("999.123456")
    await in_postgres.execute(f"DELETE FROM {table}")
    await in_postgres.execute(insert, NOW, None, None)
    assert await in_postgres.fetchval(duration) is None
    await in_postgres.execute(f"UPDATE {table} SET completed_at = $1", NOW - timedelta(seconds=1))
    assert await in_postgres.fetchval(duration) == 0


async def test_usage_is_counted_once_its_outcome_is_known(in_postgres):
    """Counters follow the log: told at once or later, corrected, offered but not used; deleting from the log uncounts nothing."""
    await add_pattern(in_postgres)
    assert await counters(in_postgres) == (0, 0, 0, 1)
    await add_usage(in_postgres, outcome="success")
    running = await add_usage(in_postgres)
    await add_usage(in_postgres, used=False)
    assert await counters(in_postgres) == (1, 1, 0, 1)
    assert await in_postgres.fetchval("SELECT asp_record_outcome($1, 'failure', 150)", running) == uuid_of(1)
    assert await counters(in_postgres) == (2, 1, 1, Decimal("0.5"))
    log = await in_postgres.fetchrow(
        "SELECT success, performance_variance FROM pattern_usage_log WHERE id = $1", running
    )
    assert tuple(log) == (False, Decimal("0.5"))
    await in_postgres.execute("SELECT asp_record_outcome($1, 'partial_success')", running)
    assert await counters(in_postgres) == (2, 1, 0, Decimal("0.5"))
    await in_postgres.execute("DELETE FROM pattern_usage_log")
    assert await counters(in_postgres) == (2, 1, 0, Decimal("0.5"))
    assert await in_postgres.fetchval("SELECT last_used_at FROM success_patterns") == NOW
    assert await in_postgres.fetchval("SELECT asp_record_outcome(gen_random_uuid(), 'success')") is None


async def test_a_trace_tree_shows_parents_before_children(in_postgres):
    """A tree comes depth first in the order of the starts, with what each has used itself; orphans stand at the top."""
    await add_trace(in_postgres, 1, 1)
    await add_trace(in_postgres, 2, 1, 1, started=NOW + timedelta(seconds=2))
    await add_trace(in_postgres, 3, 1, 1, started=NOW + timedelta(seconds=1))
    await add_trace(in_postgres, 4, 1, 3, started=NOW + timedelta(seconds=3))
    await add_trace(in_postgres, 5, 1, 99, started=NOW + timedelta(seconds=4))
    await add_trace(in_postgres, 6, 6)
    for metric, value in (("Tokens_In", 30), ("Tokens_Out", 12), ("API_Cost", Decimal("0.00003"))):
        await in_postgres.execute(
            "INSERT INTO agent_cost_vector (task_id, correlation_id, agent_role, metric_type, metric_value, metric_unit) "
            "VALUES ('T', $1, 'Code', $2, $3, 'u')", uuid_of(4), metric, value,
        )  # fmt: skip
    rows = await in_postgres.fetch("SELECT * FROM asp_trace_tree($1)", uuid_of(1))
    assert [(row["depth"], row["name"]) for row in rows] == [
        (0, "n1"),
        (1, "n3"),
        (2, "n4"),
        (1, "n2"),
        (0, "n5"),
    ]
    assert (rows[2]["tokens"], rows[2]["api_cost_usd"]) == (42, Decimal("0.00003"))
    assert rows[0]["tokens"] is None


async def test_old_traces_move_to_the_archive_as_whole_trees(in_postgres):
    """Trees that ended long ago move, so many at a time; a tree with a young or a running member stays together."""
    old, young = datetime.now(UTC) - timedelta(days=100), datetime.now(UTC)
    for number, root, started, status in (
        (1, 1, old, "success"), (2, 1, old, "error"), (3, 3, old, "success"), (4, 3, young, "success"),
        (5, 5, old, "in_progress"), (6, 5, old, "success"), (7, 7, young, "success"), (8, 8, old, "success"),
    ):  # fmt: skip
        await add_trace(
            in_postgres, number, root, None if number == root else root, started=started, status=status
        )
    assert await in_postgres.fetchval("SELECT asp_archive_traces('90 days', 1)") in (1, 2)
    await in_postgres.execute("SELECT asp_archive_traces()")
    live, archived = [
        {row[0].int for row in await in_postgres.fetch(f"SELECT correlation_id FROM {table}")}
        for table in ("execution_traces", "execution_traces_archive")
    ]
    assert (live, archived) == ({3, 4, 5, 6, 7}, {1, 2, 8})
    assert await in_postgres.fetchval("SELECT asp_archive_traces()") == 0
    tree = await in_postgres.fetch("SELECT name FROM asp_trace_tree($1)", uuid_of(1))
    assert [row[0] for row in tree] == ["n1", "n2"]


async def test_an_execution_that_ends_after_it_was_archived_is_kept_once(in_postgres):
    """A final row that comes after its abandoned one was archived replaces it there."""
    old = datetime.now(UTC) - timedelta(days=100)
    await add_trace(in_postgres, 1, 1, started=old, status="abandoned")
    await in_postgres.execute("SELECT asp_archive_traces()")
    await add_trace(in_postgres, 1, 1, started=old, status="success")
    assert len(await in_postgres.fetch("SELECT * FROM asp_trace_tree($1)", uuid_of(1))) == 1
    assert await in_postgres.fetchval("SELECT asp_archive_traces()") == 1
    assert await in_postgres.fetchval("SELECT status FROM execution_traces_archive") == "success"
    assert await in_postgres.fetchval("SELECT count(*) FROM execution_traces") == 0


async def test_patterns_are_matched_by_the_angle_of_their_vectors(in_postgres):
    """The nearest patterns come first, those too far or of another width do not come at all."""
    for number, embedding in enumerate(([1, 0, 0], [10, 1, 0], [0, 1, 0], [1, 0], None, [0, 0, 0]), start=1):
        await add_pattern(in_postgres, number, embedding)
    rows = await in_postgres.fetch("SELECT pattern_id, similarity FROM asp_match_patterns('{2,0,0}', 0.7)")
    assert [row["pattern_id"].int for row in rows] == [1, 2]
    assert rows[0]["similarity"] == pytest.approx(1)
    assert rows[1]["similarity"] == pytest.approx(10 / 101**0.5)
    assert len(await in_postgres.fetch("SELECT * FROM asp_match_patterns('{2,0,0}', 0.7, 1)")) == 1


async def test_errors_are_counted_by_what_makes_them_the_same(in_postgres):
    """The same error is one row however long its message, with its newest ten executions; another agent's is another."""
    message = "m" * 100_000
    record = "SELECT asp_record_error('KeyError', $1, $2, agent => $3, seen_at => $4)"
    ids = {
        await in_postgres.fetchval(record, message, uuid_of(number), "Code", NOW + timedelta(seconds=number))
        for number in range(12)
    }
    assert len(ids) == 1
    row = await in_postgres.fetchrow("SELECT * FROM error_patterns")
    assert (row["occurrence_count"], row["first_seen_at"], row["last_seen_at"]) == (
        12,
        NOW,
        NOW + timedelta(seconds=11),
    )
    assert [sample.int for sample in row["sample_correlation_ids"]] == list(range(11, 1, -1))
    await in_postgres.execute(record, message, uuid_of(1), "Test", NOW)
    await in_postgres.execute(record, message, uuid_of(1), None, NOW)
    await in_postgres.execute(record, message, uuid_of(1), None, NOW)
    counts = await in_postgres.fetch("SELECT occurrence_count FROM error_patterns ORDER BY 1")
    assert [row[0] for row in counts] == [1, 2, 12]


async def test_errors_counted_at_once_are_all_counted(in_postgres, postgres_url):
    """Several writers that meet the same new error at the same moment lose nothing."""
    writers = [await asyncpg.connect(postgres_url) for _ in range(4)]

    async def count(writer):
        for number in range(25):
            await writer.execute("SELECT asp_record_error('E', 'm', $1)", uuid_of(number))

    await asyncio.gather(*map(count, writers))
    assert [row[0] for row in await in_postgres.fetch("SELECT occurrence_count FROM error_patterns")] == [100]
    await asyncio.gather(*(writer.close() for writer in writers))


async def test_retention_keeps_what_it_should(in_postgres):
    """Pruning archives old traces, forgets old uses and bad old patterns, and never touches the ledger of costs."""
    old = datetime.now(UTC) - timedelta(days=400)
    await add_trace(in_postgres, 1, 1, started=old)
    await in_postgres.execute(
        "INSERT INTO agent_cost_vector (timestamp, task_id, agent_role, metric_type, metric_value, metric_unit) "
        "VALUES ($1, 'T', 'Code', 'API_Cost', 1, 'USD')", old,
    )  # fmt: skip
    await add_usage(in_postgres)
    for number, counts, used in (
        (1, (4, 1, 3), old),
        (2, (5, 1, 4), old),
        (3, (4, 2, 2), old),
        (4, (4, 1, 3), None),
        (5, (0, 0, 0), None),
    ):
        await add_pattern(in_postgres, number)
        await in_postgres.execute(
            "UPDATE success_patterns SET total_usage_count = $2, success_count = $3, failure_count = $4, last_used_at = $5, "
            "created_at = CASE WHEN $6 THEN now() ELSE $5 END WHERE id = $1",
            uuid_of(number), *counts, used, used is None,
        )  # fmt: skip
    told = {row["what"]: row["row_count"] for row in await in_postgres.fetch("SELECT * FROM asp_prune()")}
    assert told == {
        "execution_traces archived": 1,
        "pattern_usage_log deleted": 1,
        "success_patterns deleted": 1,
    }
    left = await in_postgres.fetch("SELECT id FROM success_patterns ORDER BY 1")
    assert [row[0].int for row in left] == [2, 3, 4, 5]
    assert await in_postgres.fetchval("SELECT count(*) FROM agent_cost_vector") == 1


async def test_functions_and_triggers_do_not_depend_on_the_search_path(in_postgres):
    """Whoever calls by full name from another schema gets the same."""
    schema = await in_postgres.fetchval("SELECT current_schema()")
    await add_pattern(in_postgres)
    await add_trace(in_postgres, 1, 1, started=datetime.now(UTC) - timedelta(days=100))
    await in_postgres.execute("SET search_path = pg_catalog")
    usage = await in_postgres.fetchval(
        f"INSERT INTO {schema}.pattern_usage_log (pattern_id, correlation_id, user_request, match_score, used) "
        "VALUES ($1, $1, 'q', 1, true) RETURNING id", uuid_of(1),
    )  # fmt: skip
    await in_postgres.execute(f"SELECT {schema}.asp_record_outcome($1, 'success')", usage)
    assert await in_postgres.fetchval(f"SELECT success_count FROM {schema}.success_patterns") == 1
    assert len(await in_postgres.fetch(f"SELECT * FROM {schema}.asp_trace_tree($1)", uuid_of(1))) == 1
    assert await in_postgres.fetchval(f"SELECT {schema}.asp_record_error('e', 'm', $1)", uuid_of(1))
    assert (
        dict(await in_postgres.fetch(f"SELECT * FROM {schema}.asp_prune()"))["execution_traces archived"] == 1
    )
    assert await in_postgres.fetch(f"SELECT * FROM {schema}.dashboard_summary")


async def test_every_function_is_explained(in_postgres):
    """Each function says what it does."""
    rows = await in_postgres.fetch(
        "SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND obj_description(oid, 'pg_proc') IS NULL"
    )
    assert rows == []
