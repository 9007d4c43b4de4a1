"""Names that the fields of the filters suggest: those of the time, as text, and asked for only by who goes to a field."""

import asyncio
import html
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from asking_pages import Dashboard
from playwright.async_api import Page, expect
from serving_pages import served
from sites import HOSTILE

from asp_telemetry.analytics import Analytics
from asp_telemetry.dashboard.app import create_app
from asp_telemetry.dashboard.pages.choices import SUGGESTED
from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.upkeep import open_upkeep
from browser import Complaints, looks_at_pages
from databases import SAMPLE_END, AnyDatabase

Start = Callable[..., Dashboard]
PERIOD = "since=2026-11-01&until=2026-11-19"
FIELDS = {"project": "Project", "role": "Agent role", "model": "Model", "user": "User"}


def spend(database: AnyDatabase, roles: list[str]) -> None:
    """Record a cost of each role, the dearest first."""
    moment = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}{'' if database.is_sqlite else '+00'}"
    values = ", ".join(
        f"('{moment}', 'T', '{role}', 'API_Cost', {len(roles) - place}, 'usd')"
        for place, role in enumerate(roles)
    )
    database.run(
        "INSERT INTO agent_cost_vector (timestamp, task_id, agent_role, metric_type, metric_value, metric_unit) "
        f"VALUES {values};"
    )


def options(text: str) -> list[str]:
    """Return the values of options."""
    return [html.unescape(value) for value in re.findall(r'<option value="([^"]*)"></option>', text)]


@pytest.mark.parametrize(
    ("name", "question", "column"),
    [
        ("project", "cost_by_project", "project_id"),
        ("role", "cost_by_agent_role", "agent_role"),
        ("model", "cost_by_model", "model"),
        ("user", "cost_by_user", "user_id"),
    ],
)
def test_names_are_those_of_the_time(
    sample_database: AnyDatabase, dashboard: Start, name: str, question: str, column: str
) -> None:
    """What was recorded in the time is suggested, the dearest first and each once, whatever else the form says."""
    within = {"since": SAMPLE_END.replace(day=1, hour=0, minute=0), "until": SAMPLE_END.replace(day=19, hour=0, minute=0)}  # fmt: skip
    with Analytics.sync(sample_database.url) as ask:
        found = [getattr(row, column) for row in getattr(ask, question)(**within)]
    asked = dashboard(sample_database.url)
    suggested = options(
        asked.get(f"/choices/{name}?{PERIOD}&project=None&role=of&user=these&complexity=x").text
    )
    assert suggested == list(dict.fromkeys(one for one in found if one))
    assert len(suggested) >= 2
    assert options(asked.get(f"/choices/{name}?since=2020-01-01&until=2020-01-02").text) == []


@pytest.mark.parametrize(("path", "status"), [("/choices/task", 404), ("/choices/role?days=never", 400)])
def test_what_there_is_not_suggests_nothing(
    sample_database: AnyDatabase, dashboard: Start, path: str, status: int
) -> None:
    """A field or a time that makes no sense is answered with an error, which the browser shows nowhere."""
    assert dashboard(sample_database.url).get(path).status == status


def test_names_are_escaped_and_limited(any_database: AnyDatabase, dashboard: Start) -> None:
    """A name like markup is a text, and of very many names the dearest are suggested."""
    asyncio.run(open_upkeep(any_database.url).make())
    spend(any_database, [HOSTILE, *(f"role {number:03}" for number in range(SUGGESTED))])
    text = dashboard(any_database.url).get("/choices/role").text
    assert "<script" not in text
    assert options(text) == [HOSTILE, *(f"role {number:03}" for number in range(SUGGESTED - 1))]


def test_a_page_asks_for_no_names(sample_database: AnyDatabase, dashboard: Start) -> None:
    """The form comes with empty lists, so that pages cost nothing more, and is a plain form without JavaScript."""
    answer = dashboard(sample_database.url).get("/?role=Code")
    assert options(answer.text) == []
    for name in FIELDS:
        assert f'<datalist id="{name}-choices"></datalist>' in answer.text
    assert '<input name="role" value="Code"' in answer.text


# Tests name it before `page`, which is then closed before the server: a browser asks for a page's icon whenever it likes.
@pytest.fixture
def address(sqlite_database: AnyDatabase) -> Iterator[str]:
    """Serve a database with two roles, one of them named like markup."""
    asyncio.run(open_upkeep(sqlite_database.url).make())
    spend(sqlite_database, ["Code", HOSTILE])
    with served(create_app(sqlite_database.url)) as at:
        yield at


@looks_at_pages
async def test_a_field_asks_once_when_somebody_goes_to_it(address: str, page: Page) -> None:
    """The first focus brings the names of the time that the form says; no field asks twice, or before."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/choices/" in request.url else None)
    await page.goto(address)
    await page.get_by_role("combobox", name="Time").select_option("7")
    assert asked == []
    field = page.get_by_role("combobox", name="Agent role")
    for _ in range(2):
        await field.focus()
        await expect(page.locator("#role-choices option")).to_have_count(2)
        await page.get_by_role("combobox", name="Project").focus()
    values = await page.locator("#role-choices option").evaluate_all("(all) => all.map((one) => one.value)")
    assert values == ["Code", HOSTILE]
    assert [urlsplit(url).path for url in asked] == ["/choices/role", "/choices/project"]
    assert parse_qs(urlsplit(asked[0]).query)["days"] == ["7"]
    await field.fill(HOSTILE)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**role=*")
    assert await field.input_value() == HOSTILE


@looks_at_pages
async def test_a_failure_leaves_the_field_as_it_is(
    address: str, page: Page, complaints: Complaints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the database does not answer one writes a name oneself."""
    complaints.expect(503)

    async def unavailable(*_: Any, **__: Any) -> None:
        raise StoreUnavailableError("it is being restarted; wait a moment")

    await page.goto(address)
    field = page.get_by_role("combobox", name="Agent role")
    with monkeypatch.context() as failing:
        failing.setattr(Analytics, "_ask", unavailable)
        async with page.expect_response("**/choices/role*") as answer:
            await field.focus()
        assert (await answer.value).status == 503
    await expect(page.locator("#role-choices")).to_be_empty()
    await field.fill("Code")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**role=Code*")
