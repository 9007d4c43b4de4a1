"""Serves an application on a port of its own, from a thread of this process, as a browser has to reach it."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from asp_telemetry.dashboard.serve import configuration


@contextmanager
def served(application: Any) -> Iterator[str]:
    """Serve until the block ends; give the address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(configuration(application))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline, "the server has not started in 20 s"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
