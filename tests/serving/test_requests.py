"""What is sent becomes executions, in either encoding; what cannot be taken is refused in words."""

import gzip
import http.client
import json
import zlib

import pytest
from clients import JSON, PROTOBUF, START, agent, request, span

from asp_telemetry.serving.token import Token

TOKEN = "correct-horse-battery-staple"


def costs(recorded):
    return sorted(str(round(row["metric_value"], 10)) for row in recorded.metrics("API_Cost"))


@pytest.mark.parametrize("packed", [False, True])
def test_spans_in_protobuf_become_executions(serving, recorded, packed):
    """A trace of an agent that asks a model arrives with its tree, tokens, cost and whom it belongs to."""
    outer = agent("Planner")
    asked = span(parent=outer)
    body = request(outer, asked, service_name="planner", service_version="1.4").SerializeToString()
    headers = {"Content_Encoding": "gzip"} if packed else {}
    reply = serving().client.post(gzip.compress(body) if packed else body, **headers)
    assert (reply.status, reply.headers["content-type"], reply.partial()) == (200, PROTOBUF, (0, ""))
    assert reply.body == b""
    around, inside = recorded.traces()
    assert (around["kind"], around["name"], around["release"]) == ("agent", "Planner", "1.4")
    assert (inside["kind"], inside["parent_id"]) == ("generation", around["correlation_id"])
    assert costs(recorded) == ["0.000228"]
    assert {row["agent_role"] for row in recorded.metrics()} == {"Planner"}
    link = json.loads(inside["context"])["metadata"]["opentelemetry"]
    assert (link["service"], link["span_id"]) == ("planner", asked.span_id.hex())


def test_spans_in_json_become_executions(serving, recorded):
    """JSON takes ids in hexadecimal of either case, numbers as numbers or texts, and fields that it does not know."""
    body = {
        "resourceSpans": [{"scopeSpans": [{"spans": [{
            "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "eee19b7ec3c1b174", "parentSpanId": "",
            "name": "chat", "kind": 3, "startTimeUnixNano": str(START), "endTimeUnixNano": START + 5_000_000,
            "aFieldOfTomorrow": {"x": 1}, "links": [{"traceId": "5b", "spanId": 7}],
            "status": {"code": 2, "message": "too long"},
            "attributes": [
                {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
                {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}},
                {"key": "gen_ai.usage.output_tokens", "value": {"intValue": 3}},
                {"key": "asp.task.id", "value": {"stringValue": "TASK-7"}},
                {"key": "user.id", "value": {"stringValue": "ana"}},
            ],
        }]}]}]
    }  # fmt: skip
    reply = serving().client.post(json.dumps(body).encode(), "application/json; charset=utf-8")
    assert (reply.status, reply.headers["content-type"], reply.body) == (200, JSON, b"{}")
    (row,) = recorded.traces()
    assert row["correlation_id"] == "5b8efff7-9803-8103-eee1-9b7ec3c1b174"
    assert (row["task_id"], row["user_id"], row["duration_ms"]) == ("TASK-7", "ana", 5)
    assert (row["status"], row["error_message"]) == ("error", "too long")
    assert [row["metric_value"] for row in recorded.metrics() if row["metric_type"] == "Tokens_In"] == [12]


def test_wrong_spans_are_refused_and_the_others_taken(serving, recorded):
    """A request of good and bad spans is taken as far as it is good, and the answer counts the rest and says why."""
    good = span()
    bad = [
        span(trace_id=b"short"),
        span(span_id=bytes(8)),
        span(end_time_unix_nano=0),
        span(parent_span_id=b"1"),
    ]
    reply = serving().client.send(*bad, good)
    assert reply.status == 200
    count, reason = reply.partial()
    assert count == 4
    assert "the trace id of a span has 5 bytes; it needs 16" in reason
    assert len(recorded.traces()) == 1
    in_json = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "zz"}, {"name": 5}, {}]}]}]}
    reply = serving().client.post(json.dumps(in_json).encode(), JSON)
    assert (reply.status, reply.partial()[0]) == (200, 3)


def test_spans_of_other_things_are_taken_and_left_alone(serving, recorded):
    """Spans of HTTP servers and databases are no errors, and no executions."""
    assert serving().client.send(span(attributes={"http.request.method": "GET"})).partial() == (0, "")
    assert recorded.traces() == []


def test_a_retried_request_counts_once(serving, recorded):
    """A client that missed the answer sends again; so do two at once: nothing is doubled, and all get a 200."""
    client, outer = serving().client, agent()
    asked = span(parent=outer)
    for _ in range(3):
        assert client.send(asked).status == 200
        assert client.send(outer, asked, asked).status == 200
    assert len(recorded.traces()) == 2
    assert costs(recorded) == ["0.000228"]


def test_a_call_that_comes_before_its_agent_may_name_it(serving, recorded):
    """Exporters send calls while their agent still runs: they count for the role that they name, else for themselves."""
    client, outer = serving().client, agent("Planner")
    asked = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5}
    for named in ({"asp.agent.role": "Planning"}, {"gen_ai.agent.name": "Planner"}, {}):
        assert client.send(span(parent=outer, name="chat", attributes=asked | named)).status == 200
    assert client.send(outer).status == 200
    assert [row["agent_role"] for row in recorded.metrics("Tokens_In")] == ["Planning", "Planner", "chat"]
    assert {row["parent_id"] for row in recorded.traces()} == {
        None,
        recorded.metrics("Latency")[0]["correlation_id"],
    }


def test_spans_that_are_each_others_parents_are_recorded(serving, recorded):
    """A circle of parents, and a chain of thousands, are recorded like all others."""
    one, two = span(), span()
    two.trace_id, one.parent_span_id, two.parent_span_id = one.trace_id, two.span_id, one.span_id
    own = span()
    own.parent_span_id = own.span_id
    chain = [span()]
    for _ in range(3000):
        chain.append(span(parent=chain[-1]))
    assert serving().client.send(one, two, own, *chain).partial() == (0, "")
    assert len(recorded.traces()) == 3004


@pytest.mark.parametrize(
    ("kind", "body", "headers", "status", "words"),
    [
        (PROTOBUF, b"\xff\xff", {}, 400, "no ExportTraceServiceRequest in protobuf"),
        (JSON, b"{", {}, 400, "not JSON"),
        (JSON, b"[1]", {}, 400, "no ExportTraceServiceRequest"),
        (JSON, b'{"resourceSpans": [7]}', {}, 400, "resourceSpans has to be a list of objects"),
        (JSON, b'{"resourceSpans":[{"scopeSpans":[{"scope":{"name":[]}}]}]}', {}, 400, "scope cannot be read"),
        (JSON, b"\xff{}", {}, 400, "not JSON"),
        (JSON, b"[" * 100_000, {}, 400, "not JSON"),
        (PROTOBUF, b"plain", {"Content_Encoding": "gzip"}, 400, "not gzip"),
        (PROTOBUF, gzip.compress(b"x" * 999, mtime=0)[:-9], {"Content_Encoding": "gzip"}, 400, "ends too early"),
        (PROTOBUF, gzip.compress(b"", mtime=0) * 1001, {"Content_Encoding": "gzip"}, 400, "compress it as a whole"),
        (JSON, gzip.compress(bytes(2_000_000), mtime=0), {"Content_Encoding": "gzip"}, 413, "longer than 1000000 bytes"),
        (PROTOBUF, bytes(1_000_001), {}, 413, "longer than 1000000 bytes"),
        (PROTOBUF, zlib.compress(b""), {"Content_Encoding": "deflate"}, 415, "send gzip"),
        ("text/plain", b"{}", {}, 415, "send application/x-protobuf or application/json"),
        (JSON, b"{}", {"path": "/v1/metrics"}, 404, "traces go to /v1/traces"),
        (JSON, b"", {"method": "GET"}, 405, "POST alone"),
        (JSON, b"{}", {"Host": "rebound.example:4318"}, 403, "only localhost"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_in_its_own_encoding(
    serving, recorded, kind, body, headers, status, words
):
    """Each refusal has a status of its own and a message that says what is wrong; the server goes on."""
    client = serving(body_bytes=1_000_000).client
    reply = client.post(body, kind, **headers)
    assert reply.status == status
    assert reply.headers["content-type"] == (PROTOBUF if kind == PROTOBUF else JSON)
    code, message = reply.error()
    assert code
    assert words in message
    assert client.send(span()).status == 200
    assert len(recorded.traces()) == 1


def test_too_many_spans_at_once_are_refused(serving, recorded):
    """A request of so many tiny spans that reading it would fill the memory is refused."""
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"{}," * 50_000 + b"{}]}]}]}"
    assert serving().client.post(body, JSON).status == 413


def test_only_who_has_the_token_is_served(serving, recorded):
    """Without the token, with another one, or with two, nothing is taken; with it, under any name."""
    client = serving(Token(TOKEN)).client
    for shown in (
        {},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": ""},
    ):
        reply = client.send(span(), **shown)
        assert (reply.status, reply.headers["www-authenticate"][:6]) == (401, "Bearer")
        assert reply.error()[0] == 16
        assert TOKEN not in reply.error()[1]
    assert recorded.traces() == []
    assert client.send(span(), Authorization=f"bearer {TOKEN}", Host="collector.example").status == 200
    assert len(recorded.traces()) == 1


def test_one_connection_serves_many_requests(serving, recorded):
    """A client that keeps its connection is answered again and again on it, in either encoding."""
    connection = http.client.HTTPConnection("127.0.0.1", serving().port, timeout=20)
    for _ in range(5):
        connection.request(
            "POST", "/v1/traces", request(span()).SerializeToString(), {"Content-Type": PROTOBUF}
        )
        assert connection.getresponse().read() == b""
        used = connection.sock
        connection.request("POST", "/v1/traces", iter([b"{", b"}"]), {"Content-Type": JSON})
        assert connection.getresponse().read() == b"{}"
        assert connection.sock is used
    connection.close()
    assert len(recorded.traces()) == 5
