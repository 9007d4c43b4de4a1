"""Asks a dashboard over real HTTP, as a browser, a program or a stranger would."""

import html
import http.client
import re
from typing import NamedTuple
from urllib.parse import urlsplit


class Answer(NamedTuple):
    """Be what a server has answered; names of headers are in small letters."""

    status: int
    headers: dict[str, str]
    text: str


class Dashboard:
    """Ask one dashboard."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.port = urlsplit(base).port

    def get(self, path: str = "/", *, method: str = "GET", host: str | None = None, **headers: str) -> Answer:
        """Ask for a path as it stands, under any name, with any headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", f"127.0.0.1:{self.port}" if host is None else host)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        found = connection.getresponse()
        text = found.read().decode()
        connection.close()
        return Answer(found.status, {name.lower(): value for name, value in found.getheaders()}, text)


def words(text: str) -> str:
    """Return what a page says, without its markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())
