"""Endpoint calls come back from either database as they were recorded."""

from datetime import UTC, datetime
from decimal import Decimal

from batches import LATER, MOMENT, Lane, commit, metric, new_id, trace

from asp_telemetry.records import AgentCostVector, EndpointCall, ExecutionTrace
from asp_telemetry.writer.batch import Change


def endpoint(**values):
    """Make the columns of a call that succeeded, but for what is said."""
    return {
        "id": new_id(), "correlation_id": new_id(), "service_name": "intelligence", "endpoint_path": "/api/rag/query",
        "http_method": "POST", "request_body": None, "response_body": None, "headers": None, "response_status": 200,
        "started_at": MOMENT, "completed_at": LATER, "duration_ms": "1.234567", "success": 1, "error_message": None,
        "error_type": None, "retry_count": 0, "context": None, "created_at": LATER, "hook_execution_id": None, **values,
    }  # fmt: skip


async def test_a_call_comes_back_as_it_was(store, database):
    """Every column of an endpoint call keeps its value."""
    row = endpoint(
        request_body='{"a":[1,"ü"]}', response_body='"text"', headers='{"request":{"accept":"a"}}', response_status=503,
        success=0, error_message="it's\ttoo\nbusy \\ \"", error_type="http_error", retry_count=2,
        context='{"kind":"client","request_bytes":10}',
    )  # fmt: skip
    await commit(store, lane := Lane(), lane.entry(Change.ENDPOINT, row))
    found = await database.only(EndpointCall)
    assert (str(found.id), str(found.correlation_id)) == (row["id"], row["correlation_id"])
    assert (found.service_name, found.endpoint_path, found.http_method) == (
        "intelligence",
        "/api/rag/query",
        "POST",
    )
    assert (found.request_body, found.response_body) == ({"a": [1, "ü"]}, "text")
    assert found.headers == {"request": {"accept": "a"}}
    assert (found.response_status, found.success, found.retry_count) == (503, False, 2)
    assert (found.error_message, found.error_type) == ("it's\ttoo\nbusy \\ \"", "http_error")
    assert found.started_at == datetime.fromisoformat(MOMENT).replace(tzinfo=UTC)
    assert found.completed_at == datetime.fromisoformat(LATER).replace(tzinfo=UTC)
    assert found.duration_ms == Decimal("1.234567")
    assert found.context == {"kind": "client", "request_bytes": 10}
    assert found.hook_execution_id is None


async def test_calls_come_with_their_executions(store, database):
    """Calls, executions and metrics of one batch are committed together."""
    lane, correlation_id = Lane(), new_id()
    await commit(
        store, lane, lane.insert(row=trace(correlation_id=correlation_id)),
        *(lane.entry(Change.ENDPOINT, endpoint(correlation_id=correlation_id)) for _ in range(3)),
    )  # fmt: skip
    assert {str(row.correlation_id) for row in await database.records(EndpointCall)} == {correlation_id}
    assert len(await database.records(EndpointCall)) == 3


async def test_text_that_a_database_lacks_is_adapted(store, database):
    """A NUL in a body does not cost the row."""
    await commit(
        store,
        lane := Lane(),
        lane.entry(Change.ENDPOINT, endpoint(error_message="a\ufffdb", headers='{"a":"b"}')),
    )
    assert (await database.only(EndpointCall)).error_message == "a\ufffdb"


async def test_costs_without_a_trace_leave_metrics_alone(store, database):
    """Of an execution that sampling leaves out the metrics are written, and count for its task; the row is not."""
    lane = Lane()
    await commit(store, lane, lane.run("T-1"), lane.task("T-1"))
    await commit(
        store, lane,
        lane.entry(Change.COSTS, trace(task_id="T-1"), metrics=(metric(), metric("Tokens_In", "7", "tokens")), task_id="T-1"),
    )  # fmt: skip
    assert [row.name for row in await database.records(ExecutionTrace)] == ["T-1"]
    assert len(await database.records(AgentCostVector)) == 2
    (task,) = await database.rows("SELECT actual_cost_vector_json AS cost FROM task_metadata")
    assert '"tokens":7' in str(task["cost"]).replace(" ", "")


async def test_the_prompt_and_the_final_name_are_kept(store, database):
    """The row of an execution that was seen open gets the name that it ended with, and its prompt."""
    lane, correlation_id = Lane(), new_id()
    opened = trace(
        correlation_id=correlation_id, name="GET", status="in_progress", completed_at=None, success=None
    )
    await commit(store, lane, lane.entry(Change.OPEN_TRACE, (opened, None)))
    ended = trace(correlation_id=correlation_id, name="GET /items/{id}", prompt_text="why")
    await commit(store, lane, lane.entry(Change.FINISH_TRACE, ended))
    found = await database.only(ExecutionTrace)
    assert (found.name, found.prompt_text, found.status) == ("GET /items/{id}", "why", "success")
    await commit(store, lane, lane.insert(row=trace(prompt_text="again")))
    assert {row.prompt_text for row in await database.records(ExecutionTrace)} == {"why", "again"}
