"""Posts a body once and tells exactly how far that came: never sent, answered, or nobody knows.

HTTP libraries repeat, redirect and log by themselves, and instrumentations that hook into them would trace our own
traffic; a mirror needs one attempt with a certain outcome, which is short enough to write down. Proxies are not used.
"""

import asyncio
import http.client
import io
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from asp_telemetry.forks import database_calls
from asp_telemetry.native import native

_MOST_BODY = 64 * 1024
_CHUNK = 64 * 1024


class NotSentError(Exception):
    """Say that certainly nothing has left this machine."""


class NoAnswerError(Exception):
    """Say that the body was sent, wholly or in part, and that no answer has come."""


class Reply(NamedTuple):
    """Hold an answer: status, headers and at most 64 KiB of its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Poster:
    """Post to one URL, with a connection of its own each time.

    Args:
        url: Where to, `http` or `https`; certificates are verified.
        ca_file: A file of certificates to trust instead of the system's.
        seconds: How long an attempt may take.
    """

    def __init__(self, url: str, *, ca_file: str | None = None, seconds: float = 10.0) -> None:
        parts = urlsplit(url)
        self._is_tls = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._is_tls else 80)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._authority = parts.netloc
        self._ca_file = ca_file
        self._seconds = seconds
        self._context: ssl.SSLContext | None = None
        self._resolvers: set[int] = set()

    def thread_idents(self) -> set[int]:
        """Return the threads that look up names just now."""
        return set(self._resolvers)

    async def post(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Post a body once.

        Args:
            headers: What to send beside the usual.
            body: The body.

        Raises:
            NotSentError: If no connection could be made.
            NoAnswerError: If none or no readable answer came to what was sent.
        """
        try:
            async with asyncio.timeout(self._seconds):
                reader, writer = await self._connect()
        except TimeoutError:
            raise NotSentError(f"no connection within {self._seconds:g} s") from None
        except (OSError, UnicodeError) as error:
            raise NotSentError(f"no connection: {error}") from error
        try:
            async with asyncio.timeout(self._seconds):
                writer.write(self._head(headers, body) + body)
                # It may have answered before it had read everything, as some do to what is too large.
                with suppress(ConnectionError):
                    await writer.drain()
                return await _read_reply(reader)
        except TimeoutError:
            raise NoAnswerError(f"no answer within {self._seconds:g} s") from None
        except (OSError, EOFError, ValueError, http.client.HTTPException) as error:
            raise NoAnswerError(f"no answer: {type(error).__name__}: {error}") from error
        finally:
            writer.transport.abort()

    def _head(self, headers: Mapping[str, str], body: bytes) -> bytes:
        lines = {"Host": self._authority, **headers, "Content-Length": str(len(body)), "Connection": "close"}
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"POST {self._target} HTTP/1.1\r\n{text}\r\n".encode("latin-1")

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._is_tls and self._context is None:
            self._context = ssl.create_default_context(cafile=self._ca_file)
        failure: OSError | None = None
        for address in await self._addresses():
            try:
                return await asyncio.open_connection(
                    address,
                    self._port,
                    ssl=self._context,
                    server_hostname=self._host if self._is_tls else None,
                )
            except OSError as error:
                failure = error
        raise failure or OSError(f"{self._host} has no address")

    async def _addresses(self) -> list[str]:
        """Look up the host in a thread that nobody waits for: neither the database nor the interpreter's end.

        The event loop of the writer looks names up itself, and would stand still while a name server does not answer.
        """
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[str]] = loop.create_future()

        def look_up() -> None:
            ident = native("get_ident")()
            self._resolvers.add(ident)
            try:
                with database_calls:
                    infos = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
                tell(list(dict.fromkeys(str(info[4][0]) for info in infos)), None)
            except (OSError, UnicodeError) as error:
                tell([], error)
            finally:
                self._resolvers.discard(ident)

        def tell(addresses: list[str], error: Exception | None) -> None:
            try:
                loop.call_soon_threadsafe(settle, addresses, error)
            except RuntimeError:
                return  # the loop has ended meanwhile: nobody wants to know

        def settle(addresses: list[str], error: Exception | None) -> None:
            if found.done():
                return
            if error is None:
                found.set_result(addresses)
            else:
                found.set_exception(error)

        if _is_address(self._host):
            return [self._host]
        try:
            native("start_new_thread")(look_up, ())
        except RuntimeError as error:
            raise OSError(f"the host name cannot be looked up: {error}") from error  # the interpreter ends
        return await found


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return True
    return False


async def _read_reply(reader: asyncio.StreamReader) -> Reply:
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        line, _, rest = head.partition(b"\r\n")
        protocol, code, *_ = line.decode("latin-1").split(" ", 2)
        if not protocol.startswith("HTTP/1.") or not code.isdigit():
            raise ValueError(f"no HTTP answer: {line[:80]!r}")
        status = int(code)
        if status >= 200:
            break
    headers = {name.lower(): value for name, value in http.client.parse_headers(io.BytesIO(rest)).items()}
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = await _read_chunks(reader)
    else:
        length = min(int(headers.get("content-length", _MOST_BODY)), _MOST_BODY)
        body = await _read_body(reader, length, exact="content-length" in headers)
    return Reply(status, headers, body)


async def _read_body(reader: asyncio.StreamReader, length: int, *, exact: bool) -> bytes:
    if exact:
        return await reader.readexactly(length)
    body = b""
    while len(body) < length and (data := await reader.read(_CHUNK)):
        body += data
    return body[:length]


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while len(body) < _MOST_BODY:
        size = int((await reader.readline()).split(b";")[0], 16)
        if not size:
            break
        body += await reader.readexactly(min(size, _MOST_BODY))
        if size > _MOST_BODY:
            break
        await reader.readline()
    return body[:_MOST_BODY]
