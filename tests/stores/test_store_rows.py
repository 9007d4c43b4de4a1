"""What a store writes is what it was given: every kind of change, every type, to the last digit."""

import math
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import orjson
import pytest
from batches import (
    LATER,
    LATEST,
    MOMENT,
    Lane,
    bootstrap,
    commit,
    logged,
    metric,
    new_id,
    open_trace,
    task,
    trace,
)

from asp_telemetry.records import AgentCostVector, BootstrapMetrics, DefectLog, ExecutionTrace, TaskMetadata
from asp_telemetry.writer.batch import Change


def moment(text):
    """Return UTC text as a moment."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def test_an_execution_comes_back_as_it_was(store, database):
    """Every column of an execution keeps its value: ids, moments to the microsecond, JSON, tags."""
    correlation_id, root_id, parent_id = new_id(), new_id(), new_id()
    row = trace(
        correlation_id=correlation_id, root_id=root_id, parent_id=parent_id, session_id="s-1", user_id="ana",
        environment="prod", release="1.4", agent_iteration=3, subtask_id="ST-1", source="agent_delegation",
        kind="generation", name="ask", agent_role="Design", task_id="T-1", started_at=MOMENT, completed_at=LATER,
        duration_ms="1234.567890", status="error", success=0, error_message="too long", error_type="ValueError",
        context='{"version":"1.0","nested":{"list":[1,2.5,null,true]}}', tags='["nightly","a b"]',
        usage='{"model":"m","cost":"0.00003"}', input='{"args":["x"]}', output='"done"', created_at=MOMENT,
        updated_at=LATEST,
    )  # fmt: skip
    await commit(store, lane := Lane(), lane.insert(row=row))
    found = await database.only(ExecutionTrace)
    assert found.correlation_id == UUID(correlation_id)
    assert (found.root_id, found.parent_id) == (UUID(root_id), UUID(parent_id))
    assert (found.started_at, found.completed_at) == (moment(MOMENT), moment(LATER))
    assert (found.created_at, found.updated_at) == (moment(MOMENT), moment(LATEST))
    assert (found.session_id, found.user_id, found.environment, found.release) == (
        "s-1",
        "ana",
        "prod",
        "1.4",
    )
    assert (found.agent_iteration, found.subtask_id, found.source) == (3, "ST-1", "agent_delegation")
    assert (found.kind, found.name, found.agent_role, found.task_id) == ("generation", "ask", "Design", "T-1")
    assert (found.status, found.success, found.error_message) == ("error", False, "too long")
    assert found.context == {"version": "1.0", "nested": {"list": [1, 2.5, None, True]}}
    assert found.tags == ("nightly", "a b")
    assert found.usage == {"model": "m", "cost": "0.00003"}
    assert (found.input, found.output) == ({"args": ["x"]}, "done")
    (raw,) = await database.rows("SELECT duration_ms FROM execution_traces")
    assert Decimal(str(raw["duration_ms"])) == Decimal("1234.567890")


@pytest.mark.parametrize(
    "value", ["0.00003", "0.0000000001", "0.1234567891", "12345678.0000000001", "0", "3"]
)
async def test_money_survives_to_the_last_digit(store, database, value):
    """A cost comes back as the decimal that was given; SQLite keeps fifteen digits of it, PostgreSQL all."""
    await commit(store, lane := Lane(), lane.insert(metric("API_Cost", value)))
    found = await database.only(AgentCostVector)
    if len(value.replace(".", "").lstrip("0")) <= 15 or database.url.startswith("postgresql"):
        assert found.metric_value == Decimal(value)
    else:
        assert math.isclose(found.metric_value, Decimal(value), rel_tol=1e-15)


async def test_a_metric_comes_back_as_it_was(store, database):
    """Every column of a metric keeps its value, and its day is that of UTC."""
    correlation_id = new_id()
    row = metric(
        "Tokens_In", "1200", "tokens", timestamp="2026-11-20 23:59:59.999999", task_id="T-9", subtask_id="ST",
        project_id="P", user_id="ana", correlation_id=correlation_id, agent_role="Code", agent_version="1.2.3",
        agent_iteration=4, nested=1, llm_model="m", llm_provider="p", metadata='{"source":"computed"}',
    )  # fmt: skip
    await commit(store, lane := Lane(), lane.insert(row))
    found = await database.only(AgentCostVector)
    assert (found.task_id, found.subtask_id, found.project_id, found.user_id) == ("T-9", "ST", "P", "ana")
    assert (found.correlation_id, found.agent_role, found.agent_version) == (
        UUID(correlation_id),
        "Code",
        "1.2.3",
    )
    assert (found.agent_iteration, found.metric_type, found.metric_unit) == (4, "Tokens_In", "tokens")
    assert (found.nested, found.llm_model, found.llm_provider) == (True, "m", "p")
    assert found.metadata == {"source": "computed"}
    (raw,) = await database.rows("SELECT execution_date FROM agent_cost_vector")
    assert str(raw["execution_date"]) == "2026-11-20"


@pytest.mark.parametrize(
    "text",
    [
        "tab\there", "line\nbreak", "carriage\rreturn", "back\\slash", "\\N", "\\.", "quote ' and \"", "{},[]", "NULL",
        "null", "ümläut 漢字 🦄 \u202e", "\x1d\x1e\x1f", "\u2028 \ufeff \u0085", "", "%s $1 ? :name", "trailing\\",
    ],
)  # fmt: skip
async def test_any_text_survives(store, database, text):
    """Texts with control characters, escapes, quotes and any script come back unchanged, in columns, tags and JSON."""
    encoded = orjson.dumps([text, "plain"]).decode()
    row = trace(name=text, error_message=text, tags=encoded, context=orjson.dumps({text: text}).decode())
    task_facts = task(
        "T-1", task_description=text, components_affected=encoded, metadata=f'{{"text":{encoded}}}'
    )
    lane = Lane()
    await commit(
        store, lane, lane.insert(row=row), lane.insert(row=trace(name="neighbour", error_message=None)),
        lane.entry(Change.TASK, task_facts, task_id="T-1"),
        lane.entry(Change.DEFECT, logged("D-1", description=text or "x", component_path=text), task_id="T-1"),
    )  # fmt: skip
    found, neighbour = await database.records(ExecutionTrace)
    assert (found.name, found.error_message, found.tags) == (text, text, (text, "plain"))
    assert found.context == {text: text}
    assert (neighbour.name, neighbour.error_message, neighbour.tags) == ("neighbour", None, None)
    described = await database.only(TaskMetadata)
    assert (described.task_description, described.components_affected) == (text, (text, "plain"))
    assert described.metadata == {"text": [text, "plain"]}
    assert (await database.only(DefectLog)).component_path == text


async def test_nul_costs_the_character_and_not_the_row(store, database):
    """A NUL that got past the capture is replaced where the database cannot keep it; the row is stored."""
    lane = Lane()
    row = trace(name="a\0b", context='{"a":"x\\u0000y","b":"\\\\u0000"}', tags='["t\\u0000"]')
    facts = task("T-1", task_description="d\0d", metadata='{"a":"\\u0000"}')
    await commit(
        store, lane, lane.insert(row=row), lane.entry(Change.TASK, facts, task_id="T-1"),
        lane.entry(Change.FINISH_TRACE, trace(name="c\0d")),
    )  # fmt: skip
    names = {found.name for found in await database.records(ExecutionTrace)}
    assert names in ({"a\ufffdb", "c\ufffdd"}, {"a\0b", "c\0d"})
    (found,) = [one for one in await database.records(ExecutionTrace) if one.name.startswith("a")]
    assert found.context["b"] == "\\u0000"
    assert found.context["a"] in ("x\ufffdy", "x\0y")
    assert (await database.only(TaskMetadata)).task_description in ("d\ufffdd", "d\0d")


async def test_a_final_row_replaces_an_open_one_only(store, database):
    """An open execution becomes what it ended as, in whatever order the two arrive, and never open again."""
    lane = Lane()
    late, early = new_id(), new_id()
    await commit(
        store, lane, lane.entry(Change.OPEN_TRACE, (open_trace(lane.journal_id, correlation_id=late), None))
    )
    assert (await database.only(ExecutionTrace)).status == "in_progress"
    await commit(
        store, lane,
        lane.entry(Change.FINISH_TRACE, trace(correlation_id=late, status="error", success=0, tags='["t"]')),
        lane.entry(Change.FINISH_TRACE, trace(correlation_id=early)),
    )  # fmt: skip
    await commit(
        store, lane, lane.entry(Change.OPEN_TRACE, (open_trace(lane.journal_id, correlation_id=early), None))
    )
    await commit(store, lane, lane.entry(Change.FINISH_TRACE, trace(correlation_id=late, status="success")))
    found = {str(row.correlation_id): row for row in await database.records(ExecutionTrace)}
    assert (found[late].status, found[late].success, found[late].tags) == ("error", False, ("t",))
    assert found[late].context is None
    assert (found[early].status, found[early].success) == ("success", True)


async def test_open_and_finished_in_one_batch(store, database):
    """An execution that is opened and finished within one batch is one finished row."""
    lane, correlation_id = Lane(), new_id()
    await commit(
        store, lane,
        lane.entry(Change.FINISH_TRACE, trace(correlation_id=correlation_id)),
        lane.entry(Change.OPEN_TRACE, (open_trace(lane.journal_id, correlation_id=correlation_id), None)),
    )  # fmt: skip
    assert (await database.only(ExecutionTrace)).status == "success"


async def test_bootstrap_metrics(store, database):
    """A bootstrap metric comes back as it was, the default of its graduation filled in."""
    facts = bootstrap(secondary_metrics_json='{"bias":0.02}', graduation_notes="soon", metadata='{"run":7}')
    await commit(
        store, lane := Lane(), lane.entry(Change.BOOTSTRAP, facts), lane.entry(Change.BOOTSTRAP, bootstrap())
    )
    first, second = await database.records(BootstrapMetrics)
    assert (first.primary_metric_value, first.primary_metric_target) == (Decimal("18.2"), Decimal(20))
    assert (first.capability_mode, first.tasks_completed, first.metric_direction) == (
        "Shadow",
        15,
        "lower_is_better",
    )
    assert (first.secondary_metrics_json, first.metadata) == ({"bias": 0.02}, {"run": 7})
    assert (first.measured_at, first.measurement_period_end) == (moment(MOMENT), moment(LATER))
    assert (first.graduation_criteria_met, second.graduation_notes) == (False, None)


async def test_a_large_batch_is_stored_whole(store, database):
    """Two thousand executions with four metrics each arrive in one batch, none lost and none doubled."""
    lane = Lane()
    entries = [lane.insert(*(metric(value=str(part)) for part in range(4))) for _ in range(2000)]
    await commit(store, lane, *entries)
    (traces,) = await database.rows("SELECT count(*) AS number FROM execution_traces")
    (metrics,) = await database.rows(
        "SELECT count(*) AS number, sum(metric_value) AS total FROM agent_cost_vector"
    )
    assert (traces["number"], metrics["number"], float(metrics["total"])) == (2000, 8000, 12000.0)
