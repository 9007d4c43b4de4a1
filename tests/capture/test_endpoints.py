"""Calls to services become rows with the execution they belong to, the same on both databases."""

import asyncio
import json
import os
import threading
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import asp_telemetry as asp
from anything import ANYTHING
from asp_telemetry import guard
from asp_telemetry.testing import capture


@pytest.fixture
def calls(any_database):
    """Record into each database in turn, and return its endpoint calls."""
    asp.configure(any_database.url, strict=True, replace=True, auto_migrate=True)

    def rows(*columns):
        result = asp.flush(timeout=20)
        assert result.complete, asp.stats()
        found = any_database.rows(f"SELECT {', '.join(columns)} FROM endpoint_calls ORDER BY started_at, id")
        return [tuple(str(value) if isinstance(value, UUID) else value for value in row) for row in found]

    yield rows
    asp.shutdown(timeout=20)
    guard.be_strict(False)
    guard.reset()


def test_a_call_belongs_to_the_current_execution(calls):
    """A call names the execution that made it, and says how it went."""
    with asp.span("Code", kind="agent") as agent, asp.endpoint_call("rag", "post", "/query?key=x#y") as call:
        call.retry()
        call.response(200)
    columns = (
        "correlation_id",
        "service_name",
        "http_method",
        "endpoint_path",
        "response_status",
        "retry_count",
    )
    assert calls(*columns) == [(agent.id, "rag", "POST", "/query", 200, 1)]
    ((success, error, duration, ordered),) = calls(
        "success", "error_type", "duration_ms", "started_at <= completed_at"
    )
    assert success
    assert error is None
    assert 0 < duration < 10_000
    assert ordered


def test_a_call_outside_of_any_execution_stands_for_itself(calls):
    """Such a call has its own id for the execution's."""
    for _ in range(3):
        with asp.endpoint_call("rag", "GET", "/"):
            pass
    rows = calls("id", "correlation_id")
    assert len(set(rows)) == 3
    assert all(own == execution for own, execution in rows)


@pytest.mark.parametrize(
    ("error", "error_type"),
    [
        (TimeoutError("slow"), "timeout"), (ConnectionRefusedError("no"), "connection_error"),
        (ValueError("mail ana@example.org"), "ValueError"),
    ],
)  # fmt: skip
def test_failures_say_why(calls, error, error_type):
    """An exception goes on to the caller, and its kind and message without secrets stand in the row."""

    def call_service():
        with asp.endpoint_call("rag", "GET", "/") as call:
            call.response(200)
            raise error

    with pytest.raises(type(error)) as caught:
        call_service()
    assert caught.value is error
    message = str(error).replace("ana@example.org", "[redacted]")
    ((success, *rest),) = calls("success", "error_type", "error_message", "response_status")
    assert not success
    assert rest == [error_type, message, 200]


@pytest.mark.parametrize(("status", "error_type"), [(399, None), (400, "http_error"), (503, "http_error")])
def test_a_status_from_400_is_a_failure(calls, status, error_type):
    """Answers of clients' and servers' errors count as failed calls."""
    with asp.endpoint_call("rag", "GET", "/") as call:
        call.response(status)
    ((success, found),) = calls("success", "error_type")
    assert (bool(success), found) == (error_type is None, error_type)


async def test_content_is_stored_where_it_is_given(calls):
    """Bodies and headers that are given are stored, without their secrets."""
    async with asp.endpoint_call(
        "rag", "POST", "/", body={"token": "x", "q": "why"}, headers={"Cookie": "y"}
    ) as call:
        call.response(200, body=["a" * 40_000], headers=[(b"Set-Cookie", b"z"), (b"A", b"b")], size=40_004)
    ((sent, received, headers, context),) = await asyncio.to_thread(
        calls, "request_body", "response_body", "headers", "context"
    )
    assert json.loads(sent) == {"token": "[redacted]", "q": "why"}
    assert len(received) < 20_000
    assert json.loads(headers) == {
        "request": {"cookie": "[redacted]"}, "response": {"set-cookie": "[redacted]", "a": "b"}
    }  # fmt: skip
    assert json.loads(context) == {"kind": "client", "response_bytes": 40_004}


def test_calls_of_many_threads_are_all_there(calls):
    """Every call of every thread has a row of its own."""

    def work():
        for _ in range(50):
            with asp.endpoint_call("rag", "GET", "/"):
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(calls("id"))) == 200


def test_a_status_that_is_none_raises_nothing(calls):
    """What is no status is refused and counted; the call is recorded."""
    guard.be_strict(False)
    for status in ("two hundred", float("nan"), -1, 1 << 40):
        with asp.endpoint_call("rag", "GET", "/") as call:
            call.response(status)
    assert [status for (status,) in calls("response_status")] == [None] * 4
    assert guard.counts() == {"an endpoint's status was no whole number": 4}


def test_a_forked_child_leaves_the_call_to_its_parent(calls):
    """What was forked inside the block does not record the call a second time."""
    with asp.span("Code", kind="agent"), asp.endpoint_call("rag", "GET", "/") as call:
        child = os.fork()
        if not child:
            call.end()
            asp.flush(timeout=20)
            os._exit(0)
        os.waitpid(child, 0)
    assert len(calls("id")) == 1


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_anything_may_be_handed_in(data):
    """Whatever is handed in, nothing is raised, and no call is refused."""

    def draw():
        return data.draw(ANYTHING)

    guard.reset()
    with capture(strict=False) as recorded:
        with asp.endpoint_call(draw(), draw(), draw(), body=draw(), headers=draw()) as call:
            call.request(body=draw(), headers=draw(), size=draw(), retries=draw())
            call.response(draw(), body=draw(), headers=draw(), size=draw())
            call.failed(draw(), draw())
            call.note(value=draw())
        assert len(recorded.endpoint_calls) == 1
        assert recorded.rejected == []
    guard.reset()
