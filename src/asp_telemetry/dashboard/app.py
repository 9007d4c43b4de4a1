"""Builds the web application: its pages in one table, and what every request passes on its way to them."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from asp_telemetry.dashboard.asking import Readers
from asp_telemetry.dashboard.pages.agent import agent
from asp_telemetry.dashboard.pages.agents import agents
from asp_telemetry.dashboard.pages.bootstrap import bootstrap
from asp_telemetry.dashboard.pages.choices import choices
from asp_telemetry.dashboard.pages.defects import defects
from asp_telemetry.dashboard.pages.estimation import estimation
from asp_telemetry.dashboard.pages.health import health
from asp_telemetry.dashboard.pages.live import live
from asp_telemetry.dashboard.pages.overview import overview
from asp_telemetry.dashboard.pages.patterns import patterns
from asp_telemetry.dashboard.pages.routing import routing
from asp_telemetry.dashboard.pages.task import task
from asp_telemetry.dashboard.pages.tasks import tasks
from asp_telemetry.dashboard.pages.trace import trace
from asp_telemetry.dashboard.pages.traces import traces
from asp_telemetry.dashboard.security import Guarded, KnownHosts, ReadOnly, SecureHeaders
from asp_telemetry.dashboard.trouble import HANDLERS, Unexpected
from asp_telemetry.database_url import absolute_database, destination_of
from asp_telemetry.serving.token import Token

_STATIC: Final = Path(__file__).parent / "static"
ROUTES: Final[tuple[BaseRoute, ...]] = (
    Route("/", overview, name="overview"),
    Route("/live", live, name="live"),
    Route("/choices/{name}", choices, name="choices"),
    Route("/agents", agents, name="agents"),
    # Roles and ids of tasks may have slashes.
    Route("/agents/{role:path}", agent, name="agent"),
    Route("/tasks", tasks, name="tasks"),
    Route("/tasks/{task_id:path}", task, name="task"),
    Route("/defects", defects, name="defects"),
    Route("/estimation", estimation, name="estimation"),
    Route("/bootstrap", bootstrap, name="bootstrap"),
    Route("/routing", routing, name="routing"),
    Route("/patterns", patterns, name="patterns"),
    Route("/traces", traces, name="traces"),
    Route("/traces/{id}", trace, name="trace"),
    Route("/healthz", health, name="health"),
    Mount("/static", StaticFiles(directory=_STATIC), name="static"),
)


def create_app(url: str, *, hosts: Collection[str] = (), token: Token | None = None) -> Starlette:
    """Build the dashboard of a database.

    Args:
        url: The database; it need not exist yet, and is only ever read.
        hosts: The names beside those of the loopback device under which it may be asked; `"*"` for all.
        token: What browsers have to show; without one nobody but this machine may reach the application.

    Returns:
        The application, for any ASGI server.

    Raises:
        ConfigurationError: If the URL cannot be used, or its driver is not installed.

    Example:
        >>> create_app("sqlite:////tmp/a.db").state.destination
        'sqlite:////tmp/a.db'
    """
    database = absolute_database(url)
    readers = Readers(database)

    @asynccontextmanager
    async def connected(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await readers.close()

    middleware = [Middleware(SecureHeaders), Middleware(KnownHosts, hosts), Middleware(ReadOnly)]
    if token is not None:
        middleware.append(Middleware(Guarded, token))
    app = Starlette(
        routes=ROUTES,
        middleware=[*middleware, Middleware(Unexpected)],
        exception_handlers=HANDLERS,
        lifespan=connected,
    )
    app.state.readers = readers
    app.state.destination = destination_of(database)
    return app
