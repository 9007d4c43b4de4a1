"""Serves until it is told to stop, and then commits what was received."""

import asyncio
import signal
from collections.abc import Callable
from typing import Any, NamedTuple

from asp_telemetry.errors import ConfigurationError
from asp_telemetry.recorder.control import configure, shutdown, stats
from asp_telemetry.serving.limits import Limits
from asp_telemetry.serving.server import Server
from asp_telemetry.serving.token import VARIABLE, Token, is_loopback

_COMMIT_SECONDS = 10.0


class Summary(NamedTuple):
    """Tell what a server has done.

    Attributes:
        received: How many spans have come, those that have come before included.
        refused: How many of them were wrong.
        recorded: How many records went into the journal.
        pending: How many of those still wait there.
    """

    received: int
    refused: int
    recorded: int
    pending: int


def serve(
    database: str,
    host: str,
    port: int,
    token: Token | None = None,
    *,
    limits: Limits | None = None,
    report: Callable[[list[str]], None] | None = None,
) -> Summary:
    """Serve until SIGTERM or SIGINT.

    Args:
        database: The URL of the database.
        host: The address to listen on; one that others can reach needs a token.
        port: The port; 0 for any that is free.
        token: What clients have to show.
        limits: How much is taken on at once.
        report: Called with the URLs once they can be used.

    Returns:
        What was done.

    Raises:
        ConfigurationError: If the address may not or cannot be listened on, or nothing is recorded.
    """
    if token is None and not is_loopback(host):
        raise ConfigurationError(
            f"--host {host} can be reached from other machines, and there is no token; "
            f"set {VARIABLE} or give --token-file, or listen on 127.0.0.1"
        )
    # Senders have sampled already. A full journal is answered with 503 at once: waiting would make everybody wait.
    configure(database, sample_rate=1.0, journal_full="drop_new", replace=True)
    server = Server(token, limits)
    try:
        asyncio.run(_serve(server, host, port, report))
    except OSError as error:
        raise ConfigurationError(
            f"--host {host} --port {port} cannot be listened on: {error.strerror or error}; choose another"
        ) from error
    finally:
        result = shutdown(_COMMIT_SECONDS)
    database_figures: dict[str, Any] = result.sinks.get("database", stats())
    return Summary(server.received, server.refused, database_figures["accepted"], result.pending)


async def _serve(server: Server, host: str, port: int, report: Callable[[list[str]], None] | None) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    urls = await server.start(host, port)
    if report is not None:
        report(urls)
    await stopped.wait()
    await server.stop()
