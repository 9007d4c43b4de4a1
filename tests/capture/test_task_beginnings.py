"""A record says whether its execution belongs to another task than what surrounds it."""

import json

import pytest

import asp_telemetry as asp
from asp_telemetry.journal.layout import Flag, Kind
from asp_telemetry.journal.outlet import find_journals


@pytest.fixture
def beginnings(tmp_path):
    """Record without a writer, and read from the journal which executions begin a task."""
    asp.configure(
        f"sqlite:///{tmp_path}/a.db", writer=False, journal_dir=str(tmp_path / "j"), strict=True, replace=True
    )

    def read():
        (journal,) = find_journals(tmp_path / "j")
        journal.refresh()
        return {
            journal_name(record): bool(record.slot[2] & Flag.TASK_BEGINS)
            for lane in journal.lanes()
            for record in journal.reader(lane, 0).read(100)
            if record.slot[0] == Kind.EXECUTION
        }

    yield read
    asp.shutdown(timeout=5)


def journal_name(record):
    """Return what was executed."""
    return json.loads(record.site)["name"]


def test_only_the_execution_that_enters_the_task_begins_it(beginnings):
    """Inside a request a task begins; what it does, and what the request does besides, begins none."""
    with asp.span("request"):
        with asp.span("before"):
            pass
        with asp.task("T-1"), asp.span("agent", kind="agent"), asp.span("step"):
            with asp.context(user_id="ana"), asp.span("inner"):
                pass
            with asp.span("last"):
                pass
        with asp.span("after"):
            pass
    assert beginnings() == {
        "request": False, "before": False, "task": True, "agent": False, "step": False, "inner": False, "last": False,
        "after": False,
    }  # fmt: skip


def test_a_parameter_begins_a_task_only_where_it_names_another_one(beginnings):
    """Functions that hand the same task id on are all of one task; one that names another begins that."""

    @asp.track(name="outer")
    def outer(task_id):
        same(task_id)
        other("T-2")

    @asp.track(name="same")
    def same(task_id):
        return len(task_id)

    @asp.track_agent("Code", name="other")
    def other(task_id):
        within(task_id)

    @asp.track(name="within")
    def within(task_id):
        return len(task_id)

    outer("T-1")
    assert beginnings() == {"outer": True, "same": False, "other": True, "within": False}


def test_what_starts_after_its_parent_has_ended_begins_no_task(beginnings):
    """Work that a finished task has left behind is still inside it."""
    with asp.span("request"), asp.task("T-1"):
        late = asp.propagate(lambda: asp.span("late").__enter__().__exit__(None, None, None))
    late()
    assert beginnings()["late"] is False


def test_a_thread_of_a_pool_stays_in_the_task(beginnings):
    """What is submitted to another thread belongs to the task of who submitted it, and begins none."""
    with asp.span("request"), asp.task("T-1"), asp.ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(work).result()
    assert beginnings()["work"] is False


@asp.track(name="work")
def work():
    """Do something elsewhere."""
