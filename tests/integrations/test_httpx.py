"""Clients of httpx and httpx2 record their calls, and send the trace only where that is safe."""

import asyncio
import json
from urllib.parse import urlsplit

import httpx
import httpx2
import pytest
from servers import served
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

import asp_telemetry as asp
from asp_telemetry.integrations.asgi import Middleware
from asp_telemetry.integrations.httpx import instrument, may_inject
from garbage import collect_garbage

LIBRARIES = [httpx, httpx2]


async def echo(request):
    body = (await request.body()).decode()
    return JSONResponse({"headers": dict(request.headers), "body": body, "token": "abc"})


async def streamed(request):
    async def parts():
        for number in range(10):
            await asyncio.sleep(0.01)
            yield f"{number}\n"

    return StreamingResponse(parts())


async def status(request):
    return Response(status_code=request.path_params["code"])


async def slow(request):
    await asyncio.sleep(2)
    return Response()


async def moved(request):
    return RedirectResponse(request.query_params["to"])


ROUTES = [
    Route("/echo", echo, methods=["GET", "POST"]), Route("/streamed", streamed), Route("/status/{code:int}", status),
    Route("/slow", slow), Route("/moved", moved),
]  # fmt: skip


@pytest.fixture(scope="module")
def url():
    """Serve an application that tells what it got."""
    with served(Starlette(routes=ROUTES)) as found:
        yield found


def calls(recorded):
    """Return the endpoint calls in the order of their start."""
    return recorded.rows("SELECT * FROM endpoint_calls ORDER BY started_at, id")


@pytest.mark.parametrize("library", LIBRARIES)
def test_calls_are_recorded_and_carry_the_trace(recorded, url, library):
    """A call is a row of the execution that made it, and the service that is called sees the trace."""
    with instrument(library.Client(timeout=30)) as client, asp.span("calling") as span:
        sent = client.post(f"{url}/echo?api_key=x", content=b"abc").json()["headers"]
        expected = asp.inject()
    assert {name: sent[name.lower()] for name in expected} == expected
    (call,) = calls(recorded)
    host = urlsplit(url).netloc
    assert (call["correlation_id"], call["service_name"], call["endpoint_path"]) == (span.id, host, "/echo")
    assert (call["http_method"], call["response_status"], call["success"]) == ("POST", 200, 1)
    assert (call["headers"], call["request_body"], call["response_body"]) == (None, None, None)
    context = json.loads(call["context"])
    assert context.pop("response_bytes") > 100
    assert 0 < context.pop("time_to_response_ms") <= call["duration_ms"]
    assert context == {"kind": "client", "request_bytes": 3}


@pytest.mark.parametrize("library", LIBRARIES)
async def test_async_clients_do_the_same(recorded, url, library):
    """An `AsyncClient` records and injects as a `Client` does, also many at once."""
    async with instrument(library.AsyncClient(timeout=30)) as client:

        async def ask(number):
            async with asp.span(f"calling {number}") as span:
                sent = (await client.get(f"{url}/echo")).json()["headers"]
                assert sent["x-correlation-id"] == span.id
                return span.id

        spans = await asyncio.gather(*(ask(number) for number in range(10)))
    rows = await asyncio.to_thread(calls, recorded)
    assert sorted(row["correlation_id"] for row in rows) == sorted(spans)


@pytest.mark.parametrize("library", LIBRARIES)
async def test_streams_are_followed_to_the_end(recorded, url, library):
    """A streamed answer counts until its last byte; one that is left early says so."""
    with instrument(library.Client(timeout=30)) as client:
        with client.stream("GET", f"{url}/streamed") as answer:
            assert "".join(answer.iter_text()).count("\n") == 10
        with client.stream("GET", f"{url}/streamed") as answer:
            next(answer.iter_raw())
    async with instrument(library.AsyncClient(timeout=30)) as client:
        async with client.stream("GET", f"{url}/streamed") as answer:
            assert "".join([part async for part in answer.aiter_text()]).count("\n") == 10
        async with client.stream("GET", f"{url}/streamed") as answer:
            async for _ in answer.aiter_raw():
                break
    rows = await asyncio.to_thread(calls, recorded)
    contexts = [json.loads(row["context"]) for row in rows]
    assert [context.get("completed") for context in contexts] == [None, False, None, False]
    assert [context["response_bytes"] for context in contexts][::2] == [20, 20]
    for row, context in list(zip(rows, contexts, strict=True))[::2]:
        assert row["duration_ms"] > 90 > context["time_to_response_ms"]


@pytest.mark.parametrize("library", LIBRARIES)
async def test_failures_are_recorded_and_raised(recorded, url, library):
    """The caller gets the client's own exception, and the row says what it was."""
    with instrument(library.Client(timeout=0.2)) as client:
        assert client.get(f"{url}/status/404").status_code == 404
        with pytest.raises(library.ReadTimeout):
            client.get(f"{url}/slow")
        with pytest.raises(library.ConnectError):
            client.get("http://127.0.0.1:1/")
    async with instrument(library.AsyncClient(timeout=5)) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.get(f"{url}/slow")
    rows = await asyncio.to_thread(calls, recorded)
    assert [(row["response_status"], row["success"], row["error_type"]) for row in rows] == [
        (404, 0, "http_error"), (None, 0, "timeout"), (None, 0, "connection_error"), (None, 0, "CancelledError"),
    ]  # fmt: skip


def test_redirects_do_not_hand_the_trace_on(recorded, url):
    """Each redirect is a call of its own, and a host that may not see the trace does not see it after a redirect."""
    foreign = url.replace("127.0.0.1", "localhost")
    client = instrument(httpx.Client(follow_redirects=True), inject_to="127.0.0.1")
    with client, asp.span("calling"):
        away = client.get(f"{url}/moved?to={foreign}/echo").json()["headers"]
        back = client.get(f"{foreign}/moved?to={url}/echo").json()["headers"]
    assert not {"traceparent", "x-correlation-id"} & set(away)
    assert {"traceparent", "x-correlation-id"} <= set(back)
    assert [row["response_status"] for row in calls(recorded)] == [307, 200, 307, 200]


@pytest.mark.parametrize(
    ("inject_to", "expected"),
    [(None, True), ([], False), ("*", True), (["127.*"], True), ("api.example.org", False)],
)
def test_the_user_decides_who_sees_the_trace(recorded, url, inject_to, expected):
    """`inject_to` names the hosts that get the trace; by default only those of the own network do."""
    with instrument(httpx.Client(timeout=30), inject_to=inject_to) as client, asp.span("calling"):
        assert ("traceparent" in client.get(f"{url}/echo").json()["headers"]) is expected


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("localhost", True), ("127.0.0.1", True), ("[::1]", True), ("10.1.2.3", True), ("intelligence", True),
        ("rag.default.svc", True), ("rag.svc.cluster.local", True), ("printer.local", True), ("8.8.8.8", False),
        ("api.openai.com", False), ("local.example.org", False), ("2606:4700::1111", False),
    ],
)  # fmt: skip
def test_third_parties_do_not_see_the_trace(host, is_own):
    """Trace ids leave the own network only where the user says so."""
    assert may_inject(host, None) is is_own


def test_a_trace_that_is_there_already_stays(recorded, url):
    """A `traceparent` that the user or another library has set is left alone."""
    own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with instrument(httpx.Client(timeout=30)) as client, asp.span("calling"):
        sent = client.get(f"{url}/echo", headers={"traceparent": own}).json()["headers"]
    assert sent["traceparent"] == own
    assert "x-correlation-id" not in sent


def test_content_is_stored_only_when_asked_for(recorded, url):
    """With `capture_headers` and `capture_bodies` they are stored, without secrets; streams are not read for us."""
    client = instrument(
        httpx.Client(timeout=30), capture_headers=True, capture_bodies=True, service_name="echo"
    )
    with client:
        client.post(f"{url}/echo", json={"password": "hunter2"}, headers={"X-Api-Key": "k", "A": "b"})
        client.post(f"{url}/echo", content=iter([b"hunter2"]), headers={"Accept-Encoding": "identity"})
    first, second = calls(recorded)
    assert json.loads(first["request_body"]) == {"password": "[redacted]"}
    assert json.loads(first["response_body"])["token"] == "[redacted]"
    headers = json.loads(first["headers"])["request"]
    assert (headers["x-api-key"], headers["a"], first["service_name"]) == ("[redacted]", "b", "echo")
    assert json.loads(second["context"])["request_streamed"] is True
    assert second["request_body"] is None


def test_retries_of_clients_are_counted(recorded, url):
    """The header with which clients of openai and anthropic count their attempts becomes `retry_count`."""
    with instrument(httpx2.Client(timeout=30)) as client:
        client.get(f"{url}/echo", headers={"x-stainless-retry-count": "2"})
        client.get(f"{url}/echo", headers={"x-stainless-retry-count": b"\xb2"})
    assert [row["retry_count"] for row in calls(recorded)] == [2, 0]


def test_mounts_are_instrumented_once(recorded, url):
    """Transports that are mounted record, too, and instrumenting twice records once."""
    client = httpx.Client(mounts={"http://127.0.0.1": httpx.HTTPTransport(), "all://else": None})
    with instrument(instrument(client)):
        client.get(f"{url}/echo")
    assert len(calls(recorded)) == 1


def test_an_answer_that_is_never_closed_is_recorded(recorded, url):
    """A response that the caller forgets has its row once it is collected."""
    with instrument(httpx.Client(timeout=30)) as client:
        request = client.build_request("GET", f"{url}/echo")
        client.send(request, stream=True)
    collect_garbage()
    assert [json.loads(row["context"])["completed"] for row in calls(recorded)] == [False]


def test_what_is_no_client_is_refused():
    """Anything but a client is refused with the remedy."""
    with pytest.raises(TypeError, match="pass httpx"):
        instrument(object())


def test_services_share_one_trace(recorded):
    """Two services that both use this package write one tree: caller, request, agent."""

    @asp.track_agent("Code")
    async def agent():
        return "x"

    async def endpoint(request):
        return JSONResponse({"answer": await agent()})

    app = Middleware(Starlette(routes=[Route("/ask", endpoint)]), service_name="asking")
    with served(app) as url, instrument(httpx.Client(timeout=30)) as client, asp.task("T") as task:
        client.get(f"{url}/ask")
    rows = {row["name"]: row for row in recorded.traces()}
    assert {row["root_id"] for row in rows.values()} == {task.root_id}
    assert rows["GET /ask"]["parent_id"] == task.id
    assert rows["agent"]["parent_id"] == rows["GET /ask"]["correlation_id"]
    kinds = {json.loads(row["context"])["kind"]: row["correlation_id"] for row in calls(recorded)}
    assert kinds == {"client": task.id, "server": rows["GET /ask"]["correlation_id"]}
