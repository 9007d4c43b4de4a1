"""Clients that are slow, many, broken or malicious cost the server little, and keep nobody else from being served."""

import gzip
import json
import socket
from time import monotonic, sleep

from clients import PROTOBUF, request, span
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"


def answer_of(connection):
    """Return all that the server sends until it hangs up."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def until(what):
    """Wait until something is so."""
    deadline = monotonic() + 20
    while not what():
        assert monotonic() < deadline, "it did not happen in time"
        sleep(0.01)


def test_slow_clients_are_hung_up_on(serving, raw, recorded):
    """Who sends nothing, half a head, a head by drops, or half a body is let go, with 408 where a request had begun."""
    running = serving(idle_seconds=0.3, head_seconds=0.3, body_seconds=0.3)
    silent, half, drops, body = (raw(running.port) for _ in range(4))
    half.sendall(b"POST /v1/tr")
    body.sendall(HEAD + b"Content-Length: 1000\r\n\r\nhalf")
    for byte in HEAD[:10]:
        drops.sendall(bytes([byte]))
        sleep(0.02)
    assert answer_of(silent) == b""
    assert answer_of(half).startswith(b"HTTP/1.1 408 ")
    assert answer_of(drops).startswith(b"HTTP/1.1 408 ")
    found = answer_of(body)
    assert found.startswith(b"HTTP/1.1 408 ")
    assert b"application/x-protobuf" in found
    until(lambda: running.connections() == 0)
    assert running.server.waiting_bytes == 0


def test_who_does_not_fetch_its_answer_is_hung_up_on(serving, raw, recorded):
    """A client that sends requests and reads no answers is let go once it has had its time."""
    running = serving(write_seconds=0.3, linger_seconds=0.1)
    running.keep_little()
    greedy = raw(running.port)
    wrong = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"%s"}]}]}]}' % (b"x" * 1000)
    one = HEAD.replace(b"x-protobuf", b"json") + b"Content-Length: %d\r\n\r\n" % len(wrong) + wrong
    until(lambda: running.connections() == 1)
    for _ in range(8000):
        try:
            greedy.sendall(one)  # the answers are as long
        except OSError:
            break
    until(lambda: running.connections() == 0)
    assert running.client.send(span()).status == 200


def test_too_many_connections_are_sent_away(serving, raw, recorded):
    """One connection more than allowed gets 503 and when to come again; when others leave it is served."""
    running = serving(connections=3, linger_seconds=0.2)
    open_ones = [raw(running.port) for _ in range(3)]
    until(lambda: running.connections() == 3)
    reply = running.client.send(span())
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    for each in open_ones:
        each.close()
    until(lambda: running.connections() == 0)
    assert running.client.send(span()).status == 200


def test_too_much_at_once_is_sent_away(serving, raw, recorded):
    """Bodies that are being received count together; what would be too much gets 503, and nothing leaks."""
    running = serving(waiting_bytes=100_000)
    first = raw(running.port)
    first.sendall(HEAD + b"Content-Length: 90000\r\n\r\n" + bytes(80_000))
    until(lambda: running.server.waiting_bytes == 80_000)
    reply = running.client.post(bytes(50_000))
    assert (reply.status, reply.error()[0]) == (503, 14)
    first.close()
    until(lambda: running.server.waiting_bytes == 0)
    assert running.client.send(span()).status == 200


def test_a_client_that_waits_to_be_asked_for_the_body_sees_the_refusal(serving, raw, recorded):
    """With `Expect: 100-continue` the body is asked for only if it will be taken."""
    running = serving(linger_seconds=0.2, body_bytes=1000)
    refused, taken = raw(running.port), raw(running.port)
    refused.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n")
    assert answer_of(refused).startswith(b"HTTP/1.1 413 ")
    body = request(span()).SerializeToString()
    taken.sendall(
        HEAD + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    assert taken.recv(1000).startswith(b"HTTP/1.1 100 ")
    taken.sendall(body)
    assert answer_of(taken).startswith(b"HTTP/1.1 200 ")


def test_broken_http_is_refused(serving, raw, recorded):
    """What is no HTTP, or could be read in two ways, gets 400; a head that is too long gets 431."""
    running = serving(linger_seconds=0.1)
    for sent, status in (
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (HEAD + b"Content-Length: -5\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /v1/traces HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"x" * 20_000, 431),
        (HEAD + b"X: " + b"x" * 20_000, 431),
    ):
        connection = raw(running.port)
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        assert answer_of(connection).startswith(b"HTTP/1.1 %d " % status), sent[:60]
    assert running.client.send(span()).status == 200


@given(
    st.lists(st.binary(max_size=300), max_size=5),
    st.sampled_from([b"", HEAD, HEAD + b"Content-Length: 40\r\n\r\n"]),
)
@QUICK
def test_any_bytes_are_survived(fuzzed, pieces, start):
    """Whatever comes over a connection, the server answers or hangs up, and serves the next one."""
    with socket.create_connection(("127.0.0.1", fuzzed.port), timeout=20) as connection:
        try:
            connection.sendall(start)
            for piece in pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        answer = answer_of(connection)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
    assert fuzzed.client.post(b"").status == 200


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "attributes", "events",
     "status", "links", "flags", "key", "value", "stringValue", "intValue", "doubleValue", "boolValue", "arrayValue",
     "values", "kvlistValue", "bytesValue", "code", "message", "timeUnixNano"]
)  # fmt: skip
SPANS = st.dictionaries(
    FIELDS,
    JSON_VALUES
    | st.sampled_from(["5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174", "1790000000000000000"])
    | st.dictionaries(FIELDS, JSON_VALUES, max_size=4)
    | st.lists(st.dictionaries(FIELDS, JSON_VALUES, max_size=4), max_size=3),
    max_size=9,
)


@given(st.lists(SPANS | JSON_VALUES, max_size=3), JSON_VALUES, st.booleans())
@QUICK
def test_any_json_is_survived(fuzzed, spans, resource, packed):
    """Whatever stands in the JSON, the answer is 200 with what was refused, or 400; never a failure of the server."""
    body = _dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]})
    headers = {"Content_Encoding": "gzip"} if packed else {}
    reply = fuzzed.client.post(gzip.compress(body) if packed else body, "application/json", **headers)
    assert reply.status in {200, 400}, reply


@given(st.data())
@QUICK
def test_any_protobuf_is_survived(fuzzed, data):
    """A request with bytes changed, cut out or added is read as far as it is protobuf, or refused."""
    body = bytearray(request(span(), span(), service_name="x").SerializeToString())
    for _ in range(data.draw(st.integers(0, 6))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    assert fuzzed.client.post(bytes(body), PROTOBUF).status in {200, 400}


ODD = st.sampled_from(
    [
        -1,
        2**63 - 1,
        0,
        1.5,
        float("nan"),
        float("inf"),
        -0.0,
        True,
        "",
        "x" * 3000,
        "\0",
        "chat",
        "agent",
        "tool",
        "{",
        "🐍",
    ]
)
NAMES = st.sampled_from(
    ["gen_ai.operation.name", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.request.model",
     "gen_ai.response.id", "gen_ai.usage.cost.amount", "gen_ai.response.time_to_first_chunk", "gen_ai.tool.name",
     "gen_ai.agent.name", "openinference.span.kind", "llm.token_count.prompt", "error.type", "session.id", "user.id",
     "asp.task.id", "asp.agent.role", "gen_ai.usage.cache_read.input_tokens", "output.value", "llm.cost.total", ""]
)  # fmt: skip


@given(st.lists(st.dictionaries(NAMES, ODD, max_size=8), max_size=4))
@QUICK
def test_any_attributes_are_survived(fuzzed, attributes):
    """Whatever the attributes of a span say, it is recorded or left alone, and the database takes it."""
    reply = fuzzed.client.send(*[span(attributes=each) for each in attributes])
    assert reply.status == 200
    assert reply.partial() == (0, "")


def _dumps(value):
    return json.dumps(value).encode("utf-8", "replace")
