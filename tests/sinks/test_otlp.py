"""OTLP out: every execution arrives as one span with its true times, its place in the tree, and what it cost."""

import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from importlib import import_module
from time import monotonic, sleep
from uuid import UUID

import pytest
from hosts_of_mirrors import figures, settled, until
from opentelemetry import trace as otel
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

import asp_telemetry as asp
from asp_telemetry.sinks import otlp_names
from asp_telemetry.sinks.post import Poster
from asp_telemetry.writer import follower

ANSWER = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
    "usage": {"input_tokens": 900, "output_tokens": 77, "cache_read_input_tokens": 300, "cache_creation_input_tokens": 100},
}  # fmt: skip


def rows(url, query):
    """Ask the database."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query)]


def record_a_tree():
    """Record a task with agents, a model call, a tool and failures."""
    with (
        asp.context(user_id="ana", session_id="s-1", tags=["nightly"]),
        asp.task("TASK-1", project_id="P"),
        asp.span("plan", kind="agent", agent_role="Planning", iteration=2) as agent,
    ):
        agent.set(metadata={"prompt_hash": "abc"})
        with asp.span("ask", kind="generation", model="claude-sonnet-4-5", provider="anthropic") as call:
            call.record_usage({**ANSWER, "id": f"msg_{monotonic()}"})
        with pytest.raises(ValueError, match="no such file"), asp.span("read", kind="tool"):
            raise ValueError("no such file")
        with pytest.raises(TimeoutError), asp.span("wait"):
            raise TimeoutError
    asp.log_defect(task_id="TASK-1", defect_type="5_Security_Vulnerability", description="d", severity="High",
                   phase_injected="Code", phase_removed="CodeReview")  # fmt: skip


def test_every_execution_arrives_once_with_its_true_times_and_parent(receiver, url):
    """What the receiver gets is what the database has: as many, the same ids, times, parents, statuses and costs."""
    asp.configure(url, otlp=receiver.url, strict=True, replace=True)
    for _ in range(20):
        record_a_tree()
    settled()
    found = {UUID(bytes=span.trace_id[:8] + span.id): span for span in receiver.spans}
    assert len(found) == len(receiver.spans) == 100
    stored = rows(url, "SELECT * FROM execution_traces")
    assert {UUID(row["correlation_id"]) for row in stored} == set(found)
    costs = {
        row["correlation_id"]: Decimal(str(row["metric_value"]))
        for row in rows(url, "SELECT * FROM agent_cost_vector WHERE metric_type = 'API_Cost'")
    }
    for row in stored:
        span = found[UUID(row["correlation_id"])]
        assert UUID(bytes=span.trace_id) == UUID(row["root_id"])
        parent = (
            None
            if row["parent_id"] is None
            else found[UUID(row["parent_id"])].id
            if row["parent_id"]
            else None
        )
        assert (span.parent or None) == parent
        # SQLite reads a decimal text as one of the floats beside it, not always as the nearest.
        assert Decimal(span.end - span.start) / 1_000_000 == round(Decimal(str(row["duration_ms"])), 6)
        moment = row["started_at"]
        assert moment.endswith(f"{span.start // 1000 % 1_000_000:06d}")
        assert span.attributes["asp.status"] == row["status"]
        assert span.attributes["asp.task.id"] == row["task_id"]
        cost = costs.get(row["correlation_id"])
        assert span.attributes.get("asp.cost.usd") == (None if cost is None else f"{cost:f}")
    assert sum(costs.values()) > 0


def test_spans_speak_the_semantic_conventions(receiver, url, monkeypatch):
    """A receiver that knows generative AI finds operation, model, provider, tokens, cost, agent, tool and error."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "planner")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=a%20b,service.name=ignored")
    asp.configure(url, otlp=receiver.url, environment="test", release="1.4", strict=True, replace=True)
    record_a_tree()
    spans = {span.name: span for span in receiver.wait(5)}
    call = spans["chat claude-sonnet-4-5"]
    assert call.kind == 3
    expected = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.usage.input_tokens": 1300, "gen_ai.usage.output_tokens": 77, "gen_ai.usage.cache_read.input_tokens": 300,
        "gen_ai.usage.cache_write.input_tokens": 100, "gen_ai.usage.cost.currency": "USD", "user.id": "ana",
        "session.id": "s-1", "gen_ai.conversation.id": "s-1", "asp.agent.role": "Planning", "asp.task.id": "TASK-1",
        "asp.project.id": "P", "asp.tags": ["nightly"], "deployment.environment.name": "test", "service.version": "1.4",
    }  # fmt: skip
    assert {key: call.attributes.get(key) for key in expected} == expected
    assert call.attributes["gen_ai.usage.cost.amount"] == float(call.attributes["asp.cost.usd"])
    assert call.attributes["asp.cost.prices"].startswith("genai-prices ")
    assert call.status.code == 0
    agent = spans["invoke_agent plan"]
    assert agent.attributes["gen_ai.agent.name"] == "plan"
    assert agent.attributes["asp.iteration"] == 2
    assert json.loads(agent.attributes["asp.metadata"]) == {"prompt_hash": "abc"}
    tool = spans["execute_tool read"]
    assert (tool.attributes["gen_ai.tool.name"], tool.attributes["error.type"]) == ("read", "ValueError")
    assert (tool.status.code, tool.status.message) == (2, "no such file")
    assert spans["wait"].attributes["error.type"] == "TimeoutError"
    assert spans["invoke_workflow task"].parent == b""
    assert call.resource == {"service.name": "planner", "team": "a b"}


def test_metrics_that_the_program_records_itself_are_on_the_span(receiver, url):
    """Costs, tokens and other metrics that are recorded by hand are sent as they are stored, added up."""
    asp.configure(url, otlp=receiver.url, strict=True, replace=True)
    with asp.span("a") as span:
        span.record_metric("API_Cost", "0.5", "USD")
        span.record_metric("API_Cost", "0.25", "USD")
        span.record_metric("Tokens_In", 7, "tokens")
        span.record_metric("Memory_Usage", 12, "MB")
    [found] = receiver.wait(1)
    assert found.attributes["asp.cost.usd"] == "0.75"
    assert found.attributes["gen_ai.usage.cost.source"] == "manual"
    assert found.attributes["gen_ai.usage.input_tokens"] == 7
    assert found.attributes["asp.metric.Memory_Usage"] == 12.0


def test_names_are_those_of_the_conventions():
    """Each name that the installed conventions can know, they do know; drafts are listed as such."""
    known = set()
    for family in ("gen_ai", "error", "user", "session", "deployment", "service"):
        module = import_module(f"opentelemetry.semconv._incubating.attributes.{family}_attributes")
        known |= {value for value in vars(module).values() if isinstance(value, str)}
    ours = {
        value
        for name, value in vars(otlp_names).items()
        if name.isupper() and isinstance(value, str) and not value.startswith("asp.")
    }
    assert ours - otlp_names.DRAFTS <= known
    gen_ai = import_module("opentelemetry.semconv._incubating.attributes.gen_ai_attributes")
    assert set(otlp_names.OPERATIONS.values()) <= {each.value for each in gen_ai.GenAiOperationNameValues}
    assert set(otlp_names.PROVIDERS.values()) <= {each.value for each in gen_ai.GenAiProviderNameValues}


def test_a_receiver_that_is_down_for_a_while_gets_everything(receiver, url):
    """Records made while nobody listens arrive when somebody does again; the database does not wait for that."""
    receiver.stop()
    asp.configure(url, otlp=receiver.url, replace=True)
    for _ in range(700):
        with asp.span("early"):
            pass
    assert asp.flush(timeout=20).complete
    until(lambda: (figures()["last_verdict"] or "").startswith("retry"))
    assert figures()["pending"] == 700
    assert figures()["lag_seconds"] > 0
    receiver.start()
    receiver.wait(700)
    settled(count=700)
    assert len(receiver.spans) == 700


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_refusal_is_counted_and_told_once(receiver, url, status, caplog):
    """What the receiver refuses for good counts as rejected there, is logged once, and the database has it."""
    receiver.always = status
    asp.configure(url, otlp=receiver.url, replace=True)
    for _ in range(3):
        for _ in range(10):
            with asp.span("refused"):
                pass
        assert asp.flush(timeout=20).complete
        until(lambda: figures()["pending"] == 0)
    assert (figures()["stored"], figures()["rejected"], figures()["dropped"]) == (0, 30, 0)
    assert figures()["last_verdict"] == f"reject: HTTP {status}"
    assert asp.stats()["stored"] == 30
    assert len([record for record in caplog.records if "refused records" in record.getMessage()]) == 1


def test_one_bad_record_does_not_cost_the_others(receiver, url):
    """A receiver that answers 400 to a whole request because of one span gets all the others."""
    receiver.always = lambda spans: (
        400 if any(span.attributes["asp.iteration"] == 77 for span in spans) else 200
    )
    asp.configure(url, otlp=receiver.url, replace=True)
    for number in range(1, 201):
        with asp.span("many", iteration=number):
            pass
    settled(count=200, rejected=1)
    assert sorted(span.attributes["asp.iteration"] for span in receiver.spans) == [
        *range(1, 77),
        *range(78, 201),
    ]


def test_a_receiver_that_refuses_everything_is_not_asked_for_each_record(receiver, url):
    """When no part of what was refused is ever taken, the search for culprits ends."""
    receiver.always = 400
    asp.configure(url, otlp=receiver.url, replace=True)
    for _ in range(2000):
        with asp.span("many"):
            pass
    settled(count=2000, rejected=2000, seconds=30)
    assert len(receiver.requests) < 100


def test_what_is_too_large_is_sent_in_smaller_parts(receiver, url):
    """A receiver that takes a few spans at a time gets them all."""
    receiver.always = lambda spans: 413 if len(spans) > 5 else 200
    asp.configure(url, otlp=receiver.url, replace=True)
    for _ in range(100):
        with asp.span("many"):
            pass
    settled(count=100)
    assert len(receiver.spans) == 100


def test_records_that_the_answer_refuses_are_counted(receiver, url):
    """A partial success counts what the receiver says it has refused."""
    partial = ExportTraceServiceResponse(
        partial_success=ExportTracePartialSuccess(rejected_spans=3, error_message="too old")
    )
    receiver.faults.append((200, {"body": partial.SerializeToString()}))
    asp.configure(url, otlp=receiver.url, replace=True)
    for _ in range(10):
        with asp.span("x"):
            pass
    settled(count=10, rejected=3)
    assert "too old" in figures()["last_verdict"]


def test_retry_after_is_respected(receiver, url):
    """After 429 with Retry-After nothing is sent until that time is over, then everything is, once."""
    receiver.faults.append((429, {"Retry-After": "2"}))
    asp.configure(url, otlp=receiver.url, replace=True)
    with asp.span("x"):
        pass
    receiver.wait(1)
    first, second = receiver.requests
    assert second["at"] - first["at"] >= 2
    assert len(receiver.spans) == 1


@pytest.mark.parametrize("status", [502, 503, 504])
def test_an_overloaded_receiver_is_asked_again(receiver, url, status):
    """What a receiver may take later is sent later, and counts as stored."""
    receiver.faults.append(status)
    asp.configure(url, otlp=receiver.url, replace=True)
    with asp.span("x"):
        pass
    settled(count=1)
    assert len(receiver.spans) == 1


def test_a_batch_whose_answer_is_lost_is_sent_again_as_it_was(receiver, url):
    """A receiver that keeps one span of each id has each span once, though the answer to it was lost."""
    receiver.faults.extend(["drop", "drop"])
    asp.configure(url, otlp=receiver.url, replace=True)
    for _ in range(50):
        with asp.span("x"):
            pass
    settled(count=50)
    copies = {}
    for span in receiver.spans:
        copies.setdefault(span.id, []).append((span.start, span.end, span.name, tuple(span.attributes)))
    assert len(copies) == 50
    assert all(len(found) >= 3 and len(set(found)) == 1 for found in copies.values())


def test_a_receiver_that_does_not_answer_is_ambiguous(receiver, url, monkeypatch):
    """Who stores and answers too late is sent the same again; nothing waits for it."""
    monkeypatch.setitem(Poster.__init__.__kwdefaults__, "seconds", 0.3)
    receiver.faults.append("slow")
    asp.configure(url, otlp=receiver.url, replace=True)
    begun = monotonic()
    with asp.span("x"):
        pass
    assert asp.flush(timeout=5).complete
    assert monotonic() - begun < 0.5 + receiver.slow_seconds / 2
    until(lambda: (figures()["last_verdict"] or "").startswith("ambiguous"))
    settled(count=1)


def test_attempts_and_streams_are_spans_and_endpoint_calls_are_none(receiver, url):
    """Each attempt and each stream is a span of its own with its tokens, the operation has none; rows beside are no spans."""
    asp.configure(url, otlp=receiver.url, capture_content=True, replace=True)
    answer = {**ANSWER, "id": f"msg_{monotonic()}"}
    chunks = [{"choices": [{"delta": {"content": text}}], "object": "chat.completion.chunk"} for text in "ab"]
    with asp.budget(tokens=100_000), asp.span("ask", kind="generation") as operation:
        with pytest.raises(ConnectionError), operation.attempt():
            raise ConnectionError("away")
        with operation.attempt() as attempt, asp.endpoint_call("rag", "GET", "/") as call:
            attempt.record_usage(answer)
            list(asp.track_stream(iter(chunks)))
            call.response(200)
    settled()
    found = [span.attributes for span in receiver.spans]
    tokens = [one["gen_ai.usage.input_tokens"] for one in found if "gen_ai.usage.input_tokens" in one]
    assert (len(found), tokens) == (4, [1300])
    assert [one["error.type"] for one in found if "error.type" in one] == ["ConnectionError"]
    said = [one[otlp_names.OUTPUT] for one in found if otlp_names.OUTPUT in one]
    assert [json.loads(text) for text in said] == ["ab"]
    until(lambda: figures()["pending"] == 0)


def test_unsampled_executions_are_not_sent(receiver, url):
    """What is not sampled is no span; tasks, which the database keeps, are none either."""
    asp.configure(url, otlp=receiver.url, sample_rate=0.0, replace=True)
    with asp.task("T"), asp.span("x"):
        pass
    until(lambda: figures()["pending"] == 0 and figures()["accepted"])
    assert receiver.requests == []


def test_headers_reach_the_receiver_and_nobody_else(receiver, url, monkeypatch, caplog):
    """The standard variable's headers are sent; no log, figure or exception shows them."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url + "/base/")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20c3VwZXJzZWNyZXQ=")
    receiver.faults.extend([503, 401])
    asp.configure(url, otlp=True, replace=True)
    for _ in range(2):
        with asp.span("x"):
            pass
        asp.flush()
        until(lambda: figures()["pending"] == 0)
    assert receiver.requests[0]["headers"]["Authorization"] == "Basic c3VwZXJzZWNyZXQ="
    assert receiver.requests[0]["path"] == "/base/v1/traces"
    assert "c3VwZXJzZWNyZXQ" not in str(asp.stats()) + caplog.text


def test_the_hosts_own_opentelemetry_stays_as_it_was(receiver, url):
    """The process-global tracer provider is neither set nor used."""
    before = otel._TRACER_PROVIDER
    asp.configure(url, otlp=receiver.url, replace=True)
    with asp.span("x"):
        pass
    receiver.wait(1)
    assert otel._TRACER_PROVIDER is before


def test_many_small_lots_are_not_many_requests(receiver, url):
    """Records that come one by one are sent about once a second, not one by one."""
    asp.configure(url, otlp=receiver.url, replace=True)
    for _ in range(30):
        with asp.span("x"):
            pass
        sleep(0.05)
    receiver.wait(30)
    assert len(receiver.requests) <= 5
    assert follower._INTERVAL_SECONDS == 1.0
