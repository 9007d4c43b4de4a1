"""Posts a body or asks a question, once, and tells exactly how far that came: never sent, answered, or nobody knows.

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
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isnan
from typing import NamedTuple
from urllib.parse import urlsplit

from asp_telemetry.forks import database_calls
from asp_telemetry.native import native

_MOST_BODY = 64 * 1024
_CHUNK = 64 * 1024
_LONGEST_AFTER_SECONDS = 3600.0


class NotSentError(Exception):
    """Say that certainly nothing has left this machine."""


class NoAnswerError(Exception):
    """Say that the body was sent, wholly or in part, and that no answer has come."""


class Reply(NamedTuple):
    """Hold an answer: status, headers and its body, as far as that is read."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Poster:
    """Post to one URL, or get what is there, with a connection of its own each time.

    Args:
        url: Where to, `http` or `https`; certificates are verified.
        ca_file: A file of certificates to trust instead of the system's.
        seconds: How long an attempt may take.
        most_body: How many bytes of an answer's body are read at most.
    """

    def __init__(
        self, url: str, *, ca_file: str | None = None, seconds: float = 10.0, most_body: int = _MOST_BODY
    ) -> None:
        self.url = url
        parts = urlsplit(url)
        self._is_tls = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._is_tls else 80)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._authority = parts.netloc
        self._ca_file = ca_file
        self._seconds = seconds
        self._most_body = most_body
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
        return await self._exchange(
            self._head("POST", self._target, {**headers, "Content-Length": str(len(body))}) + body
        )

    async def get(self, headers: Mapping[str, str], query: str) -> Reply:
        """Ask once.

        Args:
            headers: What to send beside the usual.
            query: What to ask, encoded as a URL's query is.

        Raises:
            NotSentError: If no connection could be made.
            NoAnswerError: If none or no readable answer came.
        """
        return await self._exchange(self._head("GET", f"{self._target}?{query}", headers))

    async def _exchange(self, request: bytes) -> Reply:
        try:
            async with asyncio.timeout(self._seconds):
                reader, writer = await self._connect()
        except TimeoutError:
            raise NotSentError(f"no connection within {self._seconds:g} s") from None
        except (OSError, UnicodeError) as error:
            raise NotSentError(f"no connection: {error}") from error
        try:
            async with asyncio.timeout(self._seconds):
                writer.write(request)
                # It may have answered before it had read everything, as some do to what is too large.
                with suppress(ConnectionError):
                    await writer.drain()
                return await _read_reply(reader, self._most_body)
        except TimeoutError:
            raise NoAnswerError(f"no answer within {self._seconds:g} s") from None
        except (OSError, EOFError, ValueError, http.client.HTTPException) as error:
            raise NoAnswerError(f"no answer: {type(error).__name__}: {error}") from error
        finally:
            writer.transport.abort()

    def _head(self, method: str, target: str, headers: Mapping[str, str]) -> bytes:
        lines = {"Host": self._authority, **headers, "Connection": "close"}
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"{method} {target} HTTP/1.1\r\n{text}\r\n".encode("latin-1")

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


async def _read_reply(reader: asyncio.StreamReader, most: int) -> Reply:
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
        body = await _read_chunks(reader, most)
    else:
        length = min(int(headers.get("content-length", most)), most)
        body = await _read_body(reader, length, exact="content-length" in headers)
    return Reply(status, headers, body)


async def _read_body(reader: asyncio.StreamReader, length: int, *, exact: bool) -> bytes:
    if exact:
        return await reader.readexactly(length)
    body = b""
    while len(body) < length and (data := await reader.read(_CHUNK)):
        body += data
    return body[:length]


async def _read_chunks(reader: asyncio.StreamReader, most: int) -> bytes:
    body = b""
    while len(body) < most:
        size = int((await reader.readline()).split(b";")[0], 16)
        if not size:
            break
        body += await reader.readexactly(min(size, most))
        if size > most:
            break
        await reader.readline()
    return body[:most]


def retry_after(value: str | None) -> float | None:
    """Read `Retry-After`, a number of seconds or a date (RFC 9110, 10.2.3).

    Args:
        value: What the header says.

    Returns:
        How long to wait, in seconds, at most an hour; None if that is not said.

    Example:
        >>> retry_after("7"), retry_after(None)
        (7.0, None)
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return None if isnan(seconds) else min(max(seconds, 0.0), _LONGEST_AFTER_SECONDS)
