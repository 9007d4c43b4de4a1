"""Listens, keeps the number of connections in bounds, hands requests to the one thread that records, and stops in order.

asyncio and h11 rather than a web server: those that were looked at give a request no time in which it has to come
(https://github.com/Kludex/uvicorn/issues/157), and here anybody may connect.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from asp_telemetry.serving.answers import JSON, Answer, RefusedError, accepted, failed
from asp_telemetry.serving.connection import Connection, hang_up
from asp_telemetry.serving.decoding import decode
from asp_telemetry.serving.intake import Intake, NotKeptError
from asp_telemetry.serving.limits import Limits
from asp_telemetry.serving.requests import PATH, Head
from asp_telemetry.serving.token import Token

_BACKLOG: Final = 128
_PIECE: Final = 64 * 1024


class Server:
    """Take traces over OTLP/HTTP.

    Args:
        token: What clients have to show, if anything.
        limits: How much is taken on at once.

    Attributes:
        received: How many spans have come, those that have come before included.
        refused: How many spans were wrong.
        waiting_bytes: How much is being received or waits to be recorded.
        is_stopping: Whether nobody new is served any more.
    """

    def __init__(self, token: Token | None = None, limits: Limits | None = None) -> None:
        self.token = token
        self.limits = limits or Limits()
        self.received = 0
        self.refused = 0
        self.waiting_bytes = 0
        self.is_stopping = False
        self._intake = Intake()
        # One thread: requests are recorded one after the other, and the loop goes on serving meanwhile.
        self._recording = ThreadPoolExecutor(1, thread_name_prefix="asp-serve")
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._leaving = 0
        self._listener: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> list[str]:
        """Listen.

        Args:
            host: The address.
            port: The port; 0 for any that is free.

        Returns:
            The URLs that traces can be sent to.

        Raises:
            OSError: If the address cannot be had.
            ConfigurationError: If nothing is recorded in this process.
        """
        await asyncio.get_running_loop().run_in_executor(self._recording, self._intake.recorder)
        self._listener = await asyncio.start_server(self._meet, host, port, backlog=_BACKLOG)
        names = [socket.getsockname() for socket in self._listener.sockets]
        return [f"http://{f'[{name[0]}]' if ':' in name[0] else name[0]}:{name[1]}{PATH}" for name in names]

    async def stop(self) -> None:
        """Listen no more, let requests under way be answered, and hang up."""
        self.is_stopping = True
        if self._listener is not None:
            self._listener.close()
        for connection in self._connections.values():
            if connection.is_idle:
                connection.close()
        if self._connections:
            await asyncio.wait(self._connections, timeout=self.limits.grace_seconds)
        late = list(self._connections)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        self._recording.shutdown(wait=True, cancel_futures=True)

    async def take(self, body: bytes, head: Head) -> Answer:
        """Record a request, and answer once the journal has it.

        Args:
            body: Its body.
            head: What its head says.

        Raises:
            RefusedError: If it cannot be taken, or not now.
        """
        return await asyncio.get_running_loop().run_in_executor(self._recording, self._record, body, head)

    def _record(self, body: bytes, head: Head) -> Answer:
        no_room = self._intake.why_no_room(len(body))
        if no_room is not None:
            raise self.busy(no_room)
        found = decode(body, head.encoding, packed=head.packed, most_bytes=self.limits.body_bytes)
        try:
            failures, reason = self._intake.record(found.spans)
        except NotKeptError as error:
            raise self.busy(str(error)) from error
        refused = found.refused + failures
        self.received += len(found.spans) + found.refused
        self.refused += refused
        return accepted(head.encoding, refused, found.reason or reason)

    def busy(self, why: str) -> RefusedError:
        """Return what is said to who shall come again later."""
        return RefusedError(503, why, ("Retry-After", str(self.limits.retry_seconds)))

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_stopping or len(self._connections) >= self.limits.connections:
            await self._send_away(reader, writer)
            return
        task = asyncio.current_task()
        assert task is not None
        connection = self._connections[task] = Connection(self, reader, writer)
        try:
            await connection.serve()
        finally:
            del self._connections[task]

    async def _send_away(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Say that there are too many; who is cut off with a request unread may not get to see that."""
        if self._leaving < self.limits.connections:
            self._leaving += 1
            try:
                async with asyncio.timeout(self.limits.linger_seconds):
                    await reader.read(_PIECE)
            except (TimeoutError, ConnectionError):
                pass
            finally:
                self._leaving -= 1
        answer = failed(JSON, self.busy("too many connections are open"))
        lines = [
            "HTTP/1.1 503 ",
            f"Content-Type: {answer.encoding}",
            f"Content-Length: {len(answer.body)}",
            *(f"{name}: {value}" for name, value in answer.headers),
            "Connection: close",
            "\r\n",
        ]
        writer.write("\r\n".join(lines).encode() + answer.body)
        await hang_up(writer, self.limits.linger_seconds)
