"""Who may ask the dashboard, and for what: over real HTTP, on a real server."""

import re
from collections.abc import Callable
from http.cookies import SimpleCookie

import pytest
from asking_pages import Dashboard
from starlette.routing import Route

from asp_telemetry.dashboard.app import ROUTES
from asp_telemetry.dashboard.security import POLICY
from asp_telemetry.serving.token import Token
from databases import AnyDatabase, make_with_example

TOKEN = "correct-horse-battery-staple"
Start = Callable[..., Dashboard]
PLAIN = [route.path for route in ROUTES if isinstance(route, Route) and "{" not in route.path]


@pytest.fixture
def url(sqlite_database: AnyDatabase) -> str:
    """Make a database that holds the worked example."""
    make_with_example(sqlite_database.url)
    return sqlite_database.url


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.8.8.8:80", "[::1]", "[::1]:8555", "LOCALHOST:1"]
)
def test_names_of_this_machine_are_answered(dashboard: Start, url: str, host: str) -> None:
    """The page opens under every name of the loopback device, through a tunnel with another port as well."""
    assert dashboard(url).get(host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8555", "127.0.0.1.evil.example", "localhost.evil.example", "0.0.0.0", "192.168.1.2",
        "[::ffff:192.168.1.2]", "[::]", "evil.example@localhost", "localhost@evil.example", "localhost:8555:1", "",
        "localhost, evil.example", "localhost/", "[::1", "2130706433", "localhost.",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/live", "/healthz", "/static/live.js"])
def test_dns_rebinding_is_refused(dashboard: Start, url: str, host: str, path: str) -> None:
    """A stranger's page whose name points to this machine reads nothing, neither pages nor files."""
    answer = dashboard(url).get(path, host=host)
    assert answer.status in {400, 421}
    assert len(answer.text) < 200
    assert "Planning" not in answer.text


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "QUERY"]
)
def test_only_reading_is_answered(dashboard: Start, url: str, method: str) -> None:
    """No method that could ask for a change reaches a page."""
    asked = dashboard(url)
    for path in [*PLAIN, "/static/live.js", "/nowhere"]:
        answer = asked.get(path, method=method)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD"), path


def test_every_answer_is_guarded(dashboard: Start, url: str) -> None:
    """Pages, files, refusals and failures alike tell the browser to run nothing foreign and to keep no page."""
    open_one, locked = dashboard(url), dashboard(url, token=Token(TOKEN))
    answers = [
        *(open_one.get(path) for path in PLAIN),
        open_one.get("/static/dashboard.css"),
        open_one.get("/nowhere"),
        open_one.get("/static/nowhere"),
        open_one.get("/?days=never"),
        open_one.get(method="POST"),
        open_one.get(method="HEAD"),
        open_one.get(host="evil.example"),
        dashboard("sqlite:////nowhere/at/all.db").get(),
        locked.get(),
        locked.get(f"/?token={TOKEN}"),
    ]
    assert {answer.status for answer in answers} == {200, 303, 400, 401, 404, 405, 421, 503}
    for answer in answers:
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] in {"no-store", "no-cache"}
        assert "server" not in answer.headers


def test_a_page_that_fails_is_a_page(dashboard: Start, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw is a page that says so, with the headers of the others and without the failure's details."""

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the secret of the machine")

    monkeypatch.setattr("asp_telemetry.analytics.Analytics.cost_by_day", broken)
    answer = dashboard(url).get()
    assert answer.status == 500
    assert answer.headers["content-security-policy"] == POLICY
    assert "ZeroDivisionError" in answer.text
    assert "secret" not in answer.text


def test_nothing_in_a_page_needs_more_than_the_policy_allows(dashboard: Start, url: str) -> None:
    """Pages hold no script, no style and no handler of their own: the policy would stop them."""
    asked = dashboard(url)
    for path in PLAIN:
        text = asked.get(path).text
        assert not re.search(r"<style|\sstyle\s*=|\son[a-z]+\s*=|javascript:", text, re.IGNORECASE), path
        scripts = re.findall(r"<script([^>]*)>", text)
        assert all(' src="/static/' in found or 'type="application/json"' in found for found in scripts), path
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text), path


def test_a_token_opens_the_dashboard_once_and_for_all(dashboard: Start, url: str) -> None:
    """The token in the address becomes a cookie that scripts cannot read, and goes out of the address."""
    asked = dashboard(url, hosts=["*"], token=Token(TOKEN))
    welcome = asked.get(f"/?days=7&token={TOKEN}&role=Code", host="telemetry.example")
    assert (welcome.status, welcome.headers["location"]) == (303, "/?days=7&role=Code")
    [(name, cookie)] = SimpleCookie(welcome.headers["set-cookie"]).items()
    assert (cookie["httponly"], cookie["samesite"].lower(), cookie["path"]) == (True, "strict", "/")
    assert TOKEN not in cookie.value
    assert str(asked.port) in name
    assert asked.get(host="telemetry.example", Cookie=f"{name}={cookie.value}").status == 200
    assert asked.get("/live", Cookie=f"a=b; {name}={cookie.value}").status == 200
    assert asked.get(Cookie=f"{name}={cookie.value[:-1]}").status == 401
    assert asked.get(Cookie=f"{name}={TOKEN}").status == 401
    assert asked.get(Cookie='a;;="b').status == 401


def test_programs_show_the_token_in_a_header(dashboard: Start, url: str) -> None:
    """What asks without a browser sends the token as a bearer."""
    asked = dashboard(url, token=Token(TOKEN))
    assert asked.get("/healthz", Authorization=f"Bearer {TOKEN}").status == 200
    for wrong in ("Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer \xff"):
        assert asked.get("/healthz", Authorization=wrong).status == 401


@pytest.mark.parametrize(
    "path", ["/", "/live", "/healthz", "/static/live.js", "/nowhere", "/?token=", "/?token=x"]
)
def test_nothing_is_shown_without_the_token(dashboard: Start, url: str, path: str) -> None:
    """Who has no token, or a wrong one, gets a form to enter it and nothing else, and no cookie."""
    answer = dashboard(url, token=Token(TOKEN)).get(path)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "set-cookie" not in answer.headers
    assert 'name="token"' in answer.text
    assert "any.db" not in answer.text


@pytest.mark.parametrize(
    "path", ["//evil.example/", "/\\evil.example/", "//evil.example", "/%2F/evil.example"]
)
def test_a_welcome_leads_nowhere_else(dashboard: Start, url: str, path: str) -> None:
    """A link with a token cannot lead on to another host."""
    answer = dashboard(url, token=Token(TOKEN)).get(f"{path}?token={TOKEN}")
    assert answer.status == 303
    assert re.match(r"/[^/\\]", answer.headers["location"])


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/..%2fapp.py", "/static//etc/passwd", "/static/%2e%2e/app.py", "/static/", "/static/vendor"],
)  # fmt: skip
def test_files_are_those_of_the_dashboard(dashboard: Start, url: str, path: str) -> None:
    """No path leads out of the folder of static files, or lists it."""
    assert dashboard(url).get(path).status == 404
