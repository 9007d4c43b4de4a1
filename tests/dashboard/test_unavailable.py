"""A database that is not there, not made, or does not answer: every page says what to do, and works once it is there."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from asking_pages import Dashboard, words
from sites import PARTS

from asp_telemetry.dashboard.app import ROUTES
from asp_telemetry.database_url import sqlite_path
from asp_telemetry.upkeep import open_upkeep
from databases import AnyDatabase, make_with_example

sys.path.append(str(Path(__file__).parents[1] / "stores"))
from proxies import Proxy

Start = Callable[..., Dashboard]
PAGES = [
    route.path  # type: ignore[attr-defined]
    for route in ROUTES
    if route.name not in PARTS and "{" not in route.path  # type: ignore[attr-defined]
] + ["/agents/Code", "/tasks/TASK-1", "/traces/00000000-0000-0000-0000-000000000001"]  # fmt: skip


def refused(asked: Dashboard, sentence: str) -> None:
    """Hold that every page, and every part of one, says it with a 503."""
    for path in (*PAGES, "/live", "/choices/role", "/healthz"):
        answer = asked.get(path)
        assert answer.status == 503, path
        assert sentence in words(answer.text), path


def answered(asked: Dashboard) -> None:
    """Hold that every page works, and knows what is not recorded from what cannot be asked."""
    for path in (*PAGES, "/live", "/choices/role", "/healthz"):
        assert asked.get(path).status in {200, 404}, path
    assert asked.get("/").status == asked.get("/tasks").status == asked.get("/bootstrap").status == 200


def test_a_database_without_tables_says_how_to_make_them(any_database: AnyDatabase, dashboard: Start) -> None:
    """Before `migrate up`, and again after its tables were taken away, while the dashboard stays as it is."""
    upkeep = open_upkeep(any_database.url)
    asyncio.run(upkeep.make())
    asked = dashboard(any_database.url)
    for _ in range(2):
        asyncio.run(upkeep.down(to=0))
        refused(asked, "asp-telemetry migrate up")
        asyncio.run(upkeep.make())
        answered(asked)


def test_an_older_database_says_what_it_lacks(any_database: AnyDatabase, dashboard: Start) -> None:
    """Pages whose tables are missing say so; the others are shown."""
    upkeep = open_upkeep(any_database.url)
    asyncio.run(upkeep.make())
    asyncio.run(upkeep.down(to=3))
    asked = dashboard(any_database.url)
    answers = [asked.get(path) for path in PAGES]
    assert {answer.status for answer in answers} == {200, 404, 503}
    assert all("migrate up" in answer.text for answer in answers if answer.status == 503)
    asyncio.run(upkeep.make())
    answered(asked)


def test_a_file_that_is_replaced_is_shown_anew(sqlite_database: AnyDatabase, dashboard: Start) -> None:
    """Deleting the file is told; another one in its place is shown, not the one that is gone."""
    asked = dashboard(sqlite_database.url)
    path = sqlite_path(sqlite_database.url)
    refused(asked, "does not exist; record something first")
    path.write_bytes(b"no database at all" * 500)
    refused(asked, "is not a database")
    path.unlink()
    make_with_example(sqlite_database.url)
    answered(asked)
    assert asked.get("/tasks?days=all").text.count("/tasks/TASK-") > 0
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    refused(asked, "does not exist; record something first")
    asyncio.run(open_upkeep(sqlite_database.url).make())
    answered(asked)
    assert asked.get("/tasks?days=all").text.count("/tasks/TASK-") == 0


@pytest.fixture
def server(postgres_url: str) -> Iterator[tuple[Proxy, str]]:
    """Stand in front of the server as something that can go away."""
    port = urlsplit(postgres_url).port
    assert port is not None
    with Proxy("127.0.0.1", port) as proxy:
        yield proxy, postgres_url.replace(f":{port}", f":{proxy.port}")


def test_a_server_that_comes_back_is_asked_again(server: tuple[Proxy, str], dashboard: Start) -> None:
    """While the server is down pages say so; afterwards they are there again, without another start."""
    proxy, url = server
    make_with_example(url)
    proxy.mode = "refuse"
    asked = dashboard(url)
    refused(asked, "check that the server runs and the network reaches it")
    for _ in range(2):
        proxy.mode = "pass"
        answered(asked)
        proxy.mode = "refuse"
        proxy.drop()
        refused(asked, "check that the server runs and the network reaches it")
