"""HTTP calls to services, and calls that a service answers: each becomes one row of `endpoint_calls`."""

from collections.abc import Iterable, Mapping
from os import getpid
from time import perf_counter_ns, time_ns
from types import TracebackType
from typing import Any, Self

from asp_telemetry.capture import state
from asp_telemetry.capture.content import content, redacted_message
from asp_telemetry.capture.encoder import MAX_TEXT, clean, identifier, shown
from asp_telemetry.capture.facts import send
from asp_telemetry.capture.hooks import enclosing_hook
from asp_telemetry.capture.redaction import redact
from asp_telemetry.guard import describe, trouble
from asp_telemetry.ids import execution_uuid
from asp_telemetry.journal.layout import FLAGS, Flag, Kind

_UNSAMPLED = int(Flag.UNSAMPLED)
_ERROR_STATUS = 400
_MAX_INT = (1 << 31) - 1
_MAX_PATH = 2_000
HTTP_ERROR, TIMEOUT, CONNECTION_ERROR = "http_error", "timeout", "connection_error"


class EndpointCall:
    """Record one call of an endpoint; made by `endpoint_call()`.

    Nothing here raises: what cannot be recorded is counted in `stats()` with its reason.
    """

    __slots__ = ("_clock", "_done", "_facts", "_headers", "_process", "_sizes", "_span", "_started")

    def __init__(self, service: str, method: str, path: str) -> None:
        self._facts: dict[str, Any] = {
            "service_name": identifier(service, 200),
            "http_method": identifier(method, 20).upper(),
            "endpoint_path": endpoint_path(path),
            "retry_count": 0,
        }
        self._headers: dict[str, Any] = {}
        self._sizes: dict[str, Any] = {"kind": "client"}
        self._done = True

    def request(
        self, *, body: Any = None, headers: Any = None, size: int | None = None, retries: int = 0
    ) -> None:
        """Record what is sent; bodies and headers are stored if they are given, without secrets.

        Args:
            body: What is sent.
            headers: A mapping or pairs.
            size: The length of the body, in bytes.
            retries: How many attempts came before this one.
        """
        self._note("request", body, headers, size)
        self._add_retries(retries)

    def response(
        self, status: int | None = None, *, body: Any = None, headers: Any = None, size: int | None = None
    ) -> None:
        """Record what was answered; a status from 400 is a failure.

        Args:
            status: The HTTP status.
            body: The answer, stored if it is given, without secrets.
            headers: A mapping or pairs, likewise.
            size: The length of the body, in bytes.
        """
        if status is not None:
            self._set_status(status)
        self._note("response", body, headers, size)

    def retry(self) -> None:
        """Note that the call is tried again."""
        self._add_retries(1)

    def failed(self, error_type: str, message: str | None = None) -> None:
        """Note that the call failed, for a reason that no status or exception tells.

        Args:
            error_type: Such as `"client_disconnect"`.
            message: What happened.
        """
        self._facts["error_type"] = identifier(error_type, 200)
        if message is not None:
            self._facts["error_message"] = redacted_message(identifier(message, MAX_TEXT))

    def note(self, **context: Any) -> None:
        """Add what has no column of its own.

        Args:
            **context: Values by name.
        """
        self._sizes.update(context)

    def store(self, side: str, body: Any, size: int) -> None:
        """Store what has been prepared of a body, and how long it was.

        Args:
            side: `"request"` or `"response"`.
            body: What `content.body` has made of it, or None.
            size: Its length, in bytes.
        """
        if body is not None:
            self._facts[f"{side}_body"] = body
        self._sizes[f"{side}_bytes"] = size

    def at(self, path: str) -> None:
        """Say which endpoint it is, once that is known."""
        self._facts["endpoint_path"] = endpoint_path(path)

    def begin(self, span: state.SpanList | None = None) -> None:
        """Begin the call.

        Args:
            span: The execution that it belongs to; the current one if left out.
        """
        self._span = state.get_current() if span is None else span
        self._process = getpid()
        self._started = time_ns()
        self._clock = perf_counter_ns()
        self._done = not state.enabled
        self._facts["hook_execution_id"] = None if span is not None else enclosing_hook()

    def end(self, error: BaseException | None = None) -> None:
        """End the call, by itself or because of an exception; what comes later is not recorded."""
        if self._done:
            return
        self._done = True
        duration = max(perf_counter_ns() - self._clock, 0)  # see `Block.elapsed`
        try:
            span, facts = self._span, self._facts
            if self._process != getpid():
                return  # a child forked inside the block leaves it, too
            if span is not None and span[FLAGS] & _UNSAMPLED:
                return  # a trace is left out with everything in it
            if error is not None:
                self._fail(error)
            facts["success"] = "error_type" not in facts
            facts["id"] = execution_uuid(self._started, state.next_id())
            facts["started_ns"], facts["duration_ns"] = self._started, duration
            facts["headers"] = self._headers or None
            facts["context"] = self._sizes
            send(Kind.ENDPOINT, facts, span)
        except Exception as failure:
            trouble("an endpoint call could not be recorded", failure)

    def _set_status(self, status: int) -> None:
        try:
            number = int(status)
        except Exception:
            number = -1
        if not 0 <= number <= _MAX_INT:
            trouble(
                "an endpoint's status was no whole number", remedy=f"response({shown(status)}) was refused"
            )
            return
        self._facts["response_status"] = number
        if number >= _ERROR_STATUS:
            self._facts["error_type"] = HTTP_ERROR

    def _add_retries(self, retries: int) -> None:
        try:
            self._facts["retry_count"] = min(max(self._facts["retry_count"] + int(retries), 0), _MAX_INT)
        except Exception as error:
            trouble("an endpoint call's retries were no whole number", error)

    def _note(self, side: str, body: Any, headers: Any, size: int | None) -> None:
        try:
            if body is not None:
                self._facts[f"{side}_body"] = content(body)
            if headers is not None:
                self._headers[side] = content(named_headers(headers))
            if size is not None:
                self._sizes[f"{side}_bytes"] = int(size)
        except Exception as error:
            trouble("the content of an endpoint call could not be stored", error)

    def _fail(self, error: BaseException) -> None:
        self._facts["error_type"] = error_type_of(error)
        self._facts["error_message"] = redacted_message(clean(describe(error)))

    def __enter__(self) -> Self:
        try:
            self.begin()
        except Exception as error:
            trouble("an endpoint call could not begin", error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end(error)


def endpoint_call(
    service: str, method: str, path: str, *, body: Any = None, headers: Any = None
) -> EndpointCall:
    """Record a call to a service, with `with` or `async with`; clients of httpx can do it by themselves.

    Args:
        service: The service's name.
        method: The HTTP method.
        path: The endpoint, without host; its query, which may hold secrets, is not stored.
        body: What is sent, stored if it is given, without secrets.
        headers: The headers that are sent, likewise.

    Returns:
        The call; tell it the answer with `response()`. An exception that leaves the block is its failure.

    Example:
        >>> import asp_telemetry as asp
        >>> with asp.endpoint_call("intelligence", "POST", "/api/rag/query") as e:
        ...     e.response(200)
    """
    call = EndpointCall(service, method, path)
    if body is not None or headers is not None:
        call.request(body=body, headers=headers)
    return call


def endpoint_path(path: str) -> str:
    """Return the path of an endpoint as it is stored: without its query, and without secrets in it.

    Example:
        >>> endpoint_path("/v1/files?api_key=abcd1234efgh")
        '/v1/files'
    """
    text = identifier(path, MAX_TEXT).partition("?")[0].partition("#")[0]
    return identifier(redact(text) or "/", _MAX_PATH)


def named_headers(headers: Mapping[Any, Any] | Iterable[tuple[Any, Any]]) -> dict[str, str]:
    """Return headers as texts by lower-case name; those that come twice are joined.

    Example:
        >>> named_headers([(b"Accept", b"a"), (b"accept", b"b")])
        {'accept': 'a, b'}
    """
    named: dict[str, str] = {}
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        key, text = (
            part.decode("latin-1") if isinstance(part, bytes) else str(part) for part in (name, value)
        )
        key = key.lower()
        named[key] = f"{named[key]}, {text}" if key in named else text
    return named


def error_type_of(error: BaseException) -> str:
    """Name how a call failed: timeout, connection_error, or the exception's own name.

    Example:
        >>> error_type_of(TimeoutError()), error_type_of(ConnectionResetError()), error_type_of(KeyError())
        ('timeout', 'connection_error', 'KeyError')
    """
    # Clients have exceptions of their own: httpx.ReadTimeout, requests.ConnectionError, aiohttp.ClientConnectorError.
    names = [kind.__name__ for kind in type(error).__mro__]
    if any("Timeout" in name for name in names):
        return TIMEOUT
    if isinstance(error, ConnectionError) or any(
        name in {"NetworkError", "ConnectionError", "ProtocolError"} or "Connect" in name for name in names
    ):
        return CONNECTION_ERROR
    return names[0]
