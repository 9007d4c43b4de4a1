"""Keeps strangers out, one small ASGI middleware for each way in.

Refusals are short pages of text. The order is that of `app.py`: headers for every answer, then the name that was asked
for, then the method, then the token.
"""

import re
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asp_telemetry.dashboard.rendering import plain_page
from asp_telemetry.serving.token import Token, is_loopback

ANY_HOST: Final = "*"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# A host and perhaps a port: https://www.rfc-editor.org/rfc/rfc9110#section-7.2
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
_PARAMETER: Final = "token"


class SecureHeaders:
    """Add to every answer what tells the browser to run nothing foreign, and to keep no page.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                # Files are asked for again by their ETag; what was recorded is not left lying in a cache.
                headers["Cache-Control"] = "no-cache" if scope["path"].startswith("/static/") else "no-store"
            await send(message)

        await self._app(scope, receive, with_headers)


class KnownHosts:
    """Refuse requests that were meant for another name: so a page of a stranger whose name points here reads nothing.

    It is called DNS rebinding: https://en.wikipedia.org/wiki/DNS_rebinding

    Args:
        app: What answers.
        hosts: The names beside those of the loopback device; `ANY_HOST` for all, which only a token makes safe.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = {host.strip("[]").lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, if the name is known."""
        if scope["type"] == "http" and (refusal := self._refusal(Headers(scope=scope).getlist("host"))):
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, named: list[str]) -> Response | None:
        found = _HOST.fullmatch(named[0]) if len(named) == 1 else None
        if found is None:
            return PlainTextResponse("The request names no host.\n", 400)
        name = found[1].strip("[]").lower()
        if is_loopback(name) or name in self._hosts or ANY_HOST in self._hosts:
            return None
        return PlainTextResponse(
            "This dashboard does not answer to that name. Open it as http://localhost with the same port.\n",
            421,
        )


class ReadOnly:
    """Refuse every method that could ask for a change.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer GET and HEAD, over HTTP alone."""
        if scope["type"] == "http" and scope["method"] not in {"GET", "HEAD"}:
            refusal = PlainTextResponse("The dashboard can only be read.\n", 405, {"Allow": "GET, HEAD"})
            await refusal(scope, receive, send)
        elif scope["type"] != "websocket":
            await self._app(scope, receive, send)


class Guarded:
    """Ask everybody for the token: as `Authorization: Bearer`, or once as `?token=`, which becomes a cookie.

    Args:
        app: What answers.
        token: The token.
    """

    def __init__(self, app: ASGIApp, token: Token) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, if the token was shown."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        shown = [value for name, value in query if name == _PARAMETER]
        if shown and self._token.is_text(shown[-1]):
            await self._welcome(scope, query)(scope, receive, send)
        elif not shown and self._knows(headers, _cookie_name(scope)):
            await self._app(scope, receive, send)
        else:
            page = plain_page("locked.html", 401, wrong=bool(shown), path=_local(scope["path"]))
            page.headers["WWW-Authenticate"] = "Bearer"
            await page(scope, receive, send)

    def _knows(self, headers: Headers, cookie_name: str) -> bool:
        if self._token.fits(headers.get("authorization", "").encode("latin-1")):
            return True
        try:
            cookies: SimpleCookie = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        return cookie_name in cookies and self._token.is_pass(cookies[cookie_name].value)

    def _welcome(self, scope: Scope, query: list[tuple[str, str]]) -> Response:
        """Let the browser keep a pass instead of the token, and take the token out of its history."""
        rest = urlencode([(name, value) for name, value in query if name != _PARAMETER])
        answer = RedirectResponse(_local(scope["path"]) + (f"?{rest}" if rest else ""), 303)
        answer.set_cookie(
            _cookie_name(scope),
            self._token.as_pass(),
            path="/",
            httponly=True,
            samesite="strict",
            secure=scope["scheme"] == "https",
        )
        return answer


def _local(path: str) -> str:
    """Return a path as a redirect that cannot lead to another host: two slashes in front would name one."""
    return quote("/" + path.lstrip("/\\"))


def _cookie_name(scope: Scope) -> str:
    """Return a name with the port: cookies of one host are sent to all its ports."""
    server = scope.get("server")
    return f"asp_dashboard_{server[1] if server else 0}"
