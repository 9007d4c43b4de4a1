"""What others have written into Langfuse becomes executions and costs that mean the same."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from langfuse import Langfuse, propagate_attributes
from langfuse_feeding import START, TRACE, cost, observation, put, put_scores, span_id, usage
from opentelemetry.sdk.trace import TracerProvider

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.importing.langfuse import importing, reader
from langfuse_double import Fault

TREE = (
    observation(1, "agent", name="planner", lasts=9.0, langfuse__version="v7"),
    observation(2, "generation", parent=1, at=1.0, **{"model.name": "x"}),
    observation(3, "tool", parent=2, at=2.0, name="grep"),
)


def traces(ledger, columns, order="started_at, correlation_id"):
    return ledger.rows(f"SELECT {columns} FROM execution_traces ORDER BY {order}")


def metrics(ledger, condition="1 = 1"):
    rows = ledger.rows(
        f"SELECT metric_type, metric_value FROM agent_cost_vector WHERE {condition} ORDER BY metric_type"
    )
    return {name: Decimal(str(value)).normalize() for name, value in rows}


def uuid(number):
    return f"01234567-89ab-cdef-0000-{number:012x}"


def test_a_tree_keeps_its_shape_its_kinds_and_its_times(double, ledger, bring):
    """Parents, kinds, names and times to the millisecond are those of Langfuse; the ids are those of the trace context."""
    put(double, *TREE)

    assert bring().stored == {"executions": 3}
    assert traces(ledger, "cast(correlation_id AS text), cast(parent_id AS text), kind, name, source") == [
        (uuid(1), None, "agent", "planner", "user_prompt"),
        (uuid(2), uuid(1), "generation", "generation 2", "agent_delegation"),
        (uuid(3), uuid(2), "tool", "grep", "agent_delegation"),
    ]
    ((root, started, completed, duration),) = ledger.rows(
        "SELECT cast(root_id AS text), started_at, completed_at, duration_ms FROM execution_traces WHERE kind = 'agent'"
    )
    assert root == uuid(7)
    assert moment(started) == START
    assert (moment(completed) - START).total_seconds() == 9.0
    assert float(duration) == 9000.0


def moment(value):
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@pytest.mark.parametrize("faults", [[], [Fault(), Fault(status=400)]], ids=["by id", "by trace"])
def test_the_role_is_the_nearest_agents(double, ledger, bring, monkeypatch, faults):
    """Costs stand under the agent around them, also where that is on a later page, and whatever may be asked for."""
    monkeypatch.setattr(reader, "OBSERVATIONS", 1)
    put(
        double,
        observation(1, "agent", name="outer", lasts=9.0),
        observation(2, "agent", parent=1, at=1.0, name="inner"),
        observation(3, "chain", parent=2, at=2.0),
        observation(4, "tool", parent=3, at=3.0),
        observation(5, "tool", parent=1, at=4.0),
        observation(6, "tool", at=5.0, name="alone"),
        observation(7, "tool", parent="00000000000000ff", at=6.0, name="lost"),
    )
    double.faults.extend(faults)
    bring()

    roles = ledger.rows(
        "SELECT agent_role, metric_type, nested FROM agent_cost_vector ORDER BY timestamp, correlation_id, metric_type"
    )
    assert [(role, kind, bool(nested)) for role, kind, nested in roles] == [
        ("inner", "Latency", True),
        ("inner", "Tool_Calls", False),
        ("outer", "Tool_Calls", False),
        ("alone", "Tool_Calls", False),
        ("lost", "Tool_Calls", False),
        ("outer", "Latency", False),
    ]


@pytest.mark.parametrize(
    ("details", "whole"),
    [
        (
            {"input": 100, "cache_read_input_tokens": 900, "output": 50, "output_reasoning_tokens": 20},
            (1000, 70),
        ),
        ({"input": 1000, "input_cached_tokens": 900, "output": 50, "total": 1050}, (1000, 50)),
        ({"input": 100, "input_cached_tokens": 900, "output": 50, "total": 1050}, (1000, 50)),
        ({"input": 1000, "cache_read": 900, "output": 50, "output_reasoning": 20, "total": 1070}, (1000, 70)),
        ({"prompt_tokens": 10, "completion_tokens": 5}, (10, 5)),
        ({"total": 12}, (12, None)),
        ({"input": 3, "images": 2, "total": 5}, (3, None)),
    ],
)
def test_no_class_of_tokens_counts_twice(double, ledger, bring, details, whole):
    """Cached and reasoning tokens are in the whole once, whether the writer keeps classes apart or repeats them."""
    put(double, observation(1, "generation", **{"model.name": "m"}, usage_details=usage(**details)))
    bring()

    found = metrics(ledger)
    assert (found.get("Tokens_In"), found.get("Tokens_Out")) == whole


def test_the_cost_is_langfuses_to_the_last_digit(double, ledger, bring):
    """What Langfuse says that a call cost stands in the ledger with its source, and repricing leaves it alone."""
    put(
        double,
        observation(
            1,
            "generation",
            **{"model.name": "claude-x"},
            usage_details=usage(input=1000, output=5),
            cost_details=cost("0.0000300007"),
            metadata={"ls_provider": "anthropic"},
        ),
    )
    bring()

    ((value, unit, model, provider, metadata),) = ledger.rows(
        "SELECT metric_value, metric_unit, llm_model, llm_provider, metadata FROM agent_cost_vector "
        "WHERE metric_type = 'API_Cost'"
    )
    assert (Decimal(str(value)), unit, model, provider) == (
        Decimal("0.0000300007"),
        "USD",
        "claude-x",
        "anthropic",
    )
    facts = json.loads(metadata)
    assert (facts["source"], facts["reported_by"]) == ("provider", "langfuse")
    ((told,),) = ledger.rows("SELECT usage FROM execution_traces")
    assert json.loads(told)["cost"] == "0.0000300007"


def test_what_has_no_cost_gets_none(double, ledger, bring):
    """A call of which Langfuse knows no cost has none here, instead of one of nothing."""
    put(double, observation(1, "generation", **{"model.name": "m"}, usage_details=usage(input=1)))
    bring()

    assert "API_Cost" not in metrics(ledger)


def test_scope_and_level_are_kept(double, ledger, bring):
    """Session, user, environment, release, version, tags, level, error and metadata stand where they belong."""
    put(
        double,
        observation(
            1, "agent", name="planner", level="ERROR", status_message="it broke: api_key=abcdefgh12345",
            session__id="s-1", user__id="ana", langfuse__environment="prod", langfuse__release="1.4",
            langfuse__version="v7", langfuse__trace__tags=["nightly"], langfuse__trace__name="nightly run",
            metadata={"long": "x" * 300, "project_id": "P", "iteration": "3"},
        ),
        observation(2, "span", parent=1, at=1.0, level="WARNING", status_message="slow"),
    )  # fmt: skip
    bring()

    row, _ = traces(
        ledger,
        "session_id, user_id, environment, release, status, success, error_message, agent_iteration, tags",
    )
    assert row[:5] == ("s-1", "ana", "prod", "1.4", "error")
    assert not row[5]
    assert row[6] == "it broke: api_key=[redacted]"
    assert row[7] == 3
    assert list(json.loads(row[8]) if isinstance(row[8], str) else row[8]) == ["nightly"]
    first, second = (json.loads(text) for (text,) in traces(ledger, "context"))
    assert first["metadata"]["long"] == "x" * 300
    assert (first["version"], first["trace_name"], first["project_id"]) == ("v7", "nightly run", "P")
    assert (second["level"], second["status_message"]) == ("WARNING", "slow")
    assert ledger.rows("SELECT agent_version, project_id, user_id FROM agent_cost_vector") == [
        ("v7", "P", "ana")
    ]


def test_content_is_brought_only_where_it_is_asked_for(double, ledger, bring):
    """Inputs and outputs of other writers stay out, unless asked for; then their secrets stay out."""
    put(double, observation(1, "tool", input='{"q": "why", "password": "hunter22"}', output="plain words"))
    bring()
    assert traces(ledger, "input, output") == [(None, None)]

    ledger.run("DELETE FROM agent_cost_vector; DELETE FROM execution_traces;")
    bring(with_content=True)
    ((given, said),) = traces(ledger, "input, output")
    assert json.loads(given) == {"q": "why", "password": "[redacted]"}
    assert json.loads(said) == "plain words"


def test_a_root_with_a_phantom_parent_is_a_root(double, ledger, bring):
    """The root that the Langfuse SDK gives a parent that is nowhere has none here."""
    put(
        double,
        observation(1, "agent", parent="00000000000000aa", langfuse__internal__is_app_root=True),
        observation(2, "tool", parent=1, at=1.0),
    )
    bring()

    assert traces(ledger, "cast(parent_id AS text)") == [(None,), (uuid(1),)]


def test_a_task_is_made_of_the_trace_that_names_it(double, ledger, bring):
    """Executions whose metadata names a task belong to it, and it is summed up."""
    put(
        double,
        observation(1, "agent", name="plan", metadata={"task_id": "T-1", "project_id": "P"}, lasts=9.0),
        observation(
            2, "generation", parent=1, at=1.0, metadata={"task_id": "T-1"},
            usage_details=usage(input=10, output=5), cost_details=cost("0.5"),
        ),
    )  # fmt: skip

    assert bring().stored == {"executions": 2, "tasks": 1}
    ((task_id, project_id, status, vector),) = ledger.rows(
        "SELECT task_id, project_id, status, actual_cost_vector_json FROM task_metadata"
    )
    assert (task_id, project_id, status) == ("T-1", "P", "completed")
    found = json.loads(vector)
    assert (found["tokens"], found["api_cost_usd"], found["latency_ms"]) == (15, 0.5, 9000)


def test_what_is_inside_belongs_to_the_task_that_the_root_names(double, ledger, bring, monkeypatch):
    """Metadata of the root alone are enough: the task has the tokens and costs of everything inside, across pages."""
    monkeypatch.setattr(reader, "OBSERVATIONS", 1)
    put(
        double,
        observation(1, "agent", name="plan", metadata={"task_id": "T-1", "project_id": "P"}, lasts=9.0),
        observation(2, "span", parent=1, at=1.0),
        observation(
            3, "generation", parent=2, at=2.0, usage_details=usage(input=10, output=5), cost_details=cost("0.5")
        ),
        observation(4, "tool", parent=2, at=3.0, metadata={"task_id": "T-2"}),
    )  # fmt: skip

    bring()
    assert ledger.rows(
        "SELECT task_id, count(*) FROM execution_traces GROUP BY task_id ORDER BY task_id"
    ) == [
        ("T-1", 3),
        ("T-2", 1),
    ]
    assert ledger.rows("SELECT DISTINCT project_id FROM agent_cost_vector") == [("P",)]
    ((vector,),) = ledger.rows("SELECT actual_cost_vector_json FROM task_metadata WHERE task_id = 'T-1'")
    found = json.loads(vector)
    assert (found["tokens"], found["api_cost_usd"]) == (15, 0.5)


def test_a_repeated_import_writes_nothing(double, ledger, bring):
    """The second import of the same finds all of it there; what arrived since comes in."""
    put(double, *TREE)
    bring()
    put(double, observation(4, "event", parent=1, at=3.0))

    again = bring()

    assert again.stored == {"executions": 1}
    assert again.skipped == {"executions": 3}
    assert not bring().stored


def test_what_langfuse_shows_twice_counts_once(double, ledger, bring):
    """An observation that was stored twice, after a lost answer, is one execution with one cost."""
    span = observation(1, "generation", usage_details=usage(input=7), cost_details=cost("0.25"))
    put(double, span)
    put(double, span)

    summary = bring()

    assert summary.stored == {"executions": 1}
    assert summary.notes == {"observations that Langfuse shows twice": 1}
    assert metrics(ledger) == {"API_Cost": Decimal("0.25"), "Tokens_In": 7}


def test_scores_of_others_are_told_and_left(double, ledger, bring):
    """A score that is no defect of ours has no place in the ledger, and the summary says so."""
    put(double, *TREE)
    put_scores(
        double,
        {"id": "s", "name": "helpful", "value": 0.5, "traceId": TRACE, "observationId": span_id(1),
         "timestamp": START.isoformat()},
    )  # fmt: skip

    assert bring().notes == {"scores of other writers, which a ledger has no place for": 1}


def test_what_the_sdk_writes_is_understood(double, ledger, bring):
    """The Langfuse SDK itself writes a tree, whose usage and cost, metadata and scope arrive."""
    client = Langfuse(
        public_key=double.public_key,
        secret_key=double.secret_key,
        base_url=double.url,
        tracer_provider=TracerProvider(),
    )
    with (
        propagate_attributes(user_id="ana", session_id="s-1", tags=["t"], metadata={"task_id": "T-9"}),
        client.start_as_current_observation(name="root", as_type="agent"),
        client.start_as_current_observation(
            name="ask",
            as_type="generation",
            model="m",
            usage_details={"input": 3, "output": 4},
            cost_details={"total": 0.125},
        ),
    ):
        pass
    client.flush()
    client.shutdown()

    summary = bring(datetime(2026, 1, 1, tzinfo=UTC), datetime(2126, 1, 1, tzinfo=UTC))

    assert summary.stored == {"executions": 2, "tasks": 1}
    assert traces(ledger, "kind, user_id, session_id, task_id", "kind") == [
        ("agent", "ana", "s-1", "T-9"),
        ("generation", "ana", "s-1", "T-9"),
    ]
    found = metrics(ledger)
    assert (found["API_Cost"], found["Tokens_In"], found["Tokens_Out"]) == (Decimal("0.125"), 3, 4)


def test_an_open_observation_is_left_for_later(double, ledger, bring, monkeypatch):
    """What has not ended waits for a later import; what is open for a day is taken for abandoned."""
    put(double, observation(1, "agent"))
    shown = reader.LangfuseReader.observations

    async def without_end(*args, **options):
        async for page in shown(*args, **options):
            yield [one.model_copy(update={"end_time": None}) for one in page]

    monkeypatch.setattr(reader.LangfuseReader, "observations", without_end)

    class Clock(datetime):
        @classmethod
        def now(cls, zone=None):
            return START.astimezone(zone)

    with monkeypatch.context() as patched:
        patched.setattr(importing, "datetime", Clock)
        summary = bring()
        assert not summary.stored
        assert list(summary.notes.values()) == [1]
    bring()
    assert traces(ledger, "status, duration_ms") == [("abandoned", None)]


def test_an_execution_that_both_have_seen_is_one(double, ledger, bring):
    """A span that the Langfuse SDK has sent and that was recorded here under the same trace context is not doubled."""
    put(double, *TREE)
    bring()
    ledger.run("DELETE FROM agent_cost_vector; DELETE FROM execution_traces;")
    asp.configure(ledger.url, auto_migrate=True, strict=True, replace=True)
    try:
        headers = {"traceparent": f"00-{TRACE}-{span_id(1)}-01"}
        with asp.extract(headers), asp.span("here", kind="tool"):
            pass
        assert asp.flush(timeout=20).complete
        assert bring().stored == {"executions": 3}
        assert len(traces(ledger, "name")) == 4
        assert not bring().stored
    finally:
        asp.shutdown(timeout=5)
        guard.be_strict(False)
        guard.reset()
