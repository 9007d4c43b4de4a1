"""Transformations become rows that know their execution and what they are nested in, the same on both databases."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import asp_telemetry as asp
from anything import ANYTHING
from asp_telemetry import guard
from asp_telemetry.cli.app import run
from asp_telemetry.testing import capture


@pytest.fixture
def events(found):
    """Record into each database in turn, and return its transformations in the order of their start."""
    return lambda *columns: found(
        f"SELECT {', '.join(columns)} FROM agent_transformation_events ORDER BY started_at, target_agent"
    )


def parsed(value):
    """Take JSON or an array as either database gives it."""
    return json.loads(value) if isinstance(value, str) and value[:1] in "[{" else value


def test_a_transformation_says_who_hands_what_to_whom_and_how_it_went(events):
    """Agents, reason, context, request, routing, quality and times stand in one row, with its execution and session."""
    definition = "019bc0de-0000-7000-8000-000000000001"
    with asp.context(session_id="s-1"), asp.span("route", kind="agent") as agent:
        with asp.transformation(
            "coordinator", "debugger", reason="a test fails", context={"file": "a.py", "tries": 2},
            user_request="fix the login", confidence=0.91, strategy="learned_pattern", definition_id=definition,
        ) as x:  # fmt: skip
            x.transformed()
            x.initialized()
            x.quality(0.93)
        assert x.id != agent.id
    ((context, keys), *none) = events("context_snapshot", "context_keys")
    assert (parsed(context), parsed(keys), none) == ({"file": "a.py", "tries": 2}, ["file", "tries"], [])
    columns = "id", "event_type", "correlation_id", "session_id", "source_agent", "target_agent"
    assert events(*columns) == [(x.id, "transformation_complete", agent.id, "s-1", "coordinator", "debugger")]
    columns = (
        "transformation_reason",
        "user_request",
        "routing_strategy",
        "context_size_bytes",
        "agent_definition_id",
    )
    assert events(*columns) == [("a test fails", "fix the login", "learned_pattern", 25, definition)]
    ((confidence, quality, success, error),) = events(
        "routing_confidence", "quality_score", "success", "error_type"
    )
    assert (round(Decimal(confidence), 4), round(Decimal(quality), 4)) == (Decimal("0.91"), Decimal("0.93"))
    assert (bool(success), error) == (True, None)
    ((changed, ready, whole, ordered),) = events(
        "transformation_duration_ms", "initialization_duration_ms", "total_execution_duration_ms",
        "started_at <= completed_at",
    )  # fmt: skip
    assert 0 < changed + ready <= whole < 10_000
    assert ordered


def test_what_happens_inside_names_what_it_is_inside_of(events):
    """However deep, in other tasks and threads: each transformation names the innermost that it happened in."""
    with asp.transformation(None, "a") as a:
        with asp.task("T-1"), asp.transformation("a", "b") as b:
            with asp.span("work"), asp.context(user_id="ana"), asp.transformation("b", "c") as c:
                pass
            with asp.ThreadPoolExecutor(max_workers=1) as pool:
                pool.submit(hand_over, "d").result()
        with asp.transformation("a", "e"):
            pass
    hand_over("f")
    parents = dict(events("target_agent", "parent_event_id"))
    assert parents == {"a": None, "b": a.id, "c": b.id, "d": b.id, "e": a.id, "f": None}
    assert c.id not in parents.values()


def hand_over(target):
    """Record one transformation."""
    with asp.transformation("x", target):
        pass


async def test_transformations_of_concurrent_tasks_are_not_inside_each_other(recorded):
    """Each task of an event loop has its own."""

    async def work(name):
        async with asp.transformation(None, name):
            await asyncio.sleep(0)
            async with asp.transformation(name, f"{name} inner"):
                await asyncio.sleep(0)

    await asyncio.gather(*(work(f"agent {number}") for number in range(5)))
    rows = recorded.rows("SELECT * FROM agent_transformation_events")
    ids = {row["target_agent"]: row["id"] for row in rows}
    for row in rows:
        outer = row["target_agent"].removesuffix(" inner")
        assert row["parent_event_id"] == (ids[outer] if row["target_agent"] != outer else None)


def test_an_exception_is_its_failure_and_goes_on_to_the_caller(events):
    """What leaves the block is the failure, without secrets; a failure can also be told."""
    with pytest.raises(ValueError, match="no key"), asp.transformation("a", "b"):
        raise ValueError("no key sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789")
    with asp.transformation("a", "c") as x:
        x.failed("refused", "not its business")
    rows = events("event_type", "error_type", "error_message")
    assert rows[0][:2] == ("transformation_failed", "ValueError")
    assert "abcdefghij" not in rows[0][2]
    assert rows[1] == ("transformation_failed", "refused", "not its business")


def test_what_is_handed_over_is_stored_without_secrets_and_within_the_limit(events):
    """Keys are redacted wherever they stand; a context that is too long keeps its head, and its true size."""
    secret = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789"
    context = {"api_key": "hunter2hunter2", "note": f"use {secret}", "long": "x" * 100_000}
    with asp.transformation("a", "b", reason=f"with {secret}", user_request=f"and {secret}", context=context):
        pass
    ((stored, size, keys, *texts),) = events(
        "context_snapshot", "context_size_bytes", "context_keys", "transformation_reason", "user_request"
    )
    for text in (str(stored), *texts):
        assert "hunter2" not in text
        assert secret not in text
    assert size > 100_000
    assert len(str(stored)) < 40_000
    assert parsed(keys) == ["api_key", "note", "long"]


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan"), "good", None, object()])
def test_a_score_that_is_none_costs_the_score_alone(value):
    """What is no number from 0 to 1 is counted as trouble, and the row is written without it."""
    with capture(everywhere=True) as recording:
        with asp.transformation("a", "b", confidence=0.5, definition_id="no uuid") as x:
            x.quality(value)
        (row,) = recording.transformations
        assert (row.quality_score, row.agent_definition_id) == (None, None)
        assert recording.stats()["troubles"]
    guard.reset()


def test_scores_have_the_same_digits_everywhere(events):
    """Both databases keep four decimals."""
    with asp.transformation("a", "b", confidence=1 / 3) as x:
        x.quality(2 / 3)
    [scores] = events("routing_confidence", "quality_score")
    assert [float(score) for score in scores] == [0.3333, 0.6667]


def test_an_own_execution_holds_session_and_user(events):
    """Outside of any execution a transformation begins one, so that what happens inside is one trace, and a user's."""
    with (
        asp.context(user_id="ana", session_id="s-1"),
        asp.transformation(None, "a"),
        asp.span("work") as work,
    ):
        pass
    assert events("session_id", "correlation_id") == [("s-1", str(work.root_id))]


def test_one_that_is_used_again_is_another(events):
    """Each run of the block has an id and an outcome of its own."""
    again = asp.transformation("a", "b")
    with again:
        again.failed("refused")
    with again:
        pass
    assert len(set(events("id"))) == 2
    assert [error for (error,) in events("error_type")] == ["refused", None]


def test_a_forked_child_leaves_it_to_its_parent(events):
    """What was forked inside the block does not record it a second time."""
    with asp.span("Code", kind="agent"), asp.transformation("a", "b") as x:
        child = os.fork()
        if not child:
            x.end()
            asp.flush(timeout=20)
            os._exit(0)
        os.waitpid(child, 0)
    assert events("id") == [(x.id,)]
    assert asp.stats()["rejected"] == 0


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_anything_may_be_handed_in(data):
    """Whatever is handed in, nothing is raised, no transformation is refused, and what is good of it is kept."""

    def draw():
        return data.draw(ANYTHING)

    guard.reset()
    with capture(strict=False) as recorded:
        with asp.transformation(
            draw(), draw(), reason=draw(), context=draw(), user_request=draw(), confidence=draw(),
            strategy=draw(), definition_id=draw(),
        ) as x:  # fmt: skip
            x.quality(draw())
            x.quality(0.5)
            x.failed(draw(), draw())
        [row] = recorded.transformations
        assert row.quality_score == Decimal("0.5")
        assert recorded.rejected == []
    guard.reset()


def test_an_unsampled_trace_and_disabled_recording_leave_nothing(tmp_path):
    """A trace is left out with everything in it, and where nothing is recorded, nothing is prepared either."""
    asp.configure(f"sqlite:///{tmp_path}/a.db", sample_rate=0.0, replace=True)
    with asp.span("left out"), asp.transformation("a", "b"):
        pass
    assert asp.flush(timeout=20).complete
    assert asp.stats()["accepted"] == 0
    asp.configure(f"sqlite:///{tmp_path}/a.db", disabled=True, replace=True)
    with asp.transformation("a", "b", context={"a": 1}) as x:
        x.quality(0.5)
    assert asp.stats()["accepted"] == 0
    asp.shutdown(timeout=5)
    asp.configure(f"sqlite:///{tmp_path}/a.db", replace=True)
    asp.shutdown(timeout=5)


@pytest.mark.crash
def test_a_killed_process_loses_none_and_none_comes_twice(any_database, monkeypatch):
    """What had ended when the process was killed is there once, however often its journal is drained."""
    monkeypatch.setenv("ASP_AUTO_MIGRATE", "1")
    program = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent("""
            import os, asp_telemetry as asp
            for number in range(500):
                with asp.transformation("a", f"agent {number}"):
                    pass
                if number == 250:
                    asp.flush(timeout=20)
            os.kill(os.getpid(), 9)
            """),
        ]
    )
    assert program.wait(timeout=60) == -signal.SIGKILL
    for _ in range(2):
        assert run(["drain", "--database", any_database.url]) == 0
    rows = any_database.rows("SELECT target_agent FROM agent_transformation_events")
    assert sorted(rows) == sorted((f"agent {number}",) for number in range(500))
