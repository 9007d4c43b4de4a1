"""The task of an execution is found where the user has named it, in one order of precedence."""

import pytest

import asp_telemetry as asp


@asp.track
def leaf():
    return asp.current_span().id


@asp.track_agent("Planning")
def plan(task_id="", brief=""):
    return asp.current_span().id


class Request:
    def __init__(self, task_id):
        self.task_id = task_id


@asp.track(task_id="T-fixed")
def with_value(task_id="ignored"):
    """Name the task in the decorator."""


@asp.track(task_id="request.task_id")
def with_path(request, task_id="ignored"):
    """Name the path to the task in the decorator."""


@asp.track(task_id="request.meta.task")
def with_long_path(*, request):
    """Name a path through dictionaries and attributes."""


@asp.track
def with_parameter(brief, task_id=None):
    """Have a parameter for the task."""


@asp.track
def with_keyword(*, task_id="T-default"):
    """Have a keyword with a default for the task."""


@asp.track
def without():
    """Say nothing of a task."""


@pytest.mark.parametrize(
    ("call", "alone", "inside"),
    [
        (with_value, "T-fixed", "T-fixed"),
        (lambda: with_value("T-given"), "T-fixed", "T-fixed"),
        (lambda: with_path(Request("T-path")), "T-path", "T-path"),
        (lambda: with_path(request={"task_id": "T-path"}), "T-path", "T-path"),
        (lambda: with_long_path(request={"meta": {"task": "T-long"}}), "T-long", "T-long"),
        (lambda: with_parameter("x", "T-given"), "T-given", "T-given"),
        (lambda: with_parameter(task_id="T-given", brief="x"), "T-given", "T-given"),
        (lambda: with_parameter("x"), None, "T-task"),
        (lambda: with_parameter("x", 42), "42", "42"),
        (with_keyword, "T-default", "T-default"),
        (without, None, "T-task"),
    ],
)
def test_the_task_id_has_an_order_of_precedence(recorded, call, alone, inside):
    """The decorator's value or path beats a parameter, that beats the enclosing task, and the root's id is last."""
    call()
    (row,) = recorded.traces()
    assert row["task_id"] == (alone or row["correlation_id"])
    with asp.task("T-task"):
        call()
    assert recorded.traces()[-1]["task_id"] == inside


def test_the_path_of_a_method_may_begin_at_self(recorded):
    """A path in the decorator of a method reads from the object, and what is decorated stays callable."""

    class Agent:
        task_id = "T-self"

        @asp.track_agent(task_id="self.task_id")
        def run(self):
            return asp.current_span().id

    Agent().run()
    assert [row["task_id"] for row in recorded.traces()] == ["T-self"]


def test_a_path_that_leads_nowhere_is_counted_and_harmless(recorded):
    """A missing task id never raises: the call runs, the root's id stands in, and the reason is counted."""
    asp.configure(recorded.url, replace=True)
    assert with_path(Request(None)) is None
    assert with_path(object()) is None
    rows = recorded.traces()
    assert [row["task_id"] for row in rows] == [row["correlation_id"] for row in rows]
    assert asp.stats()["troubles"] == {"a task id was not found": 2}


def test_the_task_of_a_call_is_that_of_what_it_calls(recorded):
    """A task id that came as a parameter holds for everything inside that call, and not behind it."""
    with asp.task("T-outer"):
        plan("T-inner")
        with asp.span("between"):
            with_parameter("x", "T-deep")
        leaf()
    found = {row["name"]: row["task_id"] for row in recorded.traces()}
    assert found == {
        "task": "T-outer",
        "plan": "T-inner",
        "between": "T-outer",
        "with_parameter": "T-deep",
        "leaf": "T-outer",
    }


def test_naming_the_enclosing_task_again_keeps_its_subtask(recorded):
    """A parameter that names the task one is in anyway leaves the part of it that is worked on as it is."""
    with asp.task("T", subtask_id="T.1", project_id="P"):
        plan("T")
        plan("T-other")
    rows = recorded.rows(
        "SELECT c.task_id, c.subtask_id, c.project_id FROM agent_cost_vector c WHERE metric_type = 'Latency' ORDER BY id"
    )
    assert rows == [
        {"task_id": "T", "subtask_id": "T.1", "project_id": "P"},
        {"task_id": "T-other", "subtask_id": None, "project_id": "P"},
    ]
