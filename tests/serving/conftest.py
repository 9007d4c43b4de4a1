"""Servers of a test's own: in this process for the protocol, as a process of their own for crashes and signals."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from clients import Client

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.serving.limits import Limits
from asp_telemetry.serving.server import Server


class Running:
    """Be a server in a thread of this process."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        (url,) = self._call(server.start("127.0.0.1", 0))
        self.port = int(url.rpartition(":")[2].partition("/")[0])
        self.client = Client(self.port)

    def _call(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def stop(self) -> None:
        self._call(self.server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    def keep_little(self) -> None:
        """Let the system keep little of what clients do not fetch."""
        for listener in self.server._listener.sockets:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    def connections(self) -> int:
        """Tell how many connections are being served."""
        return len(self.server._connections)


@pytest.fixture
def serving(recorded: Any) -> Iterator[Callable[..., Running]]:
    """Start servers whose spans are captured."""
    with ExitStack() as stack:

        def start(token: Any = None, **limits: Any) -> Running:
            running = Running(Server(token, Limits(**limits)))
            stack.callback(running.stop)
            return running

        yield start


class Process:
    """Be a server in a process of its own."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "asp_telemetry", "serve", "--port", "0", "--json", *arguments],
            env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.communicate()[1])
        (url,) = json.loads(line)["listens"]
        self.port = int(url.rpartition(":")[2].partition("/")[0])
        self.client = Client(self.port)

    def end(self, number: int) -> tuple[int, str, str]:
        """Send a signal, and return status and output once the process has ended."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start servers as processes; they are ended with the test."""
    started: list[Process] = []

    def start(*arguments: str, **environment: str) -> Process:
        started.append(Process(*arguments, **environment))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


@pytest.fixture
def raw() -> Iterator[Callable[[int], socket.socket]]:
    """Open sockets that send what no client library would."""
    with ExitStack() as stack:

        def connect(port: int) -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))

        yield connect


@pytest.fixture
def fuzzed(serving: Callable[..., Running]) -> Iterator[Running]:
    """Start a server for many requests, whose faults are told, and of which the database has to take all in the end."""
    guard.be_strict(False)
    running = serving(linger_seconds=0.1)
    yield running
    assert asp.flush(timeout=20).complete
    figures = asp.stats()
    assert (figures["rejected"], figures["dropped"]) == (0, 0)
    assert set(figures["troubles"]) <= {"a span's usage could not be read"}, figures["troubles"]
