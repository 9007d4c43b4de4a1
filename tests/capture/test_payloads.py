"""Metadata, tags and content of any kind reach the database as JSON, and never cost the execution its row."""

import json

import pytest
from capture_answers import chat

import asp_telemetry as asp


class NoRepr:
    def __repr__(self):
        raise RuntimeError("no repr")


def circle():
    value = {"name": "circle"}
    value["self"] = [value]
    return value


BAD = {
    "an object": object(), "no repr": NoRepr(), "a surrogate": "a\ud800b", "a NUL": "a\0b", "a circle": circle(),
    "10 MB": "x" * 10_000_000, "NaN": float("nan"), "a huge number": 10**5000, "odd keys": {(1, 2): {None: 1}},
    "depth": json.loads("[" * 500 + "]" * 500), "breadth": list(range(100_000)),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("way", ["set", "span", "task", "task fact", "defect", "bootstrap"])
def test_bad_metadata_costs_only_itself(recorded, name, way):
    """Metadata that cannot be stored as it is is stored as well as it can be, beside what can."""
    asp.configure(recorded.url, replace=True)
    metadata = {"bad": BAD[name], "good": [1, "two"]}
    table = "execution_traces"
    if way == "set":
        with asp.span("work") as span:
            span.set(metadata=metadata)
    elif way == "span":
        with asp.span("work", metadata=metadata):
            pass
    elif way == "task":
        table = "task_metadata"
        with asp.task("T", metadata=metadata):
            pass
    elif way == "task fact":
        table = "task_metadata"
        asp.update_task("T", metadata=metadata)
    elif way == "defect":
        table = "defect_log"
        asp.log_defect(
            task_id="T", defect_type="x", phase_injected="Code", phase_removed="Test", description="d",
            metadata=metadata,
        )  # fmt: skip
    else:
        table = "bootstrap_metrics"
        asp.record_bootstrap(
            "C", mode="Shadow", tasks_completed=1, tasks_required=2, metric="m", value=1, target=2,
            direction="lower_is_better", metadata=metadata,
        )  # fmt: skip
    column = "context -> '$.metadata'" if table == "execution_traces" else "metadata"
    (row,) = recorded.rows(f"SELECT {column} AS metadata FROM {table}")
    assert json.loads(row["metadata"])["good"] == [1, "two"]
    assert recorded.rows("SELECT * FROM rejected_records") == []
    assert asp.stats()["dropped"] == 0


@pytest.mark.parametrize("name", BAD)
def test_bad_content_costs_only_itself(recorded, name):
    """With content captured, arguments and results of any kind are returned as they are, and the row is stored."""
    asp.configure(recorded.url, replace=True, capture_content=True)

    @asp.track
    def work(value, good):
        return value

    assert work(BAD[name], good=1) is BAD[name]
    (row,) = recorded.traces()
    assert row["status"] == "success"
    assert json.loads(row["input"])
    assert json.loads(row["output"] or "0") is not None


@pytest.mark.parametrize("name", ["a surrogate", "a NUL", "10 MB"])
def test_bad_texts_in_every_place(recorded, name):
    """A text that databases refuse may stand in every place that takes one, and nothing is refused."""
    text = BAD[name]
    asp.configure(recorded.url, replace=True)

    def work():
        with asp.span(text, kind="agent", agent_role=text, model=text, version=text, tags=[text]) as span:
            span.record_metric(text, 1, text)
            span.record_usage(input_tokens=1, model=text, provider=text)
        asp.log_defect(
            defect_type=text, phase_injected=text, phase_removed="Test", description=text, root_cause=text
        )
        raise KeyError(text)

    with (
        asp.context(user_id=text, session_id=text, environment=text, release=text, tags=[text]),
        pytest.raises(KeyError),
        asp.task(text, subtask_id=text, task_description=text),
    ):
        work()
    assert len(recorded.traces()) == 2
    assert len(recorded.metrics()) == 3
    assert len(recorded.rows("SELECT * FROM task_metadata")) == 1
    assert len(recorded.rows("SELECT * FROM defect_log")) == 1
    assert recorded.rows("SELECT * FROM rejected_records") == []
    assert asp.stats()["dropped"] == 0


def test_metadata_is_kept_as_it_was_recorded(recorded):
    """Metadata is merged by name from call to call, and tags are collected, each once."""
    with asp.span("work", metadata={"a": 1, "b": {"c": [None, True, 0.5]}}, tags=["x"]) as span:
        span.set(metadata={"a": 2}, tags=["y", "x"])
        span.set(metadata={"d": "é"})
    (row,) = recorded.traces()
    assert json.loads(row["context"])["metadata"] == {"a": 2, "b": {"c": [None, True, 0.5]}, "d": "é"}
    assert json.loads(row["tags"]) == ["x", "y"]


def test_very_many_answers_in_one_execution_are_all_counted(recorded):
    """An execution that records thousands of answers loses none of their tokens."""
    with asp.span("loop", kind="agent") as span:
        for _ in range(3_000):
            span.record_usage(input_tokens=2, output_tokens=1, model="gpt-4o-mini", provider="openai")
    (row,) = recorded.rows(
        "SELECT sum(metric_value) AS total FROM agent_cost_vector WHERE metric_type = 'Tokens_In'"
    )
    assert row["total"] == 6_000
    assert [row["status"] for row in recorded.traces()] == ["success"]


def test_very_many_metrics_in_one_execution_are_kept_or_counted(recorded):
    """Of very many metrics in one execution each is stored or counted as refused, and the row is there."""
    asp.configure(recorded.url, replace=True)
    with asp.span("loop", kind="agent") as span:
        for _ in range(5_000):
            span.record_metric("Quality", 1, "score")
    stored = len(recorded.metrics("Quality"))
    assert stored + asp.stats()["troubles"].get("an execution had too many metrics", 0) == 5_000
    assert len(recorded.traces()) == 1
    assert asp.stats()["dropped"] == 0


@pytest.mark.parametrize("wrong", [{"tags": 5}, {"metadata": [1]}, {"metadata": 5}])
def test_wrong_arguments_of_set_are_counted_and_harmless(recorded, wrong):
    """What `set` cannot take is counted, and the execution is stored."""
    asp.configure(recorded.url, replace=True)
    with asp.span("work", **wrong) as span:
        span.set(**wrong)
    assert [row["status"] for row in recorded.traces()] == ["success"]
    assert sum(asp.stats()["troubles"].values()) == 2


def test_very_many_priced_answers_keep_their_price(recorded):
    """The costs that very many answers report themselves add up exactly, and do not mix with computed ones."""
    usage = {"prompt_tokens": 2, "completion_tokens": 1}
    with asp.span("loop", kind="agent") as span:
        for _ in range(1_000):
            span.record_usage(chat(usage={**usage, "cost": "0.001"}))
            span.record_usage(chat(usage=usage, model="unknown-model"))
    rows = recorded.metrics("API_Cost")
    assert [(row["llm_model"], row["metric_value"]) for row in rows] == [("gpt-4o-mini", pytest.approx(1))]
    assert sum(row["metric_value"] for row in recorded.metrics("Tokens_In")) == 4_000


def test_answers_of_very_many_models_are_kept_or_counted(recorded):
    """Of answers of very many models in one execution each is stored or counted as refused."""
    asp.configure(recorded.url, replace=True)
    with asp.span("loop", kind="agent") as span:
        for number in range(1_000):
            span.record_usage(input_tokens=1, model=f"model-{number}")
    refused = asp.stats()["troubles"]["an execution had too many answers of different models"]
    assert len(recorded.metrics("Tokens_In")) + refused == 1_000


def test_facts_that_are_too_large_together_cost_only_the_largest(recorded):
    """A task or defect with huge texts has its row, its small facts whole and the huge ones shortened."""
    asp.configure(recorded.url, replace=True)
    asp.update_task(
        "TASK-001", task_type="auth", task_description="\u8a9e" * 40_000, requirements_text="r" * 30_000,
        semantic_units=["s" * 30_000] * 3, components_affected=["c" * 30_000] * 2, metadata={"m": "m" * 30_000},
    )  # fmt: skip
    asp.log_defect(
        task_id="TASK-001", defect_type="6_Conventional_Code_Bug", phase_injected="Code", phase_removed="Test",
        description="\U0001f41b" * 40_000, severity="Low",
    )  # fmt: skip
    (task,) = recorded.rows("SELECT * FROM task_metadata")
    (defect,) = recorded.rows("SELECT * FROM defect_log")
    assert (task["task_id"], task["task_type"], defect["severity"]) == ("TASK-001", "auth", "Low")
    assert len(task["requirements_text"]) == 30_000
    assert "sha256" in task["task_description"]
    assert "sha256" in defect["description"]
    assert len(json.loads(task["components_affected"])) in {1, 2}
    assert asp.stats()["troubles"] == {"a payload was shortened": 2}
