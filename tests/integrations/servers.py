"""Runs real servers in threads of this process."""

import threading
import time
from contextlib import contextmanager
from typing import Any

import uvicorn


@contextmanager
def served(app: Any, **options: Any) -> Any:
    """Serve an ASGI application with uvicorn; yields its URL."""
    config = uvicorn.Config(
        app, port=0, log_level="error", **{"lifespan": "off", "loop": "asyncio", **options}
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()
