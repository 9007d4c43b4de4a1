"""Records the calls that clients of httpx make, and sends the trace along where that is safe.

    client = instrument(httpx.Client())

Clients of httpx2, which openai and anthropic use, are the same. This module imports neither.
"""

import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from ipaddress import ip_address
from time import perf_counter_ns
from typing import Any, Self, TypeVar

from asp_telemetry.capture import state
from asp_telemetry.capture.endpoints import EndpointCall, named_headers
from asp_telemetry.capture.trace_context import CORRELATION_ID, TRACEPARENT, TRACESTATE, inject
from asp_telemetry.guard import trouble
from asp_telemetry.integrations.bodies import Body
from asp_telemetry.journal.layout import FLAGS, Flag

C = TypeVar("C")

_UNSAMPLED = int(Flag.UNSAMPLED)
_HEADERS = (TRACEPARENT, TRACESTATE, CORRELATION_ID)
_OWN_ENDINGS = (".localhost", ".local", ".internal", ".svc", ".home.arpa")
# The clients of openai and anthropic say with it how often they have tried before.
_RETRY_COUNT = "x-stainless-retry-count"


def instrument(
    client: C,
    *,
    inject_to: Iterable[str] | str | None = None,
    service_name: str | None = None,
    capture_headers: bool = False,
    capture_bodies: bool = False,
) -> C:
    """Record each request of a client as a row of `endpoint_calls`, and send the current trace along.

    A row comes when the response is closed: its duration ends with the last byte. Each redirect is a call of its own.
    Trace ids tell third parties when and how often you call, and that calls belong together: without `inject_to` they go
    only to hosts of your own network (private addresses, names without a dot, .local, .internal, .svc).

    Args:
        client: A `Client` or `AsyncClient` of httpx or httpx2; it is changed, mounts and proxies included.
        inject_to: The hosts that get `traceparent` and `X-Correlation-ID`, as `"api.example.org"` or `"*.example.org"`;
            `"*"` for all, `[]` for none.
        service_name: What `endpoint_calls` call the service; the host if left out.
        capture_headers: Whether headers are stored, without secrets.
        capture_bodies: Whether bodies are stored, without secrets and up to `content_max_bytes`.

    Returns:
        The client.

    Raises:
        TypeError: If it is no such client.

    Example:
        >>> import httpx
        >>> from asp_telemetry.integrations.httpx import instrument
        >>> client = instrument(httpx.Client(), inject_to=["*.example.org"])
    """
    base = next(
        (kind for kind in type(client).__mro__ if kind.__module__.partition(".")[0] in {"httpx", "httpx2"}),
        None,
    )
    if base is None or not hasattr(client, "_transport"):
        raise TypeError(f"{client!r} is no client of httpx or httpx2; pass httpx.Client() or AsyncClient()")
    library = sys.modules[base.__module__.partition(".")[0]]
    hosts = (inject_to,) if isinstance(inject_to, str) else None if inject_to is None else tuple(inject_to)
    options = _Options(library, hosts, service_name, headers=capture_headers, bodies=capture_bodies)
    wrap = _AsyncTransport if hasattr(client, "aclose") else _Transport
    holder: Any = client

    def wrapped(transport: Any) -> Any:
        is_done = transport is None or isinstance(transport, (_Transport, _AsyncTransport))
        return transport if is_done else wrap(transport, options)

    # Where the client keeps its transports: there is no public way to wrap those that it has made.
    holder._transport = wrapped(holder._transport)  # noqa: SLF001
    holder._mounts = {pattern: wrapped(transport) for pattern, transport in holder._mounts.items()}  # noqa: SLF001
    return client


class _Options:
    """Hold what `instrument()` was asked for."""

    def __init__(
        self,
        library: Any,
        hosts: tuple[str, ...] | None,
        service_name: str | None,
        *,
        headers: bool,
        bodies: bool,
    ) -> None:
        self.sync_stream = _watching(library.SyncByteStream)
        self.async_stream = _watching_async(library.AsyncByteStream)
        self.hosts = hosts
        self.service_name = service_name
        self.headers = headers
        self.bodies = bodies


class _Exchange:
    """Follow one request to the last byte of its response."""

    def __init__(self, request: Any, options: _Options) -> None:
        url = request.url
        host = url.host if url.port is None else f"{url.host}:{url.port}"
        self._call = call = EndpointCall(options.service_name or host, request.method, url.path)
        current = state.get_current()
        is_kept = current is None or not current[FLAGS] & _UNSAMPLED
        self._has_headers = options.headers and is_kept
        self._body = Body(kept=options.bodies and is_kept)
        headers = named_headers(request.headers.multi_items())
        sent = Body(kept=options.bodies and is_kept)
        try:
            sent.add(request.content)
            call.store("request", sent.stored(headers), sent.size)
        except RuntimeError:
            call.note(request_streamed=True)  # it has not been read, and will not be for us
        if self._has_headers:
            call.request(headers=headers)
        retries = headers.get(_RETRY_COUNT, "")
        if retries.isdecimal() and len(retries) < 4:
            call.request(retries=int(retries))
        self._response_headers: dict[str, str] = {}
        self._added = self._send_trace_along(request, options)
        self._clock = perf_counter_ns()
        call.begin()

    @staticmethod
    def _send_trace_along(request: Any, options: _Options) -> list[str]:
        headers = request.headers
        if TRACEPARENT in headers or not may_inject(request.url.host, options.hosts):
            return []
        before = [name for name in _HEADERS if name in headers]
        added = {name: value for name, value in inject().items() if name not in before}
        headers.update(added)
        return list(added)

    def take_back(self, request: Any) -> None:
        """Take the trace out of the request's headers again: a redirect would hand them on to whatever host."""
        for name in self._added:
            request.headers.pop(name, None)

    def answered(self, response: Any) -> None:
        self._response_headers = named_headers(response.headers.multi_items())
        elapsed = perf_counter_ns() - self._clock
        self._call.note(time_to_response_ms=elapsed / 1e6)
        self._call.response(
            response.status_code, headers=self._response_headers if self._has_headers else None
        )

    def add(self, data: bytes) -> None:
        self._body.add(data)

    def end(self, error: BaseException | None = None, *, completed: bool = True) -> None:
        try:
            if self._response_headers:
                self._call.store("response", self._body.stored(self._response_headers), self._body.size)
            if not completed:
                self._call.note(completed=False)
            self._call.end(error)
        except Exception as failure:
            trouble("an HTTP call could not be recorded", failure)


def _begun(request: Any, options: _Options) -> _Exchange | None:
    if not state.enabled:
        return None
    try:
        return _Exchange(request, options)
    except Exception as error:
        trouble("an HTTP call could not be tracked", error)
        return None


def _answered(exchange: _Exchange, request: Any, response: Any, stream: Any) -> None:
    try:
        exchange.take_back(request)
        exchange.answered(response)
        response.stream = stream(response.stream, exchange)
    except Exception as error:
        trouble("an HTTP response could not be followed", error)


class _Transport:
    """Stand before a client's transport, and record what goes through it."""

    def __init__(self, inner: Any, options: _Options) -> None:
        self._inner = inner
        self._options = options

    def handle_request(self, request: Any) -> Any:
        exchange = _begun(request, self._options)
        if exchange is None:
            return self._inner.handle_request(request)
        try:
            response = self._inner.handle_request(request)
        except BaseException as error:
            exchange.take_back(request)
            exchange.end(error)
            raise
        _answered(exchange, request, response, self._options.sync_stream)
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(self, *reason: object) -> None:
        self._inner.__exit__(*reason)

    def close(self) -> None:
        self._inner.close()


class _AsyncTransport:
    """Do as `_Transport` does, for an `AsyncClient`."""

    def __init__(self, inner: Any, options: _Options) -> None:
        self._inner = inner
        self._options = options

    async def handle_async_request(self, request: Any) -> Any:
        exchange = _begun(request, self._options)
        if exchange is None:
            return await self._inner.handle_async_request(request)
        try:
            response = await self._inner.handle_async_request(request)
        except BaseException as error:
            exchange.take_back(request)
            exchange.end(error)
            raise
        _answered(exchange, request, response, self._options.async_stream)
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *reason: object) -> None:
        await self._inner.__aexit__(*reason)

    async def aclose(self) -> None:
        await self._inner.aclose()


@cache
def _watching(base: Any) -> Any:
    """Make the class of streams that follow another one; a client insists on its own library's base class."""

    class Watching(base):  # type: ignore[misc]
        def __init__(self, inner: Any, exchange: _Exchange) -> None:
            self._inner = inner
            self._exchange = exchange
            self._is_read = False

        def __iter__(self) -> Iterator[bytes]:
            try:
                for data in self._inner:
                    self._exchange.add(data)
                    yield data
                self._is_read = True
            except Exception as error:
                self._exchange.end(error)
                raise

        def close(self) -> None:
            try:
                self._inner.close()
            finally:
                self._exchange.end(completed=self._is_read)

        def __del__(self) -> None:
            self._exchange.end(completed=self._is_read)

    return Watching


@cache
def _watching_async(base: Any) -> Any:
    """Do as `_watching` does, for an `AsyncClient`."""

    class Watching(base):  # type: ignore[misc]
        def __init__(self, inner: Any, exchange: _Exchange) -> None:
            self._inner = inner
            self._exchange = exchange
            self._is_read = False

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async for data in self._inner:
                    self._exchange.add(data)
                    yield data
                self._is_read = True
            except GeneratorExit:
                raise
            except BaseException as error:
                self._exchange.end(error)
                raise

        async def aclose(self) -> None:
            try:
                await self._inner.aclose()
            finally:
                self._exchange.end(completed=self._is_read)

        def __del__(self) -> None:
            self._exchange.end(completed=self._is_read)

    return Watching


def may_inject(host: str, allowed: tuple[str, ...] | None) -> bool:
    """Tell whether a host may see the ids of traces.

    Example:
        >>> may_inject("10.0.0.7", None), may_inject("api.openai.com", None), may_inject("a.b.org", ("*.b.org",))
        (True, False, True)
    """
    name = host.lower().strip("[]")
    if allowed is not None:
        return any(fnmatchcase(name, pattern.lower()) for pattern in allowed)
    try:
        address = ip_address(name)
    except ValueError:
        return "." not in name or name.endswith(_OWN_ENDINGS)
    return address.is_private or address.is_loopback or address.is_link_local
