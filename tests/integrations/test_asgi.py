"""Requests to real Starlette applications behind uvicorn are tracked from the first to the last byte."""

import asyncio
import gzip
import json
import time

import httpx
import pytest
from servers import served
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.integrations.asgi import Middleware

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ROOT, PARENT = "0af76519-16cd-43dd-8448-eb211c80319c", "0af76519-16cd-43dd-b7ad-6b7169203331"


@asp.track_agent("Code")
async def work(number=0):
    await asyncio.sleep(0)
    return number


@asp.track_agent("Stream")
async def tokens(count):
    for number in range(count):
        await asyncio.sleep(0.01)
        yield f"{number}\n"


@asp.track_agent("Sync")
def sync_tokens(count):
    for number in range(count):
        time.sleep(0.01)
        yield f"{number}\n"


async def item(request):
    return JSONResponse({"id": await work(request.path_params["id"]), "token": "abc"})


def in_thread(request):
    with asp.span("thread"):
        return PlainTextResponse("done")


async def streamed(request):
    return StreamingResponse(tokens(int(request.query_params["n"])))


async def streamed_by_a_thread(request):
    return StreamingResponse(sync_tokens(5))


async def failing(request):
    await work()
    raise ValueError("no")


async def unavailable(request):
    return Response(status_code=503)


async def later():
    await asyncio.sleep(0.05)
    await work(7)


async def with_background(request):
    return PlainTextResponse("at once", background=BackgroundTask(later))


async def echo(request):
    return Response(await request.body(), media_type=request.headers["content-type"])


async def zipped(request):
    return Response(gzip.compress(b"secret"), headers={"content-encoding": "gzip"}, media_type="text/plain")


async def socket(websocket):
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


ROUTES = [
    Route("/items/{id:int}", item), Mount("/mounted", routes=[Route("/{name}/{rest:path}", in_thread)]),
    Route("/streamed", streamed), Route("/threads", streamed_by_a_thread), Route("/failing", failing),
    Route("/unavailable", unavailable), Route("/background", with_background), Route("/echo", echo, methods=["POST"]),
    Route("/zipped", zipped), WebSocketRoute("/socket", socket),
]  # fmt: skip


def application(**options):
    """Make an application with the middleware."""
    app = Starlette(routes=ROUTES)
    app.add_middleware(Middleware, **options)
    return app


def calls(recorded):
    """Return the endpoint calls in the order of their start."""
    return recorded.rows("SELECT * FROM endpoint_calls ORDER BY started_at, id")


def requests(recorded):
    """Return the executions of requests."""
    return [row for row in recorded.traces() if row["name"].startswith(("GET", "POST"))]


def test_a_request_is_an_execution_in_the_callers_trace(recorded):
    """A request is named after its route, belongs to the caller's trace, and agents run under it."""
    with served(application(service_name="shop")) as url:
        answer = httpx.get(
            f"{url}/items/7?key=x", timeout=30, headers={"Traceparent": f"00-{TRACE}-{SPAN}-01"}
        )
    assert answer.json()["id"] == 7
    request, agent = recorded.traces()
    assert (request["name"], request["kind"], request["status"]) == ("GET /items/{id}", "span", "success")
    assert (request["root_id"], request["parent_id"]) == (ROOT, PARENT)
    assert (agent["agent_role"], agent["parent_id"]) == ("Code", request["correlation_id"])
    assert json.loads(request["context"])["metadata"] == {
        "http.request.method": "GET", "http.response.status_code": 200
    }  # fmt: skip
    (call,) = calls(recorded)
    assert call["correlation_id"] == request["correlation_id"]
    assert (call["service_name"], call["http_method"], call["endpoint_path"]) == (
        "shop",
        "GET",
        "/items/{id}",
    )
    assert (call["response_status"], call["success"], call["error_type"]) == (200, 1, None)
    assert (call["headers"], call["request_body"], call["response_body"]) == (None, None, None)
    assert json.loads(call["context"]) == {
        "kind": "server", "request_bytes": 0, "response_bytes": len(answer.content)
    }  # fmt: skip


def test_requests_are_traces_of_their_own(recorded):
    """Without headers, and with malformed ones, each request begins a trace; mounts and threads are followed."""
    with served(application()) as url, httpx.Client(timeout=30, base_url=url) as client:
        client.get("/mounted/a/b/c.txt")
        client.get("/mounted/a/x", headers={"traceparent": "00-nonsense"})
        client.get("/nowhere/at/all")
    rows = requests(recorded)
    assert [row["name"] for row in rows] == ["GET /mounted/{name}/{rest}"] * 2 + ["GET"]
    assert all(row["correlation_id"] == row["root_id"] for row in rows)
    assert len({row["root_id"] for row in rows}) == 3
    inner = [row["parent_id"] for row in recorded.traces() if row["name"] == "thread"]
    assert inner == [row["correlation_id"] for row in rows[:2]]
    assert [row["endpoint_path"] for row in calls(recorded)][2] == "/nowhere/at/all"
    assert [(row["response_status"], row["success"], row["error_type"]) for row in calls(recorded)][2] == (
        404, 0, "http_error"
    )  # fmt: skip


@pytest.mark.parametrize("path", ["/streamed?n=20", "/threads"])
def test_a_stream_is_tracked_to_its_last_byte(recorded, path):
    """A stream that outlives its endpoint is part of the request: its agent, its time, its bytes."""
    with served(application()) as url:
        answer = httpx.get(url + path, timeout=30)
    lines = len(answer.text.split())
    request, agent = recorded.traces()
    assert agent["parent_id"] == request["correlation_id"]
    assert json.loads(agent["context"])["chunks"] == lines
    assert request["duration_ms"] > lines * 10
    (call,) = calls(recorded)
    assert lines * 10 < call["duration_ms"] <= request["duration_ms"]
    assert json.loads(call["context"])["response_bytes"] == len(answer.content)


def test_a_client_that_leaves_ends_the_request(recorded):
    """Where the client leaves in the middle, request and agent end, and say that they were not completed."""
    with served(application()) as url:
        with httpx.stream("GET", f"{url}/streamed?n=100000", timeout=30) as answer:
            next(answer.iter_raw())
        deadline = time.monotonic() + 20
        while asp.stats()["stored"] < 3:  # request, call and agent: all have ended
            assert time.monotonic() < deadline
            time.sleep(0.05)
    request, agent = recorded.traces()
    assert (request["status"], json.loads(request["context"])["completed"]) == ("success", False)
    assert agent["status"] in {"success", "cancelled"}
    (call,) = calls(recorded)
    assert (call["success"], call["error_type"], call["response_status"]) == (0, "client_disconnect", 200)


def test_failures_are_failures(recorded):
    """What raises goes on to the server, and fails the request; so does a status from 500."""
    with served(application()) as url:  # after a failure uvicorn closes the connection
        found = [httpx.get(url + path, timeout=30).status_code for path in ("/failing", "/unavailable")]
    assert found == [500, 503]
    raised, answered = requests(recorded)
    assert (raised["name"], raised["status"], raised["error_type"]) == ("GET /failing", "error", "ValueError")
    assert (answered["status"], answered["error_type"]) == ("error", "AnsweredWithErrorError")
    assert [(call["success"], call["error_type"], call["response_status"]) for call in calls(recorded)] == [
        (0, "ValueError", None), (0, "http_error", 503)
    ]  # fmt: skip


def test_background_work_belongs_to_the_request(recorded):
    """What the application does after the last byte is part of the execution, and not of the endpoint's duration."""
    with served(application()) as url:
        httpx.get(f"{url}/background", timeout=30)
    request, agent = recorded.traces()
    assert agent["parent_id"] == request["correlation_id"]
    assert request["duration_ms"] > 50
    assert calls(recorded)[0]["duration_ms"] < 50


def test_content_is_stored_only_when_asked_for(recorded):
    """With `capture_headers` and `capture_bodies` they are stored, without secrets, and within the limit."""
    asp.configure(recorded.url, replace=True, strict=True, content_max_bytes=500)
    with (
        served(application(capture_headers=True, capture_bodies=True)) as url,
        httpx.Client(timeout=30, base_url=url, headers={"Authorization": "x", "Accept": "a/b"}) as client,
    ):
        client.get("/items/1")
        client.post("/echo", json={"password": "hunter2", "q": [1]})
        client.post("/echo", json=["x" * 1000])
        client.post("/echo", content=b"password=hunter2", headers={"content-type": "text/plain"})
        client.get("/zipped")
    rows = calls(recorded)
    headers = json.loads(rows[0]["headers"])
    assert (headers["request"]["authorization"], headers["request"]["accept"]) == ("[redacted]", "a/b")
    assert headers["response"]["content-type"] == "application/json"
    assert json.loads(rows[0]["response_body"]) == {"id": 1, "token": "[redacted]"}
    assert json.loads(rows[1]["request_body"]) == json.loads(rows[1]["response_body"])
    assert json.loads(rows[1]["request_body"]) == {"password": "[redacted]", "q": [1]}
    assert json.loads(rows[2]["request_body"]).startswith('["xxx')
    assert "… (1004 bytes, sha256 " in rows[2]["request_body"]
    assert json.loads(rows[3]["response_body"]) == "password=[redacted]"
    assert json.loads(rows[4]["response_body"]).endswith("bytes, gzip>")
    assert b"hunter2" not in recorded.path.read_bytes()


def test_a_trace_that_is_left_out_leaves_no_call(recorded):
    """A caller that does not record spares the request's rows; what its agents cost is kept."""
    with served(application(capture_bodies=True)) as url:
        httpx.get(f"{url}/items/1", timeout=30, headers={"traceparent": f"00-{TRACE}-{SPAN}-00"})
    assert (recorded.traces(), calls(recorded)) == ([], [])
    assert [row["agent_role"] for row in recorded.metrics("Latency")] == ["Code"]
    with served(application(sampled=True)) as url:
        httpx.get(f"{url}/items/1", timeout=30, headers={"traceparent": f"00-{TRACE}-{SPAN}-00"})
    assert len(recorded.traces()) == 2


def test_many_requests_at_once_keep_apart(recorded):
    """Requests that are served in turns have traces of their own."""

    async def ask(url):
        async with httpx.AsyncClient(timeout=30, base_url=url) as client:
            await asyncio.gather(*(client.get(f"/streamed?n={number % 5 + 1}") for number in range(40)))

    with served(application()) as url:
        asyncio.run(ask(url))
    rows = {row["correlation_id"]: row for row in requests(recorded)}
    agents = [row for row in recorded.traces() if row["agent_role"] == "Stream"]
    assert len(rows) == len(agents) == len(calls(recorded)) == 40
    assert {row["parent_id"] for row in agents} == set(rows)


def test_lifespan_and_websockets_pass_through(recorded):
    """What is no HTTP request reaches the application as it is."""
    seen = []

    async def lifespan(scope, receive, send):
        seen.append((await receive())["type"])
        await send({"type": "lifespan.startup.complete"})
        seen.append((await receive())["type"])
        await send({"type": "lifespan.shutdown.complete"})

    with served(Middleware(lifespan), lifespan="on"):
        pass
    assert seen == ["lifespan.startup", "lifespan.shutdown"]
    with TestClient(Middleware(Starlette(routes=ROUTES))).websocket_connect("/socket") as websocket:
        assert websocket.receive_text() == "hello"
    with asp.span("only"):
        pass
    assert [row["name"] for row in recorded.traces()] == ["only"]


async def serve(app, *, disconnects=False):
    """Serve one request without a server; return what was sent."""
    sent = []

    async def receive():
        return {"type": "http.disconnect"} if disconnects else {"type": "http.request", "body": b"a"}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    await Middleware(app)(scope, receive, send)
    return sent


async def test_an_application_that_ends_too_early_is_noted(recorded):
    """An application that never sends its last byte, or is cancelled, is recorded as what it did."""

    async def silent(scope, receive, send):
        await receive()

    async def cancelled(scope, receive, send):
        raise asyncio.CancelledError

    async def strange(scope, receive, send):
        await send({"type": "http.response.debug"})
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    assert await serve(silent) == []
    await serve(silent, disconnects=True)
    with pytest.raises(asyncio.CancelledError):
        await serve(cancelled)
    assert len(await serve(strange)) == 3
    rows = await asyncio.to_thread(calls, recorded)
    assert [row["error_type"] for row in rows] == ["incomplete", "client_disconnect", "CancelledError", None]
    statuses = [row["status"] for row in await asyncio.to_thread(requests, recorded)]
    assert statuses == ["success", "success", "cancelled", "success"]


async def test_faults_of_the_telemetry_do_not_reach_the_application(recorded):
    """A message that nobody understands is passed on as it is."""
    guard.be_strict(False)

    async def broken(scope, receive, send):
        await send({"type": "http.response.start"})
        await send({"type": "http.response.body", "body": None})

    assert len(await serve(broken)) == 2
    assert guard.counts()["a response could not be followed"] == 2


async def test_switched_off_it_is_not_there(recorded):
    """With recording disabled a request passes through."""
    asp.configure(recorded.url, replace=True, disabled=True)

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})

    assert len(await serve(app)) == 1
