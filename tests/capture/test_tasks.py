"""A task's row tells how far it is, whatever is known of it, and how it went."""

import json
import threading

import pytest

import asp_telemetry as asp


@pytest.fixture
def task_row(recorded):
    """Return a function that reads the row of a task, JSON parsed."""

    def read(task_id="T"):
        (row,) = recorded.rows("SELECT * FROM task_metadata WHERE task_id = ?", task_id)
        return {
            name: json.loads(value) if value and (name.endswith("_json") or name in ("metadata", "components_affected"))
            else value
            for name, value in row.items()
        }  # fmt: skip

    return read


def test_a_task_is_in_progress_until_it_is_completed(recorded, task_row):
    """The row is there as soon as the task has begun, and is completed with both times when the block ends."""
    with asp.task("T", project_id="P", task_type="authentication", estimated_complexity=18) as task:
        row = task_row()
        assert (row["status"], row["project_id"], row["task_type"]) == ("in_progress", "P", "authentication")
        assert row["started_at"] is not None
        assert row["completed_at"] is None
    row = task_row()
    assert (row["status"], row["estimated_complexity"]) == ("completed", 18)
    assert row["started_at"] <= row["completed_at"]
    (trace,) = recorded.traces()
    assert (trace["kind"], trace["task_id"], trace["status"]) == ("task", "T", "success")
    assert (trace["correlation_id"], trace["started_at"]) == (task.id, row["started_at"])
    assert trace["completed_at"] == row["completed_at"]


async def test_a_task_may_be_asynchronous(recorded):
    """`async with` tracks a task as `with` does."""
    async with asp.task("T") as task:
        task.set(task_type="t")
    assert (await asp.aflush(timeout=20)).complete
    (row,) = recorded.rows("SELECT status, task_type FROM task_metadata")
    assert row == {"status": "completed", "task_type": "t"}


def test_a_task_that_raises_has_failed(recorded, task_row):
    """An exception makes the task failed, says which in its metadata, and reaches the caller."""
    with pytest.raises(KeyError), asp.task("T", metadata={"own": 1}):
        raise KeyError("secret detail")
    row = task_row()
    assert row["status"] == "failed"
    assert row["metadata"] == {"own": 1, "failure": "error: KeyError"}
    assert row["completed_at"] is not None


@pytest.mark.parametrize(
    ("error", "failure"),
    [(TimeoutError(), "timeout: TimeoutError"), (KeyboardInterrupt(), "error: KeyboardInterrupt")],
)
def test_a_task_fails_with_the_status_of_its_execution(recorded, task_row, error, failure):
    """A task that timed out or was interrupted has failed, and the reason says so."""
    with pytest.raises(type(error)), asp.task("T"):
        raise error
    assert (task_row()["status"], task_row()["metadata"]["failure"]) == ("failed", failure)


def test_a_failed_task_may_be_taken_up_again(recorded, task_row):
    """A task that is entered again is in progress and then completed; its first start and last end are kept."""
    with pytest.raises(ValueError, match="no"), asp.task("T", metadata={"own": 1}):
        raise ValueError("no")
    failed = task_row()
    with asp.task("T"):
        assert task_row()["status"] == "in_progress"
    row = task_row()
    assert (row["status"], row["metadata"]) == ("completed", {"own": 1})
    assert row["started_at"] == failed["started_at"]
    assert row["completed_at"] > failed["completed_at"]


def test_a_completed_task_may_fail_later(recorded, task_row):
    """The last end of a task decides its status."""
    with asp.task("T"):
        pass
    with pytest.raises(ValueError, match="no"), asp.task("T"):
        raise ValueError("no")
    assert task_row()["status"] == "failed"


def test_tasks_may_nest(recorded, task_row):
    """A task inside another is a task of its own within the same trace; one that fails need not fail the other."""
    with asp.task("outer", project_id="P") as outer:
        with pytest.raises(ValueError, match="no"), asp.task("inner") as inner:
            raise ValueError("no")
        assert asp.current_span().id == outer.id
    assert (task_row("outer")["status"], task_row("inner")["status"]) == ("completed", "failed")
    assert task_row("inner")["project_id"] == "P"
    rows = {row["task_id"]: row for row in recorded.traces()}
    assert rows["inner"]["parent_id"] == rows["outer"]["correlation_id"] == outer.id
    assert inner.root_id == outer.root_id


def test_the_same_task_may_nest(recorded, task_row):
    """A task entered within itself stays in progress until its outermost block has ended."""
    with asp.task("T"):
        with asp.task("T"):
            pass
        assert task_row()["status"] == "in_progress"
    assert task_row()["status"] == "completed"


def test_subtasks_belong_to_their_task(recorded, task_row):
    """What runs in a subtask carries both ids, and the task has one row."""

    @asp.track_agent("Code")
    def code():
        return None

    with asp.task("T"):
        for part in ("T.1", "T.2"):
            with asp.task("T", subtask_id=part):
                code()
        code()
    rows = recorded.metrics("Latency")
    assert [(row["task_id"], row["subtask_id"]) for row in rows] == [("T", "T.1"), ("T", "T.2"), ("T", None)]
    assert [row["subtask_id"] for row in recorded.traces()] == [None, "T.1", "T.1", "T.2", "T.2", None]
    assert task_row()["status"] == "completed"


FACTS = {
    "project_id": "P", "task_type": "authentication", "task_description": "Log in", "requirements_text": "must",
    "semantic_units": [{"name": "auth"}], "estimated_complexity": 18, "actual_complexity": 21,
    "estimated_cost_vector": {"tokens": 100}, "components_affected": ["src/auth/login.py"],
    "bootstrap_phase": "Learning", "human_reviewed": True, "human_corrections": [{"was": "a"}], "user_id": "ana",
    "metadata": {"a": 1},
}  # fmt: skip
COLUMNS = {
    "semantic_units": "semantic_units_json",
    "estimated_cost_vector": "estimated_cost_vector_json",
    "human_corrections": "human_corrections_json",
}


@pytest.mark.parametrize("way", ["task", "set", "set after the end", "update_task"])
def test_all_facts_can_be_told_in_every_way(recorded, task_row, way):
    """Each fact may come with `task()`, with `set`, also after the end, or with `update_task` from anywhere."""
    if way == "update_task":
        asp.update_task("T", **FACTS)
    else:
        with asp.task("T", **(FACTS if way == "task" else {})) as task:
            if way == "set":
                task.set(**FACTS)
        if way == "set after the end":
            task.set(**FACTS)
    row = task_row()
    assert {name: row[COLUMNS.get(name, name)] for name in FACTS} == FACTS
    assert row["status"] == ("pending" if way == "update_task" else "completed")


def test_none_never_overwrites(recorded, task_row):
    """A fact that is None leaves what is known; a new value replaces it; metadata is merged by name."""
    asp.update_task("T", **FACTS)
    asp.update_task("T", **dict.fromkeys(FACTS))
    asp.update_task("T", actual_complexity=34, human_reviewed=False, metadata={"b": [2]})
    row = task_row()
    expected = {**FACTS, "actual_complexity": 34, "human_reviewed": 0, "metadata": {"a": 1, "b": [2]}}
    assert {name: row[COLUMNS.get(name, name)] for name in FACTS} == expected


def test_none_never_overwrites_inside_metadata(recorded, task_row):
    """Metadata merges as facts do: by name, at any depth, and None leaves what is known."""
    asp.update_task("T", metadata={"owner": "ana", "review": {"round": 1, "by": "ben"}})
    asp.flush()
    asp.update_task("T", metadata={"owner": None, "review": {"round": 2, "by": None}})
    assert task_row()["metadata"] == {"owner": "ana", "review": {"round": 2, "by": "ben"}}


@pytest.mark.parametrize(
    "falsy", [{"human_reviewed": False}, {"actual_complexity": 0}, {"semantic_units": []}]
)
def test_false_zero_and_empty_are_values(recorded, task_row, falsy):
    """Only None means that nothing is known."""
    asp.update_task("T", **FACTS)
    asp.update_task("T", **falsy)
    ((name, value),) = falsy.items()
    assert task_row()[COLUMNS.get(name, name)] == value


def test_update_task_before_during_and_after(recorded, task_row):
    """Facts may arrive before the task begins, from other threads while it runs, and after its end."""
    asp.update_task("T", task_type="early")
    with asp.task("T"):
        thread = threading.Thread(target=asp.update_task, args=("T",), kwargs={"actual_complexity": 5})
        thread.start()
        thread.join()
    asp.update_task("T", human_reviewed=True)
    row = task_row()
    assert (row["task_type"], row["actual_complexity"], row["human_reviewed"]) == ("early", 5, 1)
    assert row["status"] == "completed"


@pytest.mark.parametrize("status", ["pending", "in_progress", "completed", "failed"])
def test_update_task_may_set_the_status(recorded, task_row, status):
    """A task that is not tracked as a block can be given its status."""
    asp.update_task("T", status=status)
    assert task_row()["status"] == status


def test_facts_about_another_task_do_not_take_this_one_s_owner(recorded, task_row):
    """Facts that are told inside one task about another do not make that one this one's project or user."""
    with asp.context(user_id="ana"), asp.task("T", project_id="P"):
        asp.update_task("other", task_type="t")
        asp.update_task("T", task_type="t")
    assert (task_row("other")["project_id"], task_row("other")["user_id"]) == (None, None)
    assert (task_row("T")["project_id"], task_row("T")["user_id"]) == ("P", "ana")


def test_unknown_facts_are_counted_and_the_rest_is_stored(recorded, task_row):
    """A fact of an unknown name is counted with its name in the log, and the known ones are stored."""
    asp.configure(recorded.url, replace=True)
    asp.update_task("T", colour="red", task_type="t")
    with asp.task("T", shape="round", actual_complexity=3):
        pass
    row = task_row()
    assert (row["task_type"], row["actual_complexity"], row["status"]) == ("t", 3, "completed")
    assert asp.stats()["troubles"] == {"a task was given facts of unknown names": 2}


@pytest.mark.parametrize("task_id", ["T" * 300, 42, "with 'quotes' and ünïcode", "nul\0surrogate\ud800"])
def test_any_task_id_names_one_task(recorded, task_id):
    """Whatever a task is called, its block, its parameters, its facts and its defects meet in one row."""

    @asp.track_agent("Code")
    def code(task_id):
        return None

    with asp.task(task_id):
        code(task_id)
    asp.update_task(task_id, task_type="t")
    asp.log_defect(
        task_id=task_id, defect_type="x", phase_injected="Code", phase_removed="Test", description="d"
    )
    (row,) = recorded.rows("SELECT * FROM task_metadata")
    assert (row["status"], row["task_type"], row["defect_count"]) == ("completed", "t", 1)
    assert {metric["task_id"] for metric in recorded.metrics()} == {row["task_id"]}
    assert not recorded.rows("SELECT * FROM rejected_records")
