"""Speaks HTTP with one client: reads requests within their limits and times, and answers them.

h11 knows the protocol and nothing of sockets: https://h11.readthedocs.io
"""

import asyncio
from typing import TYPE_CHECKING, Final

import h11

from asp_telemetry.guard import note
from asp_telemetry.serving.answers import JSON, Answer, RefusedError, failed
from asp_telemetry.serving.decoding import too_long
from asp_telemetry.serving.requests import Head, head_of

if TYPE_CHECKING:
    from asp_telemetry.serving.server import Server

_LONGEST_HEAD: Final = 16 * 1024
_PIECE: Final = 64 * 1024
_SENDING: Final = frozenset({h11.IDLE, h11.SEND_BODY, h11.ERROR})
_BOTH_DONE: Final = {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}


class Connection:
    """Serve one client until it leaves, errs, or is too slow.

    Args:
        server: What bounds all connections together, and takes the requests.
        reader: What the client sends.
        writer: What is sent to it.
    """

    def __init__(self, server: "Server", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._limits = server.limits
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_LONGEST_HEAD)
        self._held = 0
        self._method = b""
        self.is_idle = True

    async def serve(self) -> None:
        """Answer one request after the other."""
        try:
            while await self._serve_one():
                self._http.start_next_cycle()
        except (ConnectionError, TimeoutError):
            pass  # it has gone, or does not fetch its answer
        except Exception as error:
            note("a connection of the server failed", error)
        finally:
            await hang_up(self._writer, self._limits.write_seconds)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    async def _serve_one(self) -> bool:
        """Answer one request; tell whether another may follow."""
        encoding = JSON
        try:
            request = await self._head()
            if request is None:
                return False
            head = head_of(request, self._server.token)
            encoding = head.encoding
            body = await self._body(head)
            answer = await self._server.take(body, head)
        except RefusedError as refusal:
            answer = failed(encoding, refusal)
        except h11.RemoteProtocolError as error:
            answer = failed(
                encoding, RefusedError(error.error_status_hint, f"this is no proper HTTP: {error}")
            )
        except TimeoutError:
            answer = failed(encoding, RefusedError(408, "the request came too slowly"))
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:
            note("a request could not be answered", error)
            answer = failed(
                encoding, RefusedError(500, f"an unexpected {type(error).__name__}; please report it")
            )
        finally:
            self._server.waiting_bytes -= self._held
            self._held = 0
        return await self._send(answer)

    async def _head(self) -> h11.Request | None:
        """Wait for the head of a request; None if the client leaves, or sends nothing for too long."""
        if not self._http.trailing_data[0]:
            try:
                async with asyncio.timeout(self._limits.idle_seconds):
                    data = await self._reader.read(_PIECE)
            except TimeoutError:
                return None
            self._http.receive_data(data)
        self.is_idle = False
        async with asyncio.timeout(self._limits.head_seconds):
            event = await self._event()
        if not isinstance(event, h11.Request):
            return None
        self._method = event.method
        return event

    async def _body(self, head: Head) -> bytes:
        """Receive the body of a request, if that is wanted."""
        if head.refusal is not None:
            raise head.refusal
        most = self._limits.body_bytes
        if head.length is not None and head.length > most:
            raise too_long(most)
        if self._http.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[])
            self._writer.write(self._http.send(go_on))
        parts: list[bytes] = []
        async with asyncio.timeout(self._limits.body_seconds):
            while isinstance(event := await self._event(), h11.Data):
                self._hold(len(event.data))
                if self._held > most:
                    raise too_long(most)
                parts.append(bytes(event.data))
        if not isinstance(event, h11.EndOfMessage):
            raise ConnectionResetError("the client left in the middle of a request")
        return b"".join(parts)

    def _hold(self, size: int) -> None:
        self._held += size
        self._server.waiting_bytes += size
        if self._server.waiting_bytes > self._limits.waiting_bytes:
            raise self._server.busy("too much is being received at once")

    async def _event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(_PIECE))
        return event

    async def _send(self, answer: Answer) -> bool:
        """Send an answer; tell whether another request may follow."""
        if self._http.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            return False
        # What a refused client still sends would be taken for a new request.
        stays = self._http.their_state is h11.DONE and not self._server.is_stopping
        headers = [
            ("Content-Type", answer.encoding),
            ("Content-Length", str(len(answer.body))),
            *answer.headers,
            *([] if stays else [("Connection", "close")]),
        ]
        response = h11.Response(status_code=answer.status, headers=headers, reason=b"")
        is_sending = self._http.their_state in _SENDING
        data = self._http.send(response) or b""
        if self._method != b"HEAD":
            data += self._http.send(h11.Data(data=answer.body)) or b""
        data += self._http.send(h11.EndOfMessage()) or b""
        async with asyncio.timeout(self._limits.write_seconds):
            self._writer.write(data)
            await self._writer.drain()
        if is_sending:
            await self._linger()
        self.is_idle = True
        return self._http.states == _BOTH_DONE

    async def _linger(self) -> None:
        """Throw away what a refused client is still sending: a connection that is cut would lose it the answer.

        https://www.rfc-editor.org/rfc/rfc9112#section-9.6
        """
        try:
            if self._writer.can_write_eof():
                self._writer.write_eof()
            async with asyncio.timeout(self._limits.linger_seconds):
                while await self._reader.read(_PIECE):
                    pass
        except (TimeoutError, ConnectionError):
            return


async def hang_up(writer: asyncio.StreamWriter, seconds: float) -> None:
    """Close a connection once its client has fetched what was written; cut it if that takes too long.

    Args:
        writer: The connection.
        seconds: How long to wait.
    """
    writer.close()
    try:
        async with asyncio.timeout(seconds):
            await writer.wait_closed()
    except (TimeoutError, ConnectionError):
        return
    finally:
        writer.transport.abort()  # nothing, if it is closed
