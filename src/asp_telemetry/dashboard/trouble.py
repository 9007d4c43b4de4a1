"""Turns what goes wrong into pages that say what to do, in the common frame."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from asp_telemetry import guard
from asp_telemetry.dashboard.rendering import render
from asp_telemetry.errors import (
    ConfigurationError,
    MigrationError,
    NotRecordedError,
    StoreUnavailableError,
)


def _page(request: Request, status: int, title: str, sentence: str) -> Response:
    return render(request, "trouble.html", title=title, status=status, sentence=sentence)


async def _misasked(request: Request, error: Exception) -> Response:
    return _page(request, 400, "That cannot be asked", str(error))


async def _unknown(request: Request, error: Exception) -> Response:
    return _page(request, 404, "Not recorded", str(error))


async def _unavailable(request: Request, error: Exception) -> Response:
    return _page(request, 503, "The database does not answer", str(error))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _page(request, 404, "No such page", f"There is no page {request.url.path}; choose one above.")
    return _page(request, error.status_code, "That did not work", error.detail)


HANDLERS: Final[Mapping[Any, Any]] = {
    ConfigurationError: _misasked,
    NotRecordedError: _unknown,
    StoreUnavailableError: _unavailable,
    MigrationError: _unavailable,
    HTTPException: _refused,
}
"""What Starlette calls for which exception."""


class Unexpected:
    """Answer with a page where a page has failed.

    Not a handler of Starlette's: that one stands outside of the middleware, and its answers would lack the headers.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            if scope["type"] != "http":
                raise
            guard.note("a page of the dashboard failed", error, "please report it")
            sentence = f"An unexpected {type(error).__name__}; the terminal of the dashboard says more. Please report it."
            await _page(Request(scope), 500, "That did not work", sentence)(scope, receive, send)
