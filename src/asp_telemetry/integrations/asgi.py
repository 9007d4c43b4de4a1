"""Tracks the requests that an ASGI application serves: Starlette, FastAPI, and any other.

app.add_middleware(Middleware)      # Starlette and FastAPI
app = Middleware(app)               # any other
"""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from asp_telemetry.capture import state
from asp_telemetry.capture.definition import site_for
from asp_telemetry.capture.details import details_of
from asp_telemetry.capture.endpoints import EndpointCall, named_headers
from asp_telemetry.capture.lifecycle import begin, fail, finish
from asp_telemetry.capture.trace_context import extract
from asp_telemetry.guard import trouble
from asp_telemetry.integrations.bodies import Body
from asp_telemetry.journal.layout import FLAGS, SITE, STATE, Flag

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_SERVER_ERROR = 500
_UNSAMPLED = int(Flag.UNSAMPLED)


class AnsweredWithErrorError(Exception):
    """Be the reason of an execution that answered with a status from 500, without an exception."""


class Middleware:
    """Track each HTTP request as an execution under which agents run, and as a row of `endpoint_calls`.

    The request continues the caller's trace. Its execution (kind span, named `GET /items/{id}`) lasts until the
    application is done with it, streams and background tasks included; the duration in `endpoint_calls` ends with the last
    byte. Where the client leaves early, the execution says `completed: false` and the call `client_disconnect`. Lifespan
    and websockets pass through.

    Args:
        app: The application.
        service_name: What `endpoint_calls` call the service; the application's title, else `"asgi"`.
        capture_headers: Whether headers are stored, without secrets.
        capture_bodies: Whether bodies are stored, without secrets and up to `content_max_bytes`.
        sampled: Whether to record all requests, against what callers that sample for themselves say.

    Example:
        >>> async def app(scope, receive, send): ...
        >>> app = Middleware(app, service_name="intelligence")
    """

    def __init__(
        self,
        app: App,
        *,
        service_name: str | None = None,
        capture_headers: bool = False,
        capture_bodies: bool = False,
        sampled: bool | None = None,
    ) -> None:
        self.app = app
        self._service_name = service_name
        self._capture_headers = capture_headers
        self._capture_bodies = capture_bodies
        self._sampled = sampled

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or what else the server says."""
        if scope["type"] != "http" or not state.enabled:
            await self.app(scope, receive, send)
            return
        with extract(scope.get("headers") or (), sampled=self._sampled):
            served = self._served(scope, receive, send)
            if served is None:
                await self.app(scope, receive, send)
                return
            try:
                await self.app(scope, served.receive, served.send)
            except BaseException as error:
                served.end(error)
                raise
            served.end(None)

    def _served(self, scope: Scope, receive: Receive, send: Send) -> "_Served | None":
        try:
            name = self._service_name or str(getattr(scope.get("app"), "title", None) or "asgi")
            call = EndpointCall(name, scope["method"], scope["path"])
            call.note(kind="server")
            span = begin(site_for(scope["method"], "span", None, None, None, None))
            call.begin(span)
            is_kept = not span[FLAGS] & _UNSAMPLED
            bodies = self._capture_bodies and is_kept
            return _Served(
                scope, receive, send, span, call, headers=self._capture_headers and is_kept, bodies=bodies
            )
        except Exception as error:
            trouble("a request could not be tracked", error)
            return None


class _Served:
    """Follow one request from its first to its last message."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        span: state.SpanList,
        call: EndpointCall,
        *,
        headers: bool,
        bodies: bool,
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._span = span
        self._call = call
        self._captures_headers = headers
        self._request = Body(kept=bodies)
        self._response = Body(kept=bodies)
        self._response_headers: dict[str, str] = {}
        self._status: int | None = None
        self._is_complete = False
        self._has_left = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._request.add(message.get("body", b""))
        elif message["type"] == "http.disconnect" and not self._is_complete:
            self._has_left = True
        return message

    async def send(self, message: Message) -> None:
        last = False
        try:
            last = self._note(message)
        except Exception as error:
            trouble("a response could not be followed", error)
        try:
            await self._send(message)
        except OSError:
            self._has_left = True
            raise
        if last:
            self._is_complete = True
            self._end_call(None)

    def _note(self, message: Message) -> bool:
        """Take note of a message of the response; tell whether it is the last."""
        kind: str = message["type"]
        if kind == "http.response.start":
            self._status = message["status"]
            self._response_headers = named_headers(message.get("headers") or ())
            self._name_route()
        elif kind == "http.response.body":
            self._response.add(message.get("body", b""))
            return not message.get("more_body", False)
        return kind == "http.response.pathsend"

    def _name_route(self) -> None:
        """Name the execution after the route, which the application has found by now."""
        scope = self._scope
        if "path_params" not in scope and "endpoint" not in scope:
            return
        route = route_of(scope["path"], scope.get("path_params") or {})
        self._call.at(route)
        if not self._span[STATE]:
            self._span[SITE] = site_for(f"{scope['method']} {route}", "span", None, None, None, None)

    def end(self, error: BaseException | None) -> None:
        """End the execution, and the call if its last byte has not been sent."""
        try:
            reason = self._reason(error)
            self._end_call(error)
            span = self._span
            if not span[STATE]:
                self._name_route()
                details_of(span).metadata = {
                    "http.request.method": self._scope["method"],
                    "http.response.status_code": self._status,
                }
            if reason is None:
                finish(span)
            else:
                fail(span, reason)
        except Exception as failure:
            trouble("a request could not be recorded", failure)

    def _reason(self, error: BaseException | None) -> BaseException | None:
        if not self._is_complete and self._has_left and not isinstance(error, CancelledError):
            return GeneratorExit()  # as of any consumer that leaves early
        if error is None and self._status is not None and self._status >= _SERVER_ERROR:
            return AnsweredWithErrorError(f"the response had the status {self._status}")
        return error

    def _end_call(self, error: BaseException | None) -> None:
        try:
            call = self._call
            request_headers = named_headers(self._scope.get("headers") or ())
            call.store("request", self._request.stored(request_headers), self._request.size)
            call.store("response", self._response.stored(self._response_headers), self._response.size)
            if self._captures_headers:
                call.request(headers=request_headers)
                call.response(headers=self._response_headers)
            call.response(self._status)
            if not self._is_complete:
                if self._has_left:
                    call.failed("client_disconnect", "the client left before the last byte")
                    error = None
                elif error is None:
                    call.failed("incomplete", "the application ended before the last byte")
            call.end(error)
        except Exception as failure:
            trouble("a request could not be recorded", failure)


def route_of(path: str, parameters: MutableMapping[str, Any]) -> str:
    """Return the route that a path has taken: with the names of its parameters in the place of their values.

    Example:
        >>> route_of("/users/7/files/a/b.txt", {"id": 7, "name": "a/b.txt"})
        '/users/{id}/files/{name}'
    """
    for name, value in reversed(list(parameters.items())):
        # From the right: a literal part of the route that happens to read like the value mostly stands before it.
        before, found, after = f"{path}/".rpartition(f"/{value}/")
        if found:
            path = f"{before}/{{{name}}}/{after}"[:-1]
    return path
