"""Routing decisions and their metrics become rows with the execution they were made in, the same on both databases."""

import asyncio
import json
import os
import threading
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import asp_telemetry as asp
from anything import ANYTHING
from asp_telemetry import guard
from asp_telemetry.testing import capture

UNKNOWN = "00000000-0000-4000-8000-000000000009"


def numbers(row):
    return [None if value is None else float(value) for value in row]


def test_a_choice_is_a_decision_and_a_metric(found):
    """A choice becomes a decision and a metric of the same id, both of the current execution, with all its parts."""
    with asp.span("Coordinate", kind="agent") as agent, asp.routing("fix the login bug") as routing:
        routing.choose(
            "debugger", confidence=0.91, trigger=0.95, context=0.9, capability=0.92, historical=0.8,
            alternatives=["tester", ("coder", 0.55, "can write code"), {"agent": "coordinator", "cost": 2}],
            reason="its trigger fits", strategy="fuzzy_match", pattern_id=UNKNOWN, embedding=[0.5, -1.25, 1e-300],
        )  # fmt: skip
    ((key, *texts),) = found(
        "SELECT id, correlation_id, user_request, selected_agent, selection_reason, routing_strategy, pattern_id "
        "FROM agent_routing_decisions"
    )
    assert key == routing.id
    assert texts == [
        agent.id, "fix the login bug", "debugger", "its trigger fits", "fuzzy_match", UNKNOWN
    ]  # fmt: skip
    parts = "{0}_trigger, {0}_context, {0}_capability, {0}_historical"
    ((total, *rest),) = found(
        f"SELECT confidence_total, {parts.format('confidence')} FROM agent_routing_decisions"
    )
    assert numbers([total, *rest]) == [0.91, 0.95, 0.9, 0.92, 0.8]
    ((kind, metric, owner, agent_name, strategy, *scores),) = found(
        "SELECT metric_type, id, correlation_id, selected_agent, selection_strategy, confidence_score, "
        "trigger_confidence, context_confidence, capability_confidence, historical_confidence, alternatives_count "
        "FROM router_performance_metrics"
    )
    assert (kind, metric, owner, agent_name, strategy) == (
        "routing_decision", routing.id, agent.id, "debugger", "fuzzy_match"
    )  # fmt: skip
    assert numbers(scores) == [0.91, 0.95, 0.9, 0.92, 0.8, 3]
    ((alternatives, others, embedding),) = found(
        "SELECT alternatives, alternative_agents, request_embedding FROM agent_routing_decisions AS decision "
        "JOIN router_performance_metrics AS metric ON metric.id = decision.id"
    )
    assert json.loads(alternatives) == json.loads(others)
    assert json.loads(alternatives) == [
        {"agent": "tester"}, {"agent": "coder", "confidence": 0.55, "reason": "can write code"},
        {"agent": "coordinator", "cost": 2},
    ]  # fmt: skip
    assert (json.loads(embedding) if isinstance(embedding, str) else embedding) == [0.5, -1.25, 0]


def test_times_are_microseconds_of_the_block(found):
    """The whole and its steps are measured in whole microseconds, those measured elsewhere are added."""
    with asp.routing("fix it") as routing:
        with routing.step("cache_lookup"):
            routing.cache(False, key="fix it", age_seconds=2.6)
        for _ in range(2):
            with routing.step("trigger_matching"):
                pass
        routing.took(trigger_matching=700.25, confidence_scoring=200)
        routing.choose("debugger", confidence=1)
    ((total, lookup, matching, scoring, whole_ms),) = found(
        "SELECT total_routing_time_us, cache_lookup_us, trigger_matching_us, confidence_scoring_us, routing_duration_ms "
        "FROM router_performance_metrics AS metric JOIN agent_routing_decisions AS decision ON decision.id = metric.id"
    )
    assert total == int(whole_ms * 1000)
    assert 0 <= lookup <= total
    assert 700 <= matching <= 700 + total
    assert scoring == 200


@pytest.mark.parametrize(("hit", "kind"), [(True, "cache_hit"), (False, "cache_miss")])
def test_a_look_into_the_cache_is_measured_by_itself(found, hit, kind):
    """A look into the cache has a row of its own, so that nothing counts twice, and the decision tells it too."""
    with asp.routing("fix it", context={"b": 1, "a": 2}) as routing:
        routing.took(cache_lookup=90)
        routing.cache(hit, key="token=abcdefgh", age_seconds=7.2)
        routing.choose("debugger", confidence=0.5)
    rows = found(
        "SELECT metric_type, cache_key, cache_age_seconds, cache_lookup_us, selected_agent, correlation_id, "
        "user_request_hash, context_hash, cache_hit FROM router_performance_metrics ORDER BY metric_type"
    )
    look, decision = rows
    assert look[:5] == (kind, "token=[redacted]", 7, 90, None)
    assert decision[:5] == ("routing_decision", "token=[redacted]", 7, 90, "debugger")
    assert look[5:] == decision[5:]
    assert bool(look[8]) == hit
    assert [bool(row[0]) for row in found("SELECT cache_hit FROM agent_routing_decisions")] == [hit]


def test_equal_requests_and_contexts_have_equal_digests(found):
    """Requests and contexts can be told equal without their texts, whatever the order of the context's names."""
    for request, context in (("a", {"x": 1, "y": 2}), ("a", {"y": 2, "x": 1}), ("b", {"x": 2}), ("b", None)):
        with asp.routing(request, context=context) as routing:
            routing.choose("debugger", confidence=1)
    first, second, third, fourth = found(
        "SELECT user_request_hash, context_hash FROM router_performance_metrics ORDER BY measured_at, id"
    )
    assert first == second
    assert third[0] == fourth[0] != first[0]
    assert third[1] != first[1]
    assert fourth[1] is None
    assert {len(first[0]), len(first[1])} == {64}


def test_without_a_total_the_parts_are_weighed(found):
    """A confidence that is left out is the documented sum of its parts, those left out counting nothing."""
    for parts in ({"trigger": 1, "context": 0.5, "capability": 0.25, "historical": 1}, {"trigger": 0.5}, {}):
        with asp.routing("fix it") as routing:
            routing.choose("debugger", **parts)
    totals = found("SELECT confidence_total FROM agent_routing_decisions ORDER BY created_at, id")
    assert [float(total) for (total,) in totals] == [0.7, 0.2, 0]


def test_nobody_chosen_is_told(found):
    """A routing that chooses nobody is a decision too; an exception that ends it goes on, and says why."""
    with asp.routing("fix it"):
        pass
    with pytest.raises(LookupError), asp.routing("fix it"):
        raise LookupError("no agent for ana@example.org")
    rows = found(
        "SELECT selected_agent, confidence_total, selection_reason FROM agent_routing_decisions ORDER BY created_at, id"
    )
    assert [(agent, float(total), reason) for agent, total, reason in rows] == [
        (None, 0, None), (None, 0, "LookupError: no agent for [redacted]")
    ]  # fmt: skip


def test_what_is_given_is_stored_without_secrets(found):
    """Requests, reasons and feedback are stored though content is not captured, redacted and within the limit."""
    with asp.routing("mail ana@example.org " + "x" * 40_000) as routing:
        routing.choose("debugger", confidence=1, reason="password=hunter22", alternatives=[{"token": "abc"}])
    asp.validate_routing(
        routing.id, success=False, feedback="correction", details={"api_key": "abc", "to": "coder"}
    )
    ((request, reason, others),) = found(
        "SELECT user_request, selection_reason, alternatives FROM agent_routing_decisions"
    )
    assert request.startswith("mail [redacted] xxx")
    assert len(request) < 20_000
    assert reason == "password=[redacted]"
    assert json.loads(others) == [{"token": "[redacted]"}]
    ((provided, kind, details),) = found(
        "SELECT feedback_provided, feedback_type, feedback_details FROM router_performance_metrics"
    )
    assert (bool(provided), kind) == (True, "correction")
    assert json.loads(details) == {"api_key": "[redacted]", "to": "coder"}


def test_an_own_execution_holds_session_and_user(found):
    """Outside of any execution a routing begins one, so that its row has a session and a user; inside it does not."""
    with asp.context(user_id="ana", session_id="s-42"), asp.routing("fix it") as routing:
        routing.choose("debugger", confidence=1)
        with asp.span("embed"):
            pass
    assert found(
        "SELECT name, user_id, session_id, decision.id FROM execution_traces AS trace "
        "JOIN agent_routing_decisions AS decision ON decision.correlation_id = trace.correlation_id"
    ) == [("routing", "ana", "s-42", routing.id)]
    assert found("SELECT count(*) FROM execution_traces WHERE parent_id IS NOT NULL") == [(1,)]
    with asp.span("Coordinate", kind="agent"), asp.routing("fix it"):
        pass
    assert found("SELECT count(*) FROM execution_traces WHERE name = 'routing'") == [(1,)]


def test_a_validation_gives_the_prediction_error(found):
    """The error is the confidence less the quality, whether the validation comes before or after the decision."""
    with asp.routing("fix it") as late:
        late.choose("debugger", confidence=0.91)
    assert len(found("SELECT id FROM router_performance_metrics")) == 1
    asp.validate_routing(late.id, success=True, quality=0.8)
    with asp.routing("fix it") as early:
        early.choose("debugger", confidence=0.4)
        asp.validate_routing(UUID(early.id), success=False, quality=0.65)
        assert len(found("SELECT id FROM router_performance_metrics")) == 2
    rows = found(
        "SELECT id, metric_type, selected_agent, selection_validated, actual_success, actual_quality_score, "
        "prediction_error, measured_at < validated_at FROM router_performance_metrics ORDER BY measured_at, id"
    )
    assert [
        (key, kind, agent, bool(validated), bool(success), float(quality), float(error), bool(after))
        for key, kind, agent, validated, success, quality, error, after in rows
    ] == [
        (late.id, "routing_decision", "debugger", True, True, 0.8, 0.11, True),
        (early.id, "routing_decision", "debugger", True, False, 0.65, -0.25, False),
    ]
    assert len(found("SELECT id FROM agent_routing_decisions")) == 2


def test_the_newest_validation_holds(found):
    """Validations may be repeated and corrected: the newest one holds, whole."""
    with asp.routing("fix it") as routing:
        routing.choose("debugger", confidence=0.9)
    asp.validate_routing(routing.id, success=False, quality=0.1, feedback="negative", details="no")
    found("SELECT 1")
    for _ in range(3):
        asp.validate_routing(routing.id, success=True, quality=0.9)
    ((success, error, provided, kind, details),) = found(
        "SELECT actual_success, prediction_error, feedback_provided, feedback_type, feedback_details "
        "FROM router_performance_metrics"
    )
    assert (bool(success), float(error), bool(provided), kind, details) == (True, 0, False, None, None)


def test_a_validation_without_quality_knows_no_error(found):
    """Without a quality there is no prediction error; an unknown decision's validation is kept apart from decisions."""
    with asp.routing("fix it") as routing:
        routing.choose("debugger", confidence=0.9)
    asp.validate_routing(routing.id, success=True)
    asp.validate_routing(UNKNOWN, success=True, quality=0.5)
    rows = found(
        "SELECT id, metric_type, prediction_error FROM router_performance_metrics ORDER BY metric_type, id"
    )
    assert rows == [(routing.id, "routing_decision", None), (UNKNOWN, "validation", None)]


def test_what_sampling_leaves_out_is_not_validated_either(found, any_database):
    """Of a trace that is left out there is no decision, and no validation without one."""
    asp.configure(any_database.url, strict=True, replace=True, auto_migrate=True, sample_rate=0.0)
    with asp.span("Coordinate", kind="agent"), asp.routing("fix it") as inner:
        inner.choose("debugger", confidence=1)
    with asp.routing("fix it") as alone:
        alone.choose("debugger", confidence=1)
    asp.validate_routing(inner.id, success=True)
    asp.validate_routing(alone.id, success=True)
    assert found("SELECT id FROM agent_routing_decisions") == []
    assert found("SELECT id FROM router_performance_metrics") == []


def test_nothing_that_is_handed_in_reaches_the_host(found):
    """Wrong values are counted and left out; the decision is recorded with the rest."""
    guard.be_strict(False)

    class Trap:
        def __float__(self):
            raise RuntimeError("no number")

        def __str__(self):
            raise RuntimeError("no text")

    with asp.routing(Trap()) as routing:
        routing.choose("debugger", confidence="sure")
        routing.choose("debugger", trigger=float("nan"), context=2, capability=Trap(), historical=0.5)
        routing.choose("debugger", confidence=0.5, pattern_id="none", embedding=[float("inf")])
        routing.choose("debugger", confidence=0.5, embedding=["x"], alternatives=3)
        routing.took(cache_lookup=-1, lunch=2, confidence_scoring=10**30)
        routing.took(cache_lookup=Trap())
        routing.cache(True, age_seconds=float("nan"))
    routing.choose("late", confidence=1)
    asp.routing("never entered").choose("early", confidence=1)
    asp.validate_routing("no id", success=True)
    asp.validate_routing(routing.id, success=True, quality=7)
    assert found("SELECT selected_agent, pattern_id FROM agent_routing_decisions") == [("debugger", None)]
    rows = found(
        "SELECT confidence_score, cache_lookup_us, confidence_scoring_us, actual_quality_score "
        "FROM router_performance_metrics WHERE metric_type = 'routing_decision'"
    )
    assert [numbers(row) for row in rows] == [[0.5, None, 2**31 - 1, None]]
    assert asp.stats()["troubles"]["a score was not a number from 0 to 1"] == 5
    assert asp.stats()["troubles"]["a time was not a number of at least zero"] == 3
    assert "choose() of a routing came outside of its block" in asp.stats()["troubles"]


async def test_tasks_and_threads_have_decisions_of_their_own(found):
    """Each of many tasks and threads routes within its own execution."""

    async def route(number):
        async with asp.routing(f"request {number}") as routing:
            await asyncio.sleep(0)
            routing.choose(f"agent {number}", confidence=1)

    def work(number):
        for place in range(20):
            with asp.routing(f"request {number}.{place}") as routing:
                routing.choose(f"agent {number}.{place}", confidence=1)

    await asyncio.gather(*(route(number) for number in range(20)))
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = await asyncio.to_thread(
        found, "SELECT user_request, selected_agent, correlation_id FROM agent_routing_decisions"
    )
    assert len({owner for *_, owner in rows}) == 100
    assert {request.removeprefix("request") == agent.removeprefix("agent") for request, agent, _ in rows} == {
        True
    }


def test_a_forked_child_leaves_the_decision_to_its_parent(found):
    """What was forked inside the block does not record the decision a second time."""
    with asp.routing("fix it") as routing:
        routing.choose("debugger", confidence=1)
        child = os.fork()
        if not child:
            routing.end()
            asp.flush(timeout=20)
            os._exit(0)
        os.waitpid(child, 0)
    assert found("SELECT id FROM agent_routing_decisions") == [(routing.id,)]


def test_a_refused_decision_costs_nothing_else(any_database):
    """A decision that the database refuses stands in rejected_records with the reason; what is beside it is stored."""
    asp.configure(any_database.url, replace=True, auto_migrate=True)
    with asp.routing("fix it") as refused:
        refused.choose("debugger", confidence=0.9)
        with asp.span("so that there is a database"):
            pass
        assert asp.flush(timeout=20).complete
        any_database.run(
            "INSERT INTO agent_routing_decisions (id, correlation_id, user_request, confidence_total, "
            f"routing_duration_ms) VALUES ('{refused.id}', '{refused.id}', 'taken', 1, 1)"
        )
    with asp.routing("fix that") as routing:
        routing.choose("debugger", confidence=0.9)
    assert asp.flush(timeout=20).complete
    asp.shutdown(timeout=20)
    guard.reset()
    found = any_database.rows("SELECT user_request FROM agent_routing_decisions ORDER BY user_request")
    assert found == [("fix that",), ("taken",)]
    ((record,),) = any_database.rows("SELECT record FROM rejected_records")
    assert json.loads(record)["change"] == "ROUTING"
    assert [str(key) for (key,) in any_database.rows("SELECT id FROM router_performance_metrics")] == [
        routing.id
    ]


async def test_users_see_their_own_decisions(postgres_database, monkeypatch, tmp_path):
    """Under row-level security a user sees what happened in their own traces, made inside executions or not."""
    monkeypatch.setenv("ASP_JOURNAL_DIR", str(tmp_path))
    asp.configure(postgres_database, strict=True, replace=True, auto_migrate=True)
    for user in ("ana", "bo"):
        with asp.context(user_id=user), asp.routing(f"request of {user}") as routing:
            routing.choose("debugger", confidence=1)
        with asp.context(user_id=user), asp.hook(f"hook of {user}"):
            pass
        with asp.context(user_id=user), asp.transformation(None, f"agent of {user}"):
            pass
    assert (await asp.aflush()).complete
    asp.shutdown(timeout=20)
    connection = await asyncpg.connect(postgres_database)
    try:
        await connection.execute("SELECT set_config('asp.user_id', 'ana', false); SET ROLE authenticated")
        assert [
            row[0] for row in await connection.fetch("SELECT user_request FROM agent_routing_decisions")
        ] == ["request of ana"]
        assert [row[0] for row in await connection.fetch("SELECT hook_type FROM hook_executions")] == [
            "hook of ana"
        ]
        targets = await connection.fetch("SELECT target_agent FROM agent_transformation_events")
        assert [row[0] for row in targets] == ["agent of ana"]
        assert len(await connection.fetch("SELECT id FROM router_performance_metrics")) == 1
    finally:
        await connection.close()
        guard.be_strict(False)


def test_captures_show_decisions_and_their_metrics():
    """A user's test sees decisions and router metrics as typed records."""
    with capture(strict=True) as recorded, asp.routing("fix it") as routing:
        routing.choose("debugger", confidence=0.9)
    (decision,), (metric,) = recorded.routing_decisions, recorded.router_metrics
    assert (decision.selected_agent, str(decision.id)) == ("debugger", routing.id)
    assert metric.selected_agent == "debugger"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_anything_may_be_handed_in(data):
    """Whatever is handed in, nothing is raised, and no decision is refused."""
    names = (
        "confidence",
        "trigger",
        "context",
        "alternatives",
        "reason",
        "strategy",
        "pattern_id",
        "embedding",
    )
    guard.reset()
    with capture(strict=False) as recorded:
        with asp.routing(data.draw(ANYTHING), context=data.draw(ANYTHING)) as routing:
            routing.choose("debugger", confidence=0.5)
            routing.choose(data.draw(ANYTHING), **{name: data.draw(ANYTHING) for name in names})
            routing.cache(data.draw(ANYTHING), key=data.draw(ANYTHING), age_seconds=data.draw(ANYTHING))
        asp.validate_routing(
            routing.id, success=data.draw(ANYTHING), quality=data.draw(ANYTHING), feedback=data.draw(ANYTHING),
            details=data.draw(ANYTHING),
        )  # fmt: skip
        assert len(recorded.routing_decisions) == 1
        assert recorded.rejected == []
    guard.reset()
