"""A TCP proxy in front of a server that misbehaves when told to."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class Proxy:
    """Forward bytes between clients and a server, until told to do worse.

    Attributes:
        mode: `"pass"`; `"refuse"` new connections; `"stall"`: take bytes and forward none.
        cut_commits: Of how many COMMITs still to come the server's answer is withheld and the connection cut.
        cuts: How many connections were cut behind a COMMIT that the server had carried out.
    """

    def __init__(self, host: str, port: int) -> None:
        self.mode = "pass"
        self.cut_commits = 0
        self.cuts = 0
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Shutting down wakes the thread that accepts; closing alone would leave it there.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        for thread in self._threads:
            thread.join(10)

    def drop(self) -> None:
        """Cut all connections that there are."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _cut(*pair)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.mode == "refuse":
                _cut(client)
                continue
            server = socket.create_connection(self._server)
            self._pairs.append((client, server))
            for source, target, from_client in ((client, server, True), (server, client, False)):
                thread = threading.Thread(target=self._pump, args=(source, target, from_client), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pump(self, source: socket.socket, target: socket.socket, from_client: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(1 << 16):
                if self.mode == "stall":
                    continue
                # The answer to COMMIT carries its name as the tag: by then the server has committed.
                if not from_client and self.cut_commits > 0 and b"COMMIT\0" in chunk:
                    self.cut_commits -= 1
                    self.cuts += 1
                    break
                target.sendall(chunk)
        _cut(source, target)


def _cut(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
