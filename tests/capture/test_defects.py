"""Defects are logged where they are found, resolved from anywhere, and know what their fixing cost."""

import json
import threading

import pytest

import asp_telemetry as asp

DEFECT = {
    "defect_type": "5_Security_Vulnerability", "phase_injected": "Code", "phase_removed": "CodeReview",
    "description": "no rate limit",
}  # fmt: skip
MORE = {
    "severity": "High", "project_id": "P", "component_path": "src/auth.py", "function_name": "login",
    "line_number": 42, "root_cause": "forgotten", "resolution_notes": "add one", "flagged_by_agent": True,
    "validated_by_human": True, "false_positive": False, "metadata": {"cwe": 307},
    "effort_to_fix": {"tokens": 10, "retries": 1},
}  # fmt: skip


def one(recorded, defect_id):
    """Return the row of a defect, its effort and metadata parsed."""
    (row,) = recorded.rows("SELECT * FROM defect_log WHERE defect_id = ?", defect_id)
    for name in ("effort_to_fix_json", "metadata"):
        row[name] = row[name] and json.loads(row[name])
    return row


def in_thread(action, *args, **kwargs):
    """Do something in another thread, and wait for it."""
    thread = threading.Thread(target=action, args=args, kwargs=kwargs)
    thread.start()
    thread.join()


def test_a_defect_is_stored_with_all_its_facts(recorded):
    """Every fact of a defect has its column, and the id that was returned is its key."""
    defect = asp.log_defect(task_id="T", **DEFECT, **MORE)
    row = one(recorded, defect)
    expected = {**DEFECT, **MORE, "task_id": "T", "effort_to_fix_json": MORE["effort_to_fix"]}
    del expected["effort_to_fix"]
    assert {name: row[name] for name in expected} == expected
    assert row["resolved_at"] is None


def test_ids_are_made_or_taken(recorded):
    """A defect without an id gets one of its own; one that is given is kept."""
    made = {asp.log_defect(task_id="T", **DEFECT) for _ in range(50)}
    assert len(made) == 50
    assert all(defect.startswith("D-") for defect in made)
    assert asp.log_defect(task_id="T", defect_id="D-001", **DEFECT) == "D-001"
    assert {row["defect_id"] for row in recorded.rows("SELECT defect_id FROM defect_log")} == made | {"D-001"}


def test_a_defect_belongs_where_it_is_logged(recorded):
    """Task, project, user and execution of a defect are those of the context, unless they are given."""
    with asp.context(user_id="ana"), asp.task("T", project_id="P"), asp.span("review") as review:
        here = asp.log_defect(**DEFECT)
        there = asp.log_defect(task_id="other", project_id="Q", **DEFECT)
    row = one(recorded, here)
    assert (row["task_id"], row["project_id"], row["user_id"]) == ("T", "P", "ana")
    assert row["correlation_id"] == review.id
    assert (one(recorded, there)["task_id"], one(recorded, there)["project_id"]) == ("other", "Q")


def test_a_defect_in_a_trace_without_a_task_has_the_root_s_id(recorded):
    """Where no task was named, the defect's task is the trace, as it is for costs."""
    with asp.span("root") as root, asp.span("inner"):
        defect = asp.log_defect(**DEFECT)
    assert one(recorded, defect)["task_id"] == root.id


def test_a_defect_is_resolved_later(recorded):
    """Resolving sets the time and what is told, keeps the rest, and merges metadata."""
    defect = asp.log_defect(task_id="T", **DEFECT, **MORE)
    asp.resolve_defect(defect, false_positive=True, resolution_notes="none needed", metadata={"by": "ana"})
    row = one(recorded, defect)
    assert row["resolved_at"] >= row["created_at"]
    assert (row["false_positive"], row["validated_by_human"], row["root_cause"]) == (1, 1, "forgotten")
    assert (row["resolution_notes"], row["metadata"]) == ("none needed", {"cwe": 307, "by": "ana"})


def test_logging_again_corrects(recorded):
    """A defect that is logged again under its id is corrected, keeps its creation, and is counted once."""
    asp.log_defect(task_id="T", defect_id="D-1", **DEFECT)
    created = one(recorded, "D-1")["created_at"]
    asp.log_defect(task_id="T", defect_id="D-1", **DEFECT | {"description": "worse"}, severity="Critical")
    row = one(recorded, "D-1")
    assert (row["description"], row["severity"], row["created_at"]) == ("worse", "Critical", created)


def test_a_resolution_may_come_before_the_defect(recorded):
    """A resolution that arrives first, from another thread, is kept and completed by the defect."""
    in_thread(asp.resolve_defect, "D-1", validated_by_human=True, root_cause="known", metadata={"b": 2})
    early = one(recorded, "D-1")
    assert early["description"] == "not yet logged"
    asp.log_defect(task_id="T", defect_id="D-1", **DEFECT, metadata={"a": 1}, root_cause="guessed")
    row = one(recorded, "D-1")
    assert {name: row[name] for name in DEFECT} == DEFECT
    assert (row["task_id"], row["validated_by_human"], row["root_cause"]) == ("T", 1, "known")
    assert row["metadata"] == {"a": 1, "b": 2}
    assert row["resolved_at"] >= row["created_at"]


@asp.track_agent("Code")
def fix(tokens, usd):
    asp.current_span().record_usage(input_tokens=tokens, output_tokens=1, model="gpt-4o-mini")
    asp.current_span().record_cost(usd)
    asp.current_span().attempt()


def check_effort(recorded, defect, blocks=1):
    (row,) = recorded.rows("SELECT sum(duration_ms) AS ms FROM execution_traces WHERE name = 'fixing'")
    effort = one(recorded, defect)["effort_to_fix_json"]
    assert effort == {
        "latency_ms": pytest.approx(row["ms"], abs=1e-5),
        "tokens": 30 * blocks,
        "api_cost_usd": pytest.approx(0.75 * blocks),
        "retries": 2 * blocks,
    }


def test_fixing_measures_the_effort(recorded):
    """Wall time, tokens, cost and retries inside `fixing` become the defect's effort, nested agents included."""
    with asp.task("T"):
        defect = asp.log_defect(**DEFECT)
        with asp.fixing(defect), asp.span("plan the fix"):
            fix(18, "0.5")
            fix(10, "0.25")
        fix(1000, "9")
    check_effort(recorded, defect)


def test_fixing_may_take_several_rounds(recorded):
    """The effort of several blocks for the same defect adds up."""
    with asp.task("T"):
        defect = asp.log_defect(**DEFECT)
        for _ in range(2):
            with asp.fixing(defect):
                fix(18, "0.5")
                fix(10, "0.25")
            asp.flush(timeout=20)
    check_effort(recorded, defect, blocks=2)


def test_fixing_counts_outside_of_the_defect_s_task(recorded):
    """A defect may be fixed without its task being open: the effort is found all the same."""
    defect = asp.log_defect(task_id="T", **DEFECT)
    with asp.fixing(defect):
        fix(18, "0.5")
        fix(10, "0.25")
    check_effort(recorded, defect)


def test_fixing_may_come_before_the_defect_is_logged(recorded):
    """A defect that is logged only after it was fixed, or arrives later from another thread, has its effort."""
    with asp.task("T"), asp.fixing("D-1"):
        fix(18, "0.5")
        fix(10, "0.25")
    asp.flush(timeout=20)
    asp.log_defect(task_id="T", defect_id="D-1", **DEFECT)
    check_effort(recorded, "D-1")


def test_a_fix_that_fails_has_cost_its_effort(recorded):
    """An exception inside `fixing` reaches the caller, and what was spent is the effort."""
    with asp.task("T"):
        defect = asp.log_defect(**DEFECT)
        with pytest.raises(ValueError, match="no"), asp.fixing(defect):  # noqa: PT012 - what is in the block is the test
            fix(18, "0.5")
            fix(10, "0.25")
            raise ValueError("no")
    check_effort(recorded, defect)


async def test_fixing_may_be_asynchronous(recorded):
    """`async with` measures the effort as `with` does."""
    async with asp.task("T"):
        defect = asp.log_defect(**DEFECT)
        async with asp.fixing(defect):
            fix(5, "0.1")
    assert (await asp.aflush(timeout=20)).complete
    assert one(recorded, defect)["effort_to_fix_json"]["tokens"] == 6


def test_an_effort_that_was_given_stays(recorded):
    """An effort that the defect was logged with is kept while nothing was measured."""
    with asp.task("T"):
        defect = asp.log_defect(**DEFECT, effort_to_fix={"tokens": 7})
        asp.resolve_defect(defect)
    assert one(recorded, defect)["effort_to_fix_json"] == {"tokens": 7}
