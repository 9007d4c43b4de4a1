"""The double of Langfuse takes, refuses, shows and loses what the real server would."""

import base64
import gzip
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from langfuse.api import CreateScoreRequest
from langfuse.api.client import LangfuseAPI
from langfuse.api.core.api_error import ApiError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from langfuse_double import Fault, LangfuseDouble

TRACES = "/api/public/otel/v1/traces"
TRACE = "0123456789abcdef0123456789abcdef"
START = 1_790_856_000_123_456_789
NO_RETRY: Any = {"max_retries": 0, "timeout_in_seconds": 5}


@pytest.fixture
def double() -> Iterator[LangfuseDouble]:
    """Listen."""
    with LangfuseDouble() as found:
        yield found


@pytest.fixture
def api(double: LangfuseDouble) -> Iterator[LangfuseAPI]:
    """Make the real API client."""
    with httpx.Client() as http_client:
        yield LangfuseAPI(
            base_url=double.url,
            username=double.public_key,
            password=double.secret_key,
            httpx_client=http_client,
        )


def json_span(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Make a span of OTLP/JSON."""
    return {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "name": f"span {number}",
        "startTimeUnixNano": str(START + number * 1_000_000_000),
        "endTimeUnixNano": str(START + number * 1_000_000_000 + 5_000_000),
        "attributes": [],
        **changes,
    }


def attribute(key: str, value: str) -> dict[str, Any]:
    """Make an attribute of OTLP/JSON."""
    return {"key": key, "value": {"stringValue": value}}


def request_of(*spans: dict[str, Any]) -> bytes:
    """Make an OTLP/JSON request."""
    return json.dumps(
        {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "t"}, "spans": list(spans)}]}]}
    ).encode()


def call(
    double: LangfuseDouble, method: str, path: str, body: bytes = b"", *, timeout: float = 5.0, **headers: str
) -> tuple[int, dict[str, str], Any]:
    """Send one request, with the right keys unless told otherwise."""
    keys = base64.b64encode(f"{double.public_key}:{double.secret_key}".encode()).decode()
    sent = {"authorization": f"Basic {keys}", "content-type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", double.port, timeout=timeout)
    try:
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, json.loads(answer.read())
    finally:
        connection.close()


def get(double: LangfuseDouble, path: str, **query: str) -> Any:
    """Ask, and expect an answer."""
    status, _, answer = call(double, "GET", f"{path}?{urlencode(query)}")
    assert status == 200, answer
    return answer


def test_protobuf_and_json_are_stored_alike(double: LangfuseDouble) -> None:
    """Both encodings, plain or compressed, make the same observation, with times cut to milliseconds."""
    usage, cost = '{"input": 3, "output": 4}', '{"total": 0.000123456789123}'
    facts = {
        "langfuse.observation.type": "generation", "langfuse.observation.usage_details": usage,
        "langfuse.observation.cost_details": cost, "langfuse.trace.name": "t", "user.id": "u",
        "langfuse.observation.metadata.role": "Code", "langfuse.environment": "prod",
    }  # fmt: skip
    as_json = json_span(
        parentSpanId="00000000000000ff",
        attributes=[
            *(attribute(key, value) for key, value in facts.items()),
            {"key": "langfuse.trace.tags", "value": {"arrayValue": {"values": [{"stringValue": "a"}]}}},
        ],
    )
    pairs = [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in facts.items()]
    tags = AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="a")]))
    span = Span(
        trace_id=bytes.fromhex(TRACE), span_id=(1).to_bytes(8, "big"), parent_span_id=(255).to_bytes(8, "big"),
        name="span 1", start_time_unix_nano=START + 1_000_000_000, end_time_unix_nano=START + 1_005_000_000,
        attributes=[*pairs, KeyValue(key="langfuse.trace.tags", value=tags)],
    )  # fmt: skip
    scoped = ScopeSpans(spans=[span])
    scoped.scope.name = "t"
    as_protobuf = ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(scope_spans=[scoped])]
    ).SerializeToString()
    assert call(double, "POST", TRACES, request_of(as_json))[0] == 200
    assert call(double, "POST", TRACES, as_protobuf, content_type="application/x-protobuf")[0] == 200
    packed = gzip.compress(as_protobuf)
    assert (
        call(double, "POST", TRACES, packed, content_type="application/x-protobuf", content_encoding="gzip")[
            0
        ]
        == 200
    )
    first, *others = double.observations
    for other in others:
        differing = {"encoded", "stored_at"}
        assert {k: v for k, v in vars(other).items() if k not in differing} == {
            k: v for k, v in vars(first).items() if k not in differing
        }
    assert others[0].encoded == others[1].encoded
    assert (first.type, first.parent_id, first.tags, first.is_root) == (
        "GENERATION",
        f"{255:016x}",
        ("a",),
        False,
    )
    assert first.start_time == datetime(2026, 10, 1, 12, 0, 1, 123_000, UTC)
    assert first.usage == {"input": 3, "output": 4, "total": 7}
    assert first.cost == {"total": Decimal("0.000123456789")}
    assert double.total_cost() == 3 * first.cost["total"]
    assert double.total_usage() == {"input": 9, "output": 12, "total": 21}


@pytest.mark.parametrize(
    "span",
    [
        json_span(traceId="00"),
        json_span(traceId="0" * 32),
        json_span(traceId=None),
        json_span(spanId="0123456789abcdeg"),
        json_span(parentSpanId="0123"),
        json_span(attributes={"a": 1}),
    ],
    ids=["short trace", "zero trace", "no trace", "no hexadecimal", "short parent", "attributes"],
)
def test_one_bad_span_refuses_the_whole_request(double: LangfuseDouble, span: dict[str, Any]) -> None:
    """A span with bad ids or attributes that are no list costs the good ones beside it, too."""
    assert call(double, "POST", TRACES, request_of(json_span(7), span))[0] == 400
    assert double.observations == []


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (request_of(json_span()), {"x_langfuse_ingestion_version": "5"}, 400),
        (request_of(json_span()), {"x_langfuse_ingestion_version": "four"}, 400),
        (request_of(json_span()), {"content_type": "text/plain"}, 400),
        (b"{", {}, 400),
        (b"\xff", {"content_type": "application/x-protobuf"}, 400),
        (b"no gzip", {"content_encoding": "gzip"}, 400),
        (request_of(json_span()), {"authorization": "Basic cGstbGYtdGVzdDp3cm9uZw=="}, 401),
        (request_of(json_span(name="x" * 6_000_000)), {}, 413),
    ],
)
def test_bad_requests_are_refused(
    double: LangfuseDouble, body: bytes, headers: dict[str, str], status: int
) -> None:
    """Version, type, encoding, keys and size are checked as the server checks them."""
    assert call(double, "POST", TRACES, body, **headers)[0] == status
    assert (double.observations, double.requests[-1].status) == ([], status)


def test_paths_and_methods_are_told_apart(double: LangfuseDouble, api: LangfuseAPI) -> None:
    """What does not exist is 404, the wrong method 405; health needs no keys, projects does."""
    assert call(double, "GET", "/api/public/traces")[0] == 404
    assert call(double, "GET", TRACES)[0] == 405
    assert call(double, "GET", "/api/public/health", authorization="")[0] == 200
    assert call(double, "GET", "/api/public/projects", authorization="")[0] == 401
    assert api.projects.get().data[0].id == "project"


def test_observations_are_paged_and_filtered(double: LangfuseDouble, api: LangfuseAPI) -> None:
    """The real client pages through all, the latest first, and finds by trace, time and a list of ids."""
    call(double, "POST", TRACES, request_of(*(json_span(number) for number in range(1, 26))))
    found, cursor = [], None
    while True:
        page = api.observations.get_many(limit=10, cursor=cursor, request_options=NO_RETRY)
        found.extend(each.id for each in page.data)
        cursor = page.meta.cursor
        if cursor is None:
            break
    assert found == [f"{number:016x}" for number in range(25, 0, -1)]
    begin = datetime(2026, 10, 1, 12, 0, 0, 123_000, UTC)
    bounds = {"from_start_time": begin + timedelta(seconds=3), "to_start_time": begin + timedelta(seconds=5)}
    assert [int(each.id, 16) for each in api.observations.get_many(**bounds).data] == [4, 3]
    assert len(api.observations.get_many(trace_id=TRACE, name="span 3").data) == 1
    assert api.observations.get_many(trace_id="f" * 32).data == []
    ids = {"type": "stringOptions", "column": "id", "operator": "any of", "value": [f"{2:016x}", "x"]}
    assert [each.id for each in api.observations.get_many(filter=json.dumps([ids])).data] == [f"{2:016x}"]
    with pytest.raises(ApiError) as refusal:
        api.observations.get_many(filter='[{"column":"nothing"}]', request_options=NO_RETRY)
    assert refusal.value.status_code == 400
    many = json.dumps([{**ids, "value": [f"{number:016x}" for number in range(1000)]}])
    assert call(double, "GET", "/api/public/v2/observations?" + urlencode({"filter": many}))[0] == 431


def test_fields_and_metadata_are_shown_as_far_as_asked(double: LangfuseDouble) -> None:
    """Groups that are not asked for are absent; metadata is cut to 200 characters unless its key is named."""
    long = attribute("langfuse.observation.metadata.metrics", "x" * 300)
    call(double, "POST", TRACES, request_of(json_span(attributes=[long])))
    path = "/api/public/v2/observations"
    [shown] = get(double, path)["data"]
    assert "metadata" not in shown
    assert "usageDetails" not in shown
    [shown] = get(double, path, fields="metadata,usage,time,metrics,model,prompt,io,trace_context")["data"]
    assert shown["metadata"]["metrics"] == "x" * 200
    assert shown["latency"] == 0.005
    [shown] = get(double, path, fields="metadata", expandMetadata="metrics,other")["data"]
    assert shown["metadata"]["metrics"] == "x" * 300
    for wrong in ({"fields": "all"}, {"limit": "1001"}, {"cursor": "x"}, {"parseIoAsJson": "true"}):
        assert call(double, "GET", f"{path}?{urlencode(wrong)}")[0] == 400


def test_scores_are_taken_replaced_and_shown(double: LangfuseDouble, api: LangfuseAPI) -> None:
    """A score with the same id, name and day replaces the earlier one; wrong ones are told apart from right ones."""
    at = datetime(2026, 10, 1, 12, tzinfo=UTC)

    def put(value: float, when: datetime = at) -> None:
        score = CreateScoreRequest(
            id="defect-1", name="code_quality", value=value, trace_id=TRACE, observation_id=f"{1:016x}",
            timestamp=when, comment="why", metadata={"defect_id": "1"},
        )  # fmt: skip
        api.scores.create(request=[score], request_options=NO_RETRY)

    put(0.2)
    put(1.0)
    assert double.scores["defect-1"].value == 1.0
    assert len(double.score_rows) == 1
    put(0.4, at + timedelta(days=1))
    assert len(double.score_rows) == 2
    [shown] = api.scores.get_many(fields="details,subject", to_timestamp=at + timedelta(hours=1)).data
    assert (shown.value, shown.comment, shown.metadata) == (1.0, "why", {"defect_id": "1"})
    assert (shown.subject.kind, shown.subject.id, shown.subject.trace_id) == (
        "observation",
        f"{1:016x}",
        TRACE,
    )
    page = api.scores.get_many(limit=1)
    assert len(api.scores.get_many(limit=1, cursor=page.meta.cursor).data) == 1
    wrong: list[Any] = [
        {"name": "a", "value": 1, "traceId": TRACE},
        {"name": "a", "value": 1},
        {"name": "a", "value": 1, "sessionId": "s", "observationId": "o"},
        {"name": "a", "value": "x", "traceId": TRACE, "dataType": "NUMERIC"},
        {"name": "a", "value": 1, "traceId": TRACE, "timestamp": "2026-10-01T12:00:00"},
        {"name": "a", "value": 1, "traceId": TRACE, "environment": "Prod"},
        {"value": 1, "traceId": TRACE},
    ]
    status, _, answer = call(double, "POST", "/api/public/scores", json.dumps(wrong).encode())
    assert (status, answer["accepted"], answer["rejected"]) == (207, 1, 6)
    assert call(double, "POST", "/api/public/scores", json.dumps(wrong[0]).encode())[0] == 200
    for query in ("limit=101", "fields=all", "observationId=1"):
        assert call(double, "GET", f"/api/public/v3/scores?{query}")[0] == 400


def test_faults_are_used_up_one_by_one(double: LangfuseDouble) -> None:
    """A status stores nothing, a lost answer may have stored, a late one has; then all is well again."""
    body = request_of(json_span())
    double.faults.extend(
        [
            Fault(status=429, retry_after=7, path="otel"),
            Fault(status=500, stores=True),
            Fault(drop="before"),
            Fault(drop="after"),
            Fault(delay_seconds=30.0),
        ]
    )
    assert call(double, "GET", "/api/public/projects")[0] == 500
    status, headers, _ = call(double, "POST", TRACES, body)
    assert (status, headers["retry-after"], len(double.observations)) == (429, "7", 0)
    for stored in (0, 1):
        with pytest.raises((http.client.HTTPException, OSError)):
            call(double, "POST", TRACES, body)
        assert len(double.observations) == stored
    with pytest.raises(TimeoutError):
        call(double, "POST", TRACES, body, timeout=0.3)
    assert len(double.observations) == 2
    assert call(double, "POST", TRACES, body)[0] == 200
    assert [request.status for request in double.requests if request.path == TRACES] == [
        429,
        None,
        None,
        200,
        200,
    ]
    double.always = Fault(status=503)
    assert {call(double, "POST", TRACES, body)[0] for _ in range(3)} == {503}
    assert len(double.observations) == 3


def test_what_is_late_is_stored_late(double: LangfuseDouble) -> None:
    """A request that is slow before it is stored is stored after the client has given up."""
    double.faults.append(Fault(delay_seconds=0.4, late=True))
    with pytest.raises(TimeoutError):
        call(double, "POST", TRACES, request_of(json_span()), timeout=0.1)
    assert double.observations == []
    double.wait(1)


def test_what_is_taken_is_shown_only_later(double: LangfuseDouble) -> None:
    """The API lags behind what was taken, as long as it is told to."""
    double.visible_after_seconds = 60.0
    call(double, "POST", TRACES, request_of(json_span()))
    assert get(double, "/api/public/v2/observations")["data"] == []
    double.visible_after_seconds = 0.0
    assert len(get(double, "/api/public/v2/observations")["data"]) == 1


def test_it_comes_back_on_the_same_port(double: LangfuseDouble) -> None:
    """While it is stopped nobody listens, and slow answers do not keep it from stopping."""
    double.faults.append(Fault(delay_seconds=60.0))
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(call, double, "POST", TRACES, request_of(json_span()), timeout=30.0)
        double.wait(1)
        begun = monotonic()
        double.stop()
        assert isinstance(slow.exception(), http.client.HTTPException | OSError)
        assert monotonic() - begun < 20
    with pytest.raises(ConnectionError):
        call(double, "GET", "/api/public/health")
    double.start()
    assert call(double, "GET", "/api/public/health")[0] == 200


def test_a_model_that_is_known_is_priced_unless_a_cost_comes_along(double: LangfuseDouble) -> None:
    """A model without cost is priced by the server, and without usage it counts the texts' tokens itself."""
    double.prices["m"] = (Decimal("0.5"), Decimal(1))
    model = attribute("langfuse.observation.model.name", "m")
    text = attribute("langfuse.observation.input", "x" * 40)
    told = attribute("langfuse.observation.cost_details", '{"total": 0.25}')
    call(double, "POST", TRACES, request_of(json_span(1, attributes=[model, text])))
    call(double, "POST", TRACES, request_of(json_span(2, attributes=[model, text, told])))
    assert [one.total_cost for one in double.observations] == [Decimal(5), Decimal("0.25")]
    assert double.observations[0].usage["input"] == 10


def test_it_runs_as_a_process_and_keeps_its_state(tmp_path: Path) -> None:
    """As a process it prints where it listens; started again on its file, it has what it had, secrets apart."""
    state = tmp_path / "state.jsonl"
    command = [sys.executable, "-m", "langfuse_double", "--state", str(state), "--port"]
    port = "0"
    for count in (1, 2):
        with subprocess.Popen(
            [*command, port], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
        ) as process:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            port = url.rpartition(":")[2]
            connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=5)
            keys = base64.b64encode(b"pk-lf-test:sk-lf-test").decode()
            headers = {"authorization": f"Basic {keys}", "content-type": "application/json"}
            connection.request("POST", TRACES, request_of(json_span(count)), headers)
            assert connection.getresponse().read() == b"{}"
            connection.request("GET", "/api/public/v2/observations", headers=headers)
            assert len(json.loads(connection.getresponse().read())["data"]) == count
            connection.close()
            process.terminate()
            assert process.wait(20) == 0
    assert keys not in state.read_text()
    with LangfuseDouble(state=state) as double:
        assert len(double.observations) == 2
