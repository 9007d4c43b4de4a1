"""A receiver of OTLP over HTTP on loopback, which decodes what it gets and can be told to fail in every way."""

import gzip
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, sleep
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Received:
    """Be one span as it arrived."""

    def __init__(self, span: Any, resource: dict[str, Any]) -> None:
        self.resource = resource
        self.name = span.name
        self.id = span.span_id
        self.trace_id = span.trace_id
        self.parent = span.parent_span_id
        self.kind = span.kind
        self.start, self.end = span.start_time_unix_nano, span.end_time_unix_nano
        self.status = span.status
        self.attributes = _values(span.attributes)


class Receiver:
    """Receive on a port of its own.

    What is put into `faults` is used up one by one, each by one request: a status, a status with headers,
    "drop" (store, then cut the connection), "slow" (store, then answer late), or a function of the spans' number that
    returns a status.
    """

    def __init__(self) -> None:
        self.spans: list[Received] = []
        self.requests: list[dict[str, Any]] = []
        self.faults: deque[Any] = deque()
        self.always: Any = None
        self.slow_seconds = 2.0
        self._server: Any = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen, on the same port as before."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver._handle(self)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Be down: nobody listens on the port."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _handle(self, handler: Any) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if handler.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        request = ExportTraceServiceRequest.FromString(body)
        found = [
            Received(span, _values(group.resource.attributes))
            for group in request.resource_spans
            for spans in group.scope_spans
            for span in spans.spans
        ]
        fault = self.faults.popleft() if self.faults else self.always
        if callable(fault):
            fault = fault(found)
        status, headers = fault if isinstance(fault, tuple) else (fault, {})
        self.requests.append(
            {
                "at": monotonic(),
                "headers": dict(handler.headers),
                "path": handler.path,
                "spans": len(found),
                "fault": fault,
            }
        )
        if status in (None, "drop", "slow") or (isinstance(status, int) and 200 <= status < 300):
            self.spans.extend(found)
        if status == "drop":
            handler.close_connection = True
            handler.connection.close()
            return
        if status == "slow":
            sleep(self.slow_seconds)
        answer = headers.pop("body", None) or ExportTraceServiceResponse().SerializeToString()
        handler.send_response(status if isinstance(status, int) else 200)
        for name, value in {"Content-Type": "application/x-protobuf", **headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        handler.wfile.write(answer)

    def wait(self, count: int, seconds: float = 20.0) -> list[Received]:
        """Wait until so many different spans have arrived."""
        deadline = monotonic() + seconds
        while len(self.ids()) < count:
            assert monotonic() < deadline, f"{len(self.ids())} of {count} spans arrived"
            sleep(0.02)
        return self.spans

    def ids(self) -> set[tuple[bytes, bytes]]:
        """Return the ids of what has arrived."""
        return {(span.trace_id, span.id) for span in list(self.spans)}


def _values(attributes: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind)
