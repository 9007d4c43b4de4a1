"""Serves the dashboard until it is told to stop."""

import asyncio
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from asp_telemetry.dashboard.app import create_app
from asp_telemetry.dashboard.security import ANY_HOST
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.serving.token import Token, is_loopback

VARIABLE: Final = "ASP_DASHBOARD_TOKEN"
"""The environment variable with the token."""

_CONNECTIONS: Final = 200
_GRACE_SECONDS: Final = 3
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def serve(
    database: str,
    host: str,
    port: int,
    token: Token | None = None,
    *,
    report: Callable[[str], None] | None = None,
) -> None:
    """Serve the dashboard of a database until SIGTERM, SIGINT or SIGHUP.

    Args:
        database: The URL of the database, which is only ever read.
        host: The address to listen on; one that others can reach needs a token.
        port: The port; 0 for any that is free.
        token: What browsers have to show.
        report: Called with the URL once it can be opened.

    Raises:
        ConfigurationError: If the address may not or cannot be listened on, or the database's driver is missing.
    """
    if token is None and not is_loopback(host):
        raise ConfigurationError(
            f"--host {host} can be reached from other machines, and there is no token; "
            f"set {VARIABLE} or give --token-file, or listen on 127.0.0.1"
        )
    # Who shows the token has not been led here by a stranger's name: the cookie belongs to the name it was given under.
    app = create_app(database, hosts=() if token is None else (ANY_HOST,), token=token)
    with _listen(host, port) as listener:
        address, bound = listener.getsockname()[:2]
        url = f"http://{f'[{address}]' if ':' in address else address}:{bound}/"
        asyncio.run(_serve(_Server(configuration(app), report, url), listener))


def configuration(app: ASGIApp) -> uvicorn.Config:
    """Return how the application is served: HTTP alone, few connections, and nothing said about the server.

    Args:
        app: The application.
    """
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


class _Server(uvicorn.Server):
    """Stop in order, and leave signals to whoever runs it: the program goes on behind it."""

    def __init__(self, config: uvicorn.Config, report: Callable[[str], None] | None, url: str) -> None:
        super().__init__(config)
        self._report = report
        self._url = url

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none: uvicorn would raise them again at the end."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and tell so."""
        await super().startup(sockets)
        if self._report is not None and self.started:
            self._report(self._url)

    def stop(self) -> None:
        """Stop; when it is asked a second time, without waiting for answers under way."""
        self.force_exit = self.should_exit
        self.should_exit = True


async def _serve(server: _Server, listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, server.stop)
    await server.serve([listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address, family=family)
    except OSError as error:
        raise ConfigurationError(
            f"--host {host} --port {port} cannot be listened on: {error.strerror or error}; choose another"
        ) from error
