"""What is tracked knows where it belongs: its parent, its trace, its task, its agent, its user."""

import uuid
from datetime import datetime, timedelta

import pytest

import asp_telemetry as asp


@asp.track
def leaf():
    return asp.current_span().id


@asp.track_agent("Planning")
def plan(task_id="", brief=""):
    return asp.current_span().id


def by_name(rows):
    """Index rows by the name of their execution."""
    return {row["name"]: row for row in rows}


def test_executions_form_a_tree(recorded):
    """An execution's parent is the one that it was called in, and all of a tree share the root's id."""
    with asp.span("root") as root:
        with asp.span("first"):
            leaf()
        second = leaf()
    rows = recorded.traces()
    ids = {row["correlation_id"]: row["name"] for row in rows}
    assert [(row["name"], ids.get(row["parent_id"])) for row in rows] == [
        ("root", None),
        ("first", "root"),
        ("leaf", "first"),
        ("leaf", "root"),
    ]
    assert {row["root_id"] for row in rows} == {root.id} == {root.root_id}
    assert rows[-1]["correlation_id"] == second
    assert [row["source"] for row in rows] == ["user_prompt", *["agent_delegation"] * 3]


def test_ids_are_uuids_in_order_of_time(recorded):
    """Ids are UUIDs, no two are the same, and those of later traces sort behind those of earlier ones."""
    ids = [leaf() for _ in range(100)]
    assert [str(uuid.UUID(found)) for found in ids] == ids
    assert sorted(set(ids)) == ids
    assert [row["correlation_id"] for row in recorded.traces()] == ids


def test_separate_calls_are_separate_traces(recorded):
    """Without an enclosing execution each call is the root of a trace of its own."""
    leaf()
    leaf()
    rows = recorded.traces()
    assert [row["parent_id"] for row in rows] == [None, None]
    assert [row["root_id"] for row in rows] == [row["correlation_id"] for row in rows]


def test_times_lie_inside_the_parent_s(recorded):
    """A child begins and ends within its parent, and its duration is the time between, to the microsecond."""
    with asp.span("outer"):
        leaf()
    outer, inner = recorded.traces()
    begin, end = (datetime.fromisoformat(outer[name]) for name in ("started_at", "completed_at"))
    assert outer["started_at"] <= inner["started_at"] <= inner["completed_at"] <= outer["completed_at"]
    assert outer["duration_ms"] >= inner["duration_ms"] > 0
    assert outer["duration_ms"] == pytest.approx((end - begin) / timedelta(milliseconds=1), abs=0.002)


def test_the_role_is_the_nearest_agent_s(recorded):
    """An execution has the role of the nearest enclosing agent, and outside of any its own name."""
    leaf()
    with asp.span("outer", kind="agent", agent_role="Design"):
        leaf()
        with asp.span("step"):
            leaf()
        with asp.span("inner", kind="agent"):
            leaf()
    roles = [(row["name"], row["agent_role"]) for row in recorded.traces()]
    assert roles == [
        ("leaf", "leaf"),
        ("outer", "Design"),
        ("leaf", "Design"),
        ("step", "Design"),
        ("leaf", "Design"),
        ("inner", "inner"),
        ("leaf", "inner"),
    ]


def test_context_facts_hold_inside(recorded):
    """`context` sets user, session, environment, release and tags for everything inside, and nothing behind it."""
    with asp.context(user_id="ana", session_id="s-42", environment="prod", release="1.4", tags=["a"]):
        leaf()
    leaf()
    inside, behind = recorded.traces()
    assert (inside["user_id"], inside["session_id"], inside["environment"], inside["release"], inside["tags"]) == (
        "ana", "s-42", "prod", "1.4", '["a"]',
    )  # fmt: skip
    assert (behind["user_id"], behind["session_id"], behind["tags"]) == (None, behind["root_id"], None)


def test_contexts_nest(recorded):
    """An inner context replaces what it names, keeps the rest, and adds its tags to those outside, each once."""
    with asp.context(user_id="ana", session_id="s", tags=["a", "b"]):
        with asp.context(user_id="bob", tags=["b", "c"]), asp.span("inner") as span:
            span.set(tags=["c", "d"])
        with asp.span("outer"):
            pass
    found = by_name(recorded.traces())
    assert (found["inner"]["user_id"], found["inner"]["session_id"]) == ("bob", "s")
    assert found["inner"]["tags"] == '["a","b","c","d"]'
    assert (found["outer"]["user_id"], found["outer"]["tags"]) == ("ana", '["a","b"]')


def test_a_context_inside_a_span_changes_no_parent(recorded):
    """A context between two executions is no execution: parent, trace, agent and task stay as they were."""
    with asp.task("T"), asp.span("agent", kind="agent") as agent:
        with asp.context(user_id="ana"):
            assert asp.current_span().id == agent.id
            asp.current_span().set(tags=["on the agent"])
            leaf()
        assert asp.current_span().id == agent.id
    found = by_name(recorded.traces())
    assert found["leaf"]["parent_id"] == agent.id
    assert (found["leaf"]["agent_role"], found["leaf"]["task_id"], found["leaf"]["user_id"]) == (
        "agent",
        "T",
        "ana",
    )
    assert (found["agent"]["user_id"], found["agent"]["tags"]) == (None, '["on the agent"]')


def test_a_context_restores_after_an_exception(recorded):
    """An exception leaves the context behind and passes through."""
    with pytest.raises(ValueError, match="out"), asp.context(user_id="ana"):
        raise ValueError("out")
    leaf()
    assert [row["user_id"] for row in recorded.traces()] == [None]


@pytest.mark.parametrize("facts", [{"user_id": 7, "session_id": uuid.UUID(int=1)}, {"user_id": "u" * 500}])
def test_context_takes_any_identifier(recorded, facts):
    """Identifiers of other types are written as text, and over-long ones are shortened with a digest."""
    with asp.context(**facts):
        plan()
    (row,) = recorded.traces()
    assert row["user_id"] == "7" or len(row["user_id"]) == 100
    assert not recorded.rows("SELECT * FROM rejected_records")


def test_wrong_arguments_of_context_are_counted_and_harmless(recorded):
    """A context that cannot be made is counted, and the block runs without it."""
    asp.configure(recorded.url, replace=True)
    with asp.context(tags=5, user_id="ana"):
        leaf()
    assert len(recorded.traces()) == 1
    assert sum(asp.stats()["troubles"].values()) == 1


def test_facts_of_the_configuration_hold_everywhere(recorded):
    """What `configure` says of the project, the user, the environment and the release stands on every row."""
    asp.configure(
        recorded.url, replace=True, strict=True, project_id="P", user_id="u", environment="test", release="2"
    )
    with asp.context(user_id="ana"):
        plan()
    (row,) = recorded.traces()
    (metric,) = recorded.metrics("Latency")
    assert (row["user_id"], row["environment"], row["release"]) == ("ana", "test", "2")
    assert (metric["project_id"], metric["user_id"]) == ("P", "ana")


def test_the_current_span_is_never_none(recorded):
    """Outside of any execution `current_span` is one that ignores everything, also inside a mere context."""
    for block in (asp.context(), asp.context(user_id="ana")):
        with block:
            nobody = asp.current_span()
            assert not nobody.is_recording
            nobody.record_usage(input_tokens=1)
            nobody.record_cost(1)
            nobody.record_metric("x", 1, "count")
            nobody.attempt()
            nobody.set(metadata={"a": 1}, tags=["b"])
    leaf()
    (row,) = recorded.traces()
    assert (row["context"], row["tags"], row["usage"]) == (None, None, None)
    assert asp.stats()["troubles"] == {}


def test_the_current_span_is_the_innermost(recorded):
    """`current_span` finds the execution of the function that calls it, however deep."""
    with asp.span("outer") as outer:
        assert asp.current_span().id == outer.id
        assert leaf() != outer.id
        assert asp.current_span().id == outer.id
    assert asp.current_span().id != outer.id


def test_what_comes_after_the_end_is_counted(recorded):
    """A span that has ended takes no more facts, says so, and counts what came too late."""
    asp.configure(recorded.url, replace=True)
    with asp.span("short") as span:
        pass
    span.set(tags=["late"])
    span.record_metric("x", 1, "count")
    assert not span.is_recording
    assert [row["tags"] for row in recorded.traces()] == [None]
    assert recorded.metrics() == []
    assert asp.stats()["troubles"] == {
        "set() came after the span had ended": 1,
        "record_metric() came after the span had ended": 1,
    }


def test_a_context_that_is_left_out_of_turn_is_over(recorded):
    """A generator may leave its context() while its consumer is inside a span: what follows is outside of it."""

    def produce():
        with asp.context(user_id="ana"):
            yield

    producer = produce()
    next(producer)
    with asp.span("during"):
        producer.close()
    with asp.span("after"):
        pass
    assert {row["name"]: row["user_id"] for row in recorded.traces()} == {"during": "ana", "after": None}
