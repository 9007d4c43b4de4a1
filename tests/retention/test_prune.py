"""Retention on both databases: what goes, what stays, what is written down first."""

import gzip
import json
import stat
from datetime import timedelta

import pytest

from asp_telemetry.errors import (
    BackupError,
    ConfigurationError,
    MigrationError,
    StoreUnavailableError,
)
from asp_telemetry.records import (
    AgentRoutingDecision,
    EndpointCall,
    ExecutionTrace,
    ExecutionTraceArchive,
    HookExecution,
    PatternUsage,
    RouterPerformanceMetric,
    SuccessPattern,
)
from asp_telemetry.retention import RetentionPolicy, count_due, parse_age, prune
from asp_telemetry.retention.archive import read_archive
from keeping import ago, key

DEFAULTS = RetentionPolicy()
LEDGER = ("task_metadata", "agent_cost_vector", "defect_log", "bootstrap_metrics")
TABLES = {
    record.table: record for record in (ExecutionTrace, ExecutionTraceArchive, PatternUsage, SuccessPattern)
}


def trace(number, root, started, status="success"):
    return (
        "INSERT INTO execution_traces (correlation_id, root_id, parent_id, session_id, source, name, started_at, status, "
        f"prompt_text, input, output, tags) VALUES ('{key(number)}', '{key(root)}', "
        f"{'NULL' if number == root else repr(key(root))}, 's', 'user_prompt', 'n{number}', '{started}', '{status}', "
        "'say', '{\"in\": 1}', '{\"out\": [2.50]}', NULL)"
    )


def usage(number, used_at):
    return (
        "INSERT INTO pattern_usage_log (id, pattern_id, correlation_id, user_request, match_score, used, used_at) "
        f"VALUES ('{key(number)}', '{key(1)}', '{key(1)}', 'do', 0.9, '0', '{used_at}')"
    )


def pattern(number, total, won, lost, created, last_used):
    return (
        "INSERT INTO success_patterns (id, source_correlation_id, intent, keywords, agent, routing_strategy, hook_sequence, "
        "endpoint_pattern, total_usage_count, success_count, failure_count, created_at, last_used_at) VALUES "
        f"('{key(number)}', '{key(1)}', 'i', %s, 'a', 'explicit', '[]', '[]', {total}, {won}, {lost}, '{created}', "
        f"{'NULL' if last_used is None else repr(last_used)})"
    )


async def add_patterns(database, *statements):
    empty = "'[]'" if database.dialect == "sqlite" else "'{}'"
    await database.run(*(statement % empty for statement in statements))


async def numbers(database, table, column="correlation_id"):
    rows = await database.rows(f"SELECT {column} AS found FROM {table} WHERE {column} IS NOT NULL")
    return {int(str(row["found"]).replace("-", ""), 16) for row in rows}


def done(summary):
    return {found.rule: found.rows for found in getattr(summary, "pruned", summary)}


@pytest.fixture
async def old(new_database):
    """Make a database with traces, uses and patterns on both sides of their ages, and a full ledger."""
    database = await new_database().fill()
    await database.run(
        "DELETE FROM execution_traces", "DELETE FROM pattern_usage_log", "DELETE FROM success_patterns"
    )
    await database.run(
        trace(1, 1, ago(days=91)), trace(2, 1, ago(days=91), "error"),
        trace(3, 3, ago(days=91)), trace(4, 3, ago(days=89)),
        trace(5, 5, ago(days=91), "in_progress"), trace(6, 5, ago(days=91)),
        trace(7, 7, ago(days=89)), trace(8, 8, ago(days=400), "abandoned"),
        usage(21, ago(days=181)), usage(22, ago(days=179)),
    )  # fmt: skip
    await add_patterns(
        database,
        pattern(11, 4, 1, 3, ago(days=400), ago(days=31)),
        pattern(12, 5, 1, 4, ago(days=400), ago(days=31)),
        pattern(13, 4, 2, 2, ago(days=400), ago(days=31)),
        pattern(14, 4, 1, 3, ago(days=400), ago(days=29)),
        pattern(15, 4, 1, 3, ago(days=31), None),
        pattern(16, 0, 0, 0, ago(days=400), None),
    )
    return database


async def test_the_rules_of_retention(old, tmp_path):
    """Whole trees that ended 90 days ago are archived; uses go after 180 days, bad patterns 30 days after their last use."""
    ledger = {table: await old.count(table) for table in LEDGER}
    assert done(await count_due(old.url, DEFAULTS)) == {"traces": 3, "usage_log": 1, "patterns": 2}
    summary = await prune(old.url, DEFAULTS, archive=tmp_path / "kept")
    assert done(summary) == {"traces": 3, "usage_log": 1, "patterns": 2}
    assert await numbers(old, "execution_traces") == {3, 4, 5, 6, 7}
    assert await numbers(old, "execution_traces_archive") == {1, 2, 8}
    assert await numbers(old, "pattern_usage_log", "id") == {22}
    assert await numbers(old, "success_patterns", "id") == {12, 13, 14, 16}
    assert {table: await old.count(table) for table in LEDGER} == ledger
    again = await prune(old.url, DEFAULTS, archive=tmp_path / "kept")
    assert set(done(again).values()) == {0}
    assert again.archive is None


async def test_counting_changes_nothing(old):
    """What is only counted stays, and what is counted is what is done."""
    before = await old.everything()
    await count_due(old.url, RetentionPolicy(payloads=timedelta(0)), traces_to_file=True)
    assert await old.everything() == before


async def test_batches_do_the_same_as_one(old, tmp_path):
    """However small the batches are, the same goes; each is told."""
    told = []
    summary = await prune(
        old.url,
        RetentionPolicy(payloads=timedelta(days=1)),
        archive=tmp_path,
        batch=1,
        report=lambda *progress: told.append(progress),
    )
    assert done(summary) == {
        "traces": 3, "usage_log": 1, "patterns": 2, "trace_payloads": 4, "archived_payloads": 3,
        **{
            name: done(summary)[name]
            for name in ("endpoint_payloads", "hook_payloads", "routing_payloads", "router_payloads")
        },
    }  # fmt: skip
    assert ("patterns", 1) in told
    assert ("patterns", 2) in told
    assert len(read_archive(summary.archive)) == sum(done(summary).values()) - 3


async def test_what_is_deleted_is_written_down_first(old, tmp_path):
    """The archive file has each deleted row with all its columns, readable as its record, for this user alone."""
    before = {row.id: row for record in (PatternUsage, SuccessPattern) for row in await old.records(record)}
    summary = await prune(old.url, DEFAULTS, archive=tmp_path / "kept")
    found = read_archive(summary.archive)
    assert [table for table, _ in found] == ["pattern_usage_log", "success_patterns", "success_patterns"]
    for table, row in found:
        columns = {name: row[name] for name in TABLES[table].columns()}
        record = TABLES[table].model_validate(columns)
        assert record == before[record.id]
    assert stat.S_IMODE(summary.archive.stat().st_mode) == 0o600
    assert stat.S_IMODE(summary.archive.parent.stat().st_mode) == 0o700
    with gzip.open(summary.archive, "rt") as lines:
        header = json.loads(next(lines))
    (identity,) = await old.rows("SELECT id FROM database_identity")
    assert header["database_id"] == str(identity["id"])


async def test_traces_can_leave_the_database(old, tmp_path):
    """Old traces, archived ones too, go to the file if that is wanted, with all that they hold."""
    await prune(old.url, DEFAULTS, archive=tmp_path)
    await old.run(trace(31, 31, ago(days=95)))
    kept = {row.correlation_id: row for row in await old.records(ExecutionTraceArchive)}
    summary = await prune(old.url, DEFAULTS, archive=tmp_path, traces_to_file=True)
    assert done(summary) == {"traces": 1, "archived_traces": 3, "usage_log": 0, "patterns": 0}
    assert await old.count("execution_traces_archive") == 0
    assert await numbers(old, "execution_traces") == {3, 4, 5, 6, 7}
    found = [TABLES[table].model_validate(row) for table, row in read_archive(summary.archive)]
    assert {row.correlation_id.int for row in found} == {31, 1, 2, 8}
    assert all(row == kept[row.correlation_id] for row in found if row.correlation_id in kept)


async def test_payloads_go_and_rows_stay(old, tmp_path):
    """Inputs, outputs, prompts, bodies and headers that are old go, not those of what still runs; figures stay."""
    call = (
        "INSERT INTO endpoint_calls (id, correlation_id, service_name, endpoint_path, http_method, success, started_at, "
        "request_body, response_body, headers, response_status) VALUES "
        "('{0}', '{0}', 's', '/', 'GET', '1', '{1}', '{{\"q\": 1}}', NULL, '{{\"h\": 2}}', 200)"
    )
    await old.run(call.format(key(41), ago(days=8)), call.format(key(42), ago(days=6)))
    policy = RetentionPolicy(payloads=timedelta(days=7))
    before = await old.count("endpoint_calls")
    summary = await prune(old.url, policy, archive=tmp_path)
    for record in (ExecutionTrace, ExecutionTraceArchive):
        for row in await old.records(record):
            running = row.status == "in_progress"
            assert (row.prompt_text is not None, row.input is not None, row.output is not None) == (
                running,
            ) * 3
            assert row.name == f"n{row.correlation_id.int}"
    calls = {row.id.int: row for row in await old.records(EndpointCall) if row.id.int in (41, 42)}
    assert (calls[41].request_body, calls[41].headers, calls[41].response_status) == (None, None, 200)
    assert calls[42].request_body == {"q": 1}
    assert await old.count("endpoint_calls") == before
    written = {row.get("correlation_id"): row for _, row in read_archive(summary.archive) if "input" in row}
    assert json.loads(written[key(7)]["input"]) == {"in": 1}
    assert set(done(await prune(old.url, policy, archive=tmp_path)).values()) == {0}


async def test_requests_and_hooks_keep_their_rows_without_payloads(old, tmp_path):
    """Old requests, and what hooks looked up and changed, go; who was chosen, how sure and how fast, stays."""
    for number, moment in ((51, ago(days=8)), (52, ago(days=6))):
        await old.run(
            "INSERT INTO agent_routing_decisions (id, correlation_id, user_request, selected_agent, selection_reason, "
            "confidence_total, alternatives, routing_duration_ms, created_at) VALUES "
            f"('{key(number)}', '{key(number)}', 'fix it', 'debugger', 'it fits', 0.9, '[]', 2, '{moment}'); "
        )
        await old.run(
            "INSERT INTO router_performance_metrics (id, metric_type, confidence_score, cache_key, feedback_details, "
            f"measured_at) VALUES ('{key(number)}', 'routing_decision', 0.9, 'fix it', '{{}}', '{moment}')"
        )
        await old.run(
            "INSERT INTO hook_executions (id, execution_id, correlation_id, hook_type, status, rag_queries_executed, "
            f"modifications_made, context, started_at) VALUES ('{key(number)}', '{key(number)}', '{key(number)}', "
            f"'PreToolUse', 'success', '[]', '{{}}', '{{}}', '{moment}')"
        )
    policy = RetentionPolicy(payloads=timedelta(days=7))
    summary = await prune(old.url, policy, archive=tmp_path)
    decisions = {row.id.int: row for row in await old.records(AgentRoutingDecision)}
    emptied, whole = decisions[51], decisions[52]
    assert (emptied.user_request, emptied.selection_reason, emptied.alternatives) == ("", None, None)
    assert (emptied.selected_agent, float(emptied.confidence_total)) == ("debugger", 0.9)
    assert (whole.user_request, whole.selection_reason, whole.alternatives) == ("fix it", "it fits", [])
    metrics = {row.id.int: row for row in await old.records(RouterPerformanceMetric)}
    assert (metrics[51].cache_key, metrics[51].feedback_details, metrics[52].cache_key) == (
        None,
        None,
        "fix it",
    )
    hooks = {row.id.int: row for row in await old.records(HookExecution)}
    assert (hooks[51].rag_queries_executed, hooks[51].modifications_made, hooks[51].context) == (None,) * 3
    assert (hooks[51].hook_type, hooks[52].context) == ("PreToolUse", {})
    written = [row for table, row in read_archive(summary.archive) if table == "agent_routing_decisions"]
    assert [row["user_request"] for row in written if row["id"] == key(51)] == ["fix it"]
    assert set(done(await prune(old.url, policy, archive=tmp_path)).values()) == {0}


async def test_for_good_if_that_is_wanted(old, tmp_path):
    """Without a folder nothing is written anywhere; traces cannot go to a file then."""
    before = set(tmp_path.rglob("*.gz"))
    assert done(await prune(old.url, DEFAULTS, archive=None))["patterns"] == 2
    assert set(tmp_path.rglob("*.gz")) == before
    with pytest.raises(ConfigurationError, match="--discard"):
        await prune(old.url, DEFAULTS, archive=None, traces_to_file=True)


async def test_nothing_goes_that_could_not_be_written_down(old, tmp_path):
    """Where the archive file cannot be made the rows stay, and the error names the folder."""
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(BackupError, match="cannot be written"):
        await prune(old.url, DEFAULTS, archive=blocked)
    assert await numbers(old, "pattern_usage_log", "id") == {21, 22}


async def test_an_execution_that_ends_after_it_was_archived(old):
    """A final row that came after its abandoned one was archived replaces it there."""
    await prune(old.url, DEFAULTS, archive=None)
    await old.run(trace(8, 8, ago(days=400), "success"))
    assert done(await prune(old.url, DEFAULTS, archive=None))["traces"] == 1
    rows = await old.rows(f"SELECT status FROM execution_traces_archive WHERE correlation_id = '{key(8)}'")
    assert [row["status"] for row in rows] == ["success"]
    assert 8 not in await numbers(old, "execution_traces")


async def test_an_older_schema_is_refused(new_database, tmp_path):
    """A database that is not at the current schema is left alone, with the command that helps; so is a missing one."""
    database = new_database()
    with pytest.raises((MigrationError, StoreUnavailableError), match=r"migrate up|does not exist"):
        await prune(database.url, DEFAULTS, archive=tmp_path)


def test_ages_are_read_or_refused():
    """Ages are days, weeks or hours; what is none is refused by its value."""
    assert [parse_age(text) for text in ("7", "2W", " 36h ")] == [
        timedelta(days=7), timedelta(days=14), timedelta(hours=36),
    ]  # fmt: skip
    for text in ("", "-1d", "1y", "d", "1.5d", "999999w"):
        with pytest.raises(ConfigurationError, match="is not one"):
            parse_age(text)
