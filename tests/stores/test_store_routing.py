"""Decisions, what was found out about them, and hooks come back from either database, in whatever order they came."""

from decimal import Decimal
from itertools import permutations

import anyio
import pytest
from batches import LATER, LATEST, MOMENT, Lane, commit, new_id, open_patiently, write_patiently

from asp_telemetry.records import (
    AgentRoutingDecision,
    EndpointCall,
    HookExecution,
    RouterPerformanceMetric,
)
from asp_telemetry.writer.batch import Change
from asp_telemetry.writer.facts import endpoint_columns, hook_columns
from asp_telemetry.writer.routing import routing_rows, validation_row

START_NS = 1_795_168_800_000_000_000


def decided(key, **facts):
    """Make the rows of a decision."""
    given = {
        "id": key,
        "user_request": "fix it",
        "confidence_total": 0.9,
        "selected_agent": "debugger",
        **facts,
    }
    return routing_rows({"started_ns": START_NS, "duration_ns": 1_500_000, **given}, new_id())


def found_out(key, moment, quality=None, **facts):
    """Make the row of a validation."""
    return validation_row(
        {"id": key, "actual_success": True, "actual_quality_score": quality, **facts}, moment
    )


async def test_a_decision_comes_back_as_it_was(store, database):
    """Every column of a decision keeps its value; its own metric and that of the look into the cache have theirs."""
    key, look, pattern = new_id(), new_id(), new_id()
    decision, metrics = decided(
        key, selection_reason="it's\ttoo\n\\ \"", confidence_trigger=0.1234, alternatives=[{"agent": "ü"}],
        alternatives_count=1, routing_strategy="explicit", pattern_id=pattern, cache_hit=True, cache_key="k",
        cache_age_seconds=3, cache_lookup_us=7, request_embedding=[0.5, -1e-7], look_id=look,
    )  # fmt: skip
    await commit(store, lane := Lane(), lane.entry(Change.ROUTING, (decision, metrics)))
    found = await database.only(AgentRoutingDecision)
    assert (str(found.id), str(found.pattern_id)) == (key, pattern)
    assert found.selection_reason == "it's\ttoo\n\\ \""
    assert (found.confidence_total, found.confidence_trigger) == (Decimal("0.9"), Decimal("0.1234"))
    assert found.alternatives == [{"agent": "ü"}]
    assert (found.cache_hit, found.routing_strategy) == (True, "explicit")
    assert found.routing_duration_ms == Decimal("1.5")
    assert found.request_embedding == pytest.approx((0.5, -1e-7))
    rows = {str(row.id): row for row in await database.records(RouterPerformanceMetric)}
    assert set(rows) == {key, look}
    assert (rows[key].metric_type, rows[key].total_routing_time_us, rows[key].cache_lookup_us) == (
        "routing_decision", 1500, 7
    )  # fmt: skip
    assert rows[key].measured_at == found.created_at
    assert (rows[look].metric_type, rows[look].total_routing_time_us, rows[look].cache_age_seconds) == (
        "cache_hit", None, 3
    )  # fmt: skip
    assert rows[look].selection_validated is None


async def test_the_order_of_arrival_does_not_matter(store, database):
    """Whether a decision or its validations come first, together or apart, again or once, the outcome is the same."""
    steps = ("decision", "first", "second", "second again")
    outcomes = set()
    for order in permutations(steps):
        for together in (False, True):
            key, lane = new_id(), Lane()
            rows = {
                "decision": (Change.ROUTING, decided(key)),
                "first": (
                    Change.ROUTING_VALIDATION,
                    found_out(key, LATER, 0.1, feedback_provided=True, feedback_type="negative"),
                ),
                "second": (Change.ROUTING_VALIDATION, found_out(key, LATEST, 0.7)),
                "second again": (Change.ROUTING_VALIDATION, found_out(key, LATEST, 0.7)),
            }
            entries = [lane.entry(*rows[step]) for step in order]
            if together:
                await commit(store, lane, *entries)
            else:
                for entry in entries:
                    await commit(store, lane, entry)
    for row in await database.records(RouterPerformanceMetric):
        outcomes.add(tuple(row.model_dump(exclude={"id", "correlation_id"}, mode="json").items()))
    (outcome,) = [
        dict(outcome) for outcome in {tuple((name, str(value)) for name, value in row) for row in outcomes}
    ]
    assert outcome["metric_type"] == "routing_decision"
    assert Decimal(outcome["prediction_error"]) == Decimal("0.2")
    assert outcome["feedback_type"] == "None"
    assert len(await database.records(AgentRoutingDecision)) == 2 * 24


async def test_validations_without_their_decision_tell_the_earliest_moment(store, database):
    """Until its decision comes, a validation's row says that it is one, and when it was first heard of."""
    key = new_id()
    for moment in (LATER, MOMENT, LATEST):
        await commit(
            store, lane := Lane(), lane.entry(Change.ROUTING_VALIDATION, found_out(key, moment, 0.5))
        )
    row = await database.only(RouterPerformanceMetric)
    assert (row.metric_type, row.prediction_error, row.selected_agent) == ("validation", None, None)
    assert row.measured_at < row.validated_at


async def test_writers_that_meet_on_decisions_do_not_deadlock(database):
    """Many writers that decide and validate crosswise all get through, and every outcome is complete."""
    keys = [new_id() for _ in range(24)]

    async def write(number):
        store, lane = database.new_store(), Lane()
        await open_patiently(store)
        try:
            for start in range(0, len(keys), 6):
                part = keys[start : start + 6]
                own = [key for place, key in enumerate(part) if place % 3 == number]
                others = [key for place, key in enumerate(part) if place % 3 == (number + 1) % 3]
                entries = [lane.entry(Change.ROUTING, decided(key)) for key in reversed(own)]
                entries += [
                    lane.entry(Change.ROUTING_VALIDATION, found_out(key, LATER, 0.4)) for key in others
                ]
                await write_patiently(store, lane, entries)
        finally:
            await store.close()

    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(write, number)
    rows = await database.records(RouterPerformanceMetric)
    assert len(rows) == len(keys)
    assert {(row.metric_type, row.prediction_error) for row in rows} == {("routing_decision", Decimal("0.5"))}


async def test_a_hook_and_its_calls_come_back_as_they_were(store, database):
    """Every column of a hook keeps its value, and an endpoint call names the hook that made it."""
    key, parent, execution = new_id(), new_id(), new_id()
    hook = hook_columns(
        {
            "id": key, "parent_id": parent, "hook_type": "PreToolUse", "tool_name": "Write", "hook_script": "a.py",
            "status": "timeout", "success": False, "error_message": "it's\ttoo\n\\ \"", "started_ns": START_NS,
            "duration_ns": 2_000_001, "quality_gates_validated": ["a,b", 'c"d', "{e}"], "context": {"a": 1},
            "intelligence_functions_executed": ["ü"], "rag_queries_executed": [{"query": "q"}], "modifications_made": {},
        },
        execution, LATER,
    )  # fmt: skip
    call = endpoint_columns(
        {
            "id": new_id(), "hook_execution_id": key, "service_name": "rag", "endpoint_path": "/", "http_method": "GET",
            "success": True, "started_ns": START_NS, "duration_ns": 5,
        },
        execution, LATER,
    )  # fmt: skip
    await commit(store, lane := Lane(), lane.entry(Change.HOOK, hook), lane.entry(Change.ENDPOINT, call))
    found = await database.only(HookExecution)
    assert [str(value) for value in (found.id, found.execution_id, found.parent_id, found.correlation_id)] == [
        key, key, parent, execution
    ]  # fmt: skip
    assert (found.hook_type, found.tool_name, found.hook_script) == ("PreToolUse", "Write", "a.py")
    assert (found.status, found.success, found.error_message) == ("timeout", False, "it's\ttoo\n\\ \"")
    assert found.duration_ms == Decimal("2.000001")
    assert found.quality_gates_validated == ("a,b", 'c"d', "{e}")
    assert (found.intelligence_functions_executed, found.rag_queries_executed) == (("ü",), [{"query": "q"}])
    assert (found.modifications_made, found.context) == ({}, {"a": 1})
    assert str((await database.only(EndpointCall)).hook_execution_id) == key
