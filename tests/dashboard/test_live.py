"""The live rows in a real browser: they outlast a failure, keep the focus, and do not chatter."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Page, expect
from serving_pages import served

from asp_telemetry.analytics import Analytics
from asp_telemetry.dashboard.app import create_app
from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.upkeep import open_upkeep
from browser import Complaints, looks_at_pages
from databases import AnyDatabase

pytestmark = looks_at_pages


# Tests name it before `page`, which is then closed before the server: a browser asks for a page's icon whenever it likes.
@pytest.fixture
def address(sqlite_database: AnyDatabase) -> Iterator[str]:
    """Serve a database in which one execution is under way."""
    asyncio.run(open_upkeep(sqlite_database.url).make())
    sqlite_database.run(
        "INSERT INTO execution_traces (correlation_id, root_id, session_id, source, kind, name, started_at, status) VALUES "
        "('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000001', 's', 'agent_delegation', 'agent', "
        "'long work', strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'in_progress');"
    )
    with served(create_app(sqlite_database.url)) as at:
        yield at


async def test_live_rows_outlast_a_failure(
    address: str, page: Page, complaints: Complaints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the database does not answer the last rows stay, the page says since when, and goes on by itself."""
    complaints.expect(503)
    await page.goto(address)
    row = page.locator("#live tbody tr")
    await expect(row).to_contain_text("long work")

    async def unavailable(*_: Any, **__: Any) -> None:
        raise StoreUnavailableError("it is being restarted; wait a moment")

    with monkeypatch.context() as failing:
        failing.setattr(Analytics, "running", unavailable)
        state = page.locator("#live-state")
        await expect(state).to_contain_text("Not read anew since 20")
        told = await state.inner_text()
        async with page.expect_response("**/live"):
            pass
        assert await state.inner_text() == told
        await expect(row).to_contain_text("long work")
    await expect(state).to_be_empty()


async def test_the_focus_stays_where_it_is(address: str, page: Page) -> None:
    """Who stands on a row with the keyboard still stands there when the rows have been read anew."""
    await page.goto(address)
    link = page.get_by_role("link", name="long work")
    await link.focus()
    for _ in range(2):
        async with page.expect_response("**/live"):
            pass
        await expect(link).to_be_focused()


async def test_screen_readers_are_told_changes_alone(address: str, page: Page) -> None:
    """What has not changed is not read out every two seconds."""
    await page.goto(address)
    told = page.locator("#live-told")
    await expect(told).to_have_text("1 execution is running.")
    await told.evaluate(
        "(place) => { window.said = 0; new MutationObserver(() => window.said++).observe(place, {childList: true, "
        "characterData: true, subtree: true}); }"
    )
    for _ in range(2):
        async with page.expect_response("**/live"):
            pass
    assert await page.evaluate("window.said") == 0
