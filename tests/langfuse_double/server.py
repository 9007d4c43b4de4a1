"""Listens on loopback, stores what Langfuse would store, and answers as Langfuse would."""

import base64
import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from langfuse_double import queries, scores
from langfuse_double.faults import Fault
from langfuse_double.observations import StoredObservation, observation
from langfuse_double.scores import StoredScore
from langfuse_double.spans import Refused, decode

TRACES = "/api/public/otel/v1/traces"
OBSERVATIONS = "/api/public/v2/observations"
SCORES = "/api/public/scores"
SCORES_READ = "/api/public/v3/scores"
_MOST_HEAD = 16 * 1024  # what Node.js takes of a request's head


@dataclass(frozen=True)
class Request:
    """Be one request as it came, and what it was answered.

    Attributes:
        at: When it came, seconds of the monotonic clock.
        stored: How many observations or scores it has stored.
        status: The answer's status; None if the connection was cut.
    """

    at: float
    method: str
    path: str
    query: dict[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    stored: int = 0
    status: int | None = None


class LangfuseDouble:
    """Be a Langfuse server with one project.

    Args:
        public_key: The project's public key.
        secret_key: Its secret key.
        port: Where to listen; 0 for any port.
        state: A file that keeps what is stored beyond the double's own end.

    Attributes:
        observations: What is stored, in the order of its coming; what comes twice is there twice.
        faults: How the next requests fail, each used up by the first request that it concerns.
        always: How all requests fail that nothing in `faults` concerns.
        visible_after_seconds: How long the API does not show what it has taken.
        max_bytes: The largest body, as it is sent; above it the answer is 413.
        prices: What the server knows of models, USD per input and output token.
        requests: All requests.
    """

    def __init__(
        self,
        public_key: str = "pk-lf-test",
        secret_key: str = "sk-lf-test",
        *,
        port: int = 0,
        state: Path | None = None,
    ) -> None:
        self.public_key, self.secret_key = public_key, secret_key
        self.observations: list[StoredObservation] = []
        self.score_rows: dict[Any, StoredScore] = {}
        self.faults: deque[Fault] = deque()
        self.always: Fault | None = None
        self.visible_after_seconds = 0.0
        self.max_bytes = 5_000_000
        self.prices: dict[str, tuple[Decimal, Decimal]] = {}
        self.requests: list[Request] = []
        self.port = port
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._state = state
        if state is not None and state.exists():
            self._replay(state)
        self.start()

    def __enter__(self) -> Self:
        """Return it; it listens already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self.stop()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def scores(self) -> dict[str, StoredScore]:
        """The scores by id; where one id has several, the latest that came."""
        with self._lock:
            return {one.id: one for one in sorted(self.score_rows.values(), key=lambda one: one.updated_at)}

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables with which a program finds it."""
        return {
            "LANGFUSE_PUBLIC_KEY": self.public_key,
            "LANGFUSE_SECRET_KEY": self.secret_key,
            "LANGFUSE_BASE_URL": self.url,
        }

    def start(self) -> None:
        """Listen, on the same port as before if it has listened before."""
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                double._serve(self)

            def do_POST(self) -> None:
                double._serve(self)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None:
                pass  # clients that hang up are part of the play

        self._stopped.clear()
        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Be down: nobody listens on the port, and slow answers are given up."""
        self._stopped.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def total_cost(self) -> Decimal:
        """Add up the cost of all that is stored, what is stored twice twice, in USD."""
        return sum((one.cost.get("total", Decimal(0)) for one in list(self.observations)), Decimal(0))

    def total_usage(self) -> dict[str, int]:
        """Add up the usage of all that is stored, by its key."""
        found: dict[str, int] = {}
        for one in list(self.observations):
            for key, value in one.usage.items():
                found[key] = found.get(key, 0) + value
        return found

    def wait(self, count: int, seconds: float = 20.0) -> list[StoredObservation]:
        """Wait until so many different observations are stored."""
        deadline = monotonic() + seconds
        while len({(one.trace_id, one.id) for one in list(self.observations)}) < count:
            assert monotonic() < deadline, f"{len(self.observations)} of {count} observations were stored"
            sleep(0.02)
        return self.observations

    def _fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for index, fault in enumerate(self.faults):
                if fault.concerns(method, path):
                    del self.faults[index]
                    return fault
        if self.always is not None and self.always.concerns(method, path):
            return self.always
        return None

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        at = monotonic()
        url = urlsplit(handler.path)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        body = handler.rfile.read(int(headers.get("content-length", 0)))
        fault = self._fault(handler.command, url.path) or Fault()
        query = parse_qs(url.query, keep_blank_values=True)
        request = Request(at, handler.command, url.path, query, headers, body)
        if fault.late:
            self._stopped.wait(fault.delay_seconds)
        stored, status, answer = 0, fault.status, {"message": f"fault {fault.status}"}
        if fault.keeps:
            stored, kept_status, kept_answer = self._handle(request, len(handler.path))
            if fault.status is None:
                status, answer = kept_status, kept_answer
        if fault.drop is not None:
            status = None
        self._log(replace(request, stored=stored, status=status))
        if not fault.late:
            self._stopped.wait(fault.delay_seconds)
        if status is None or self._stopped.is_set():
            handler.close_connection = True
            return
        text = json.dumps(answer, default=_iso).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(text)))
        if fault.retry_after is not None:
            handler.send_header("Retry-After", str(fault.retry_after))
        handler.end_headers()
        handler.wfile.write(text)

    def _log(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)

    def _handle(self, request: Request, target_length: int) -> tuple[int, int, Any]:
        """Return how much was stored, the status and the answer."""
        try:
            return self._answered(request, target_length)
        except Refused as refusal:
            return 0, refusal.status, {"message": str(refusal), "error": "InvalidRequestError"}

    def _answered(self, request: Request, target_length: int) -> tuple[int, int, Any]:
        if target_length > _MOST_HEAD:
            raise Refused(431, "Request header fields too large")
        if request.path == "/api/public/health":
            return 0, 200, {"version": "4.60.0", "status": "OK"}
        self._authenticate(request.headers.get("authorization", ""))
        if len(request.body) > self.max_bytes:
            raise Refused(413, "Body exceeds the limit")
        return self._routed(request)

    def _routed(self, request: Request) -> tuple[int, int, Any]:
        routes = {
            TRACES: "POST",
            SCORES: "POST",
            OBSERVATIONS: "GET",
            SCORES_READ: "GET",
            "/api/public/projects": "GET",
        }
        if request.path not in routes:
            raise Refused(404, "Not found")
        if request.method != routes[request.path]:
            raise Refused(405, "Method not allowed")
        if request.path == TRACES:
            return self._take_spans(request.headers, request.body, time()), 200, {}
        if request.path == SCORES:
            return self._take_scores(request.body, time())
        seen = time() - self.visible_after_seconds
        with self._lock:
            if request.path == OBSERVATIONS:
                rows = [one for one in self.observations if one.stored_at <= seen]
                return 0, 200, queries.answer(rows, request.query)
            if request.path == SCORES_READ:
                kept = [one for one in self.score_rows.values() if one.updated_at <= seen]
                return 0, 200, scores.answer(kept, request.query)
        organization = {"id": "organization", "name": "Tests"}
        project = {"id": "project", "name": "Tests", "organization": organization, "metadata": {}}
        return 0, 200, {"data": [project]}

    def _authenticate(self, authorization: str) -> None:
        keys = base64.b64encode(f"{self.public_key}:{self.secret_key}".encode()).decode()
        if authorization != f"Basic {keys}":
            raise Refused(401, "Invalid credentials. Confirm that you've configured the correct host.")

    def _take_spans(self, headers: Mapping[str, str], body: bytes, now: float) -> int:
        found = [observation(span, now, self.prices) for span in decode(headers, body)]
        with self._lock:
            self.observations.extend(found)
            self._keep({"at": now, "headers": dict(headers), "spans": base64.b64encode(body).decode()})
        return len(found)

    def _take_scores(self, body: bytes, now: float) -> tuple[int, int, Any]:
        try:
            given = json.loads(body)
        except ValueError:
            raise Refused(400, "Invalid JSON") from None
        if not isinstance(given, list):
            taken = scores.score(given, now)
            self._put([taken], body, now)
            return 1, 200, {"id": taken.id}
        accepted, errors = [], []
        for each in given:
            try:
                accepted.append(scores.score(each, now))
            except Refused as refusal:
                errors.append({"message": str(refusal)})
        self._put(accepted, body, now)
        if errors:
            return (
                len(accepted),
                207,
                {"accepted": len(accepted), "rejected": len(errors), "errors": errors},
            )
        return len(accepted), 202, {"message": "Accepted"}

    def _put(self, found: list[StoredScore], body: bytes, now: float) -> None:
        with self._lock:
            for one in found:
                self.score_rows[one.identity] = scores.replaced(self.score_rows.get(one.identity), one)
            self._keep({"at": now, "scores": body.decode()})

    def _keep(self, line: dict[str, Any]) -> None:
        if self._state is not None:
            line.get("headers", {}).pop("authorization", None)
            with self._state.open("a") as file:
                file.write(json.dumps(line) + "\n")

    def _replay(self, state: Path) -> None:
        self._state = None
        for text in state.read_text().splitlines():
            line = json.loads(text)
            if "spans" in line:
                self._take_spans(line["headers"], base64.b64decode(line["spans"]), line["at"])
            else:
                self._take_scores(line["scores"].encode(), line["at"])
        self._state = state


def _iso(value: Any) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r} is no JSON")
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
