"""Every page in a real browser: nothing complains, everybody can use it, names are text, and it is live."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from accessibility import AXE, barriers
from playwright.async_api import Browser, BrowserContext, Page, expect
from serving_pages import served
from sites import HOSTILE, PARTS, Site, make_hostile, site

from asp_telemetry.cli.app import run
from asp_telemetry.dashboard.app import ROUTES, create_app
from asp_telemetry.upkeep import open_upkeep
from browser import Complaints, looks_at_pages

pytestmark = looks_at_pages

PAGES = [route.name for route in ROUTES if route.name not in PARTS]  # type: ignore[attr-defined]
NAMELESS = {"bootstrap"}
"""Pages that show no names of the user's."""
WIDEST = "document.documentElement.scrollWidth"


@pytest.fixture(scope="module")
def sample_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the sample data."""
    path = tmp_path_factory.mktemp("sample") / "sample.db"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ASP_JOURNAL_DIR", str(path.parent / "journals"))
        assert run(["init", "--with-sample-data", "--database", f"sqlite:///{path}"]) == 0
    return path


@pytest.fixture(scope="module")
def sample_site(sample_database: Path) -> Iterator[Site]:
    """Serve the sample data."""
    with site(sample_database) as found:
        yield found


@pytest.fixture(scope="module")
def hostile_site(sample_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve the sample data with a script in front of each name."""
    path = tmp_path_factory.mktemp("hostile") / "hostile.db"
    make_hostile(sample_database, path)
    with site(path) as found:
        yield found


async def test_sample_data_leaves_no_page_empty(page: Page, sample_site: Site) -> None:
    """Who looks around in the sample data finds something on every page."""
    for name, path in sample_site.paths.items():
        await page.goto(sample_site.address + path)
        shown = page.locator("main table tbody tr, main canvas")
        assert await shown.count() > 0, name


async def fits(page: Page, width: int) -> None:
    """Wait until nothing is wider than the window: charts follow a little later."""
    for _ in range(100):
        if await page.evaluate(WIDEST) <= width:
            return
        await page.wait_for_timeout(50)
    pytest.fail(f"{page.url} is {await page.evaluate(WIDEST)} pixels wide in a window of {width}")


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_loads_in_either_scheme_and_on_a_telephone(
    page: Page, sample_site: Site, name: str
) -> None:
    """A page has one heading of the first order, says where one is, and needs no scrolling sideways at 400 pixels."""
    answer = await page.goto(sample_site.address + sample_site.paths[name])
    assert answer is not None
    assert answer.status == 200
    assert await page.locator("h1").count() == 1
    assert await page.locator("nav a[aria-current=page]").count() == 1
    for scheme, width in (("light", 1280), ("dark", 1280), ("light", 400), ("dark", 400)):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await page.set_viewport_size({"width": width, "height": 800})
        await fits(page, width)
    for chart in await page.locator("figure.chart").all():
        assert "chart-drawn" in (await chart.get_attribute("class") or "")
        assert await chart.locator("details table").count() == 1


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_keeps_nobody_out(
    browsing: BrowserContext, page: Page, sample_site: Site, name: str
) -> None:
    """Axe-core finds no violation of WCAG 2.2 AA on a page, and enough contrast in the dark scheme, too."""
    await browsing.add_init_script(path=AXE)
    await page.goto(sample_site.address + sample_site.paths[name])
    # What is folded up is read, too; of long tables the first rows tell.
    await page.locator("details").evaluate_all("(all) => all.forEach((one) => { one.open = true; })")
    await page.locator("tbody tr:nth-child(n + 9)").evaluate_all(
        "(all) => all.forEach((row) => row.remove())"
    )
    assert await barriers(page) == []
    await page.emulate_media(color_scheme="dark")
    assert await barriers(page, "color-contrast") == []


@pytest.mark.parametrize("name", PAGES)
async def test_the_keyboard_reaches_everything(page: Page, sample_site: Site, name: str) -> None:
    """Tab alone leads to the content, every page, every filter and the rows, and the focus is seen."""
    await page.goto(sample_site.address + sample_site.paths[name])
    await page.keyboard.press("Tab")
    skip = page.locator(":focus")
    assert await skip.inner_text() == "Skip to the content"
    await expect(skip).to_be_in_viewport()
    wanted = await page.locator("nav a, main form :is(input:not([type=hidden]), select, button)").count()
    wanted_links = await page.locator("main tbody a").count()
    reached, links = set(), 0
    for _ in range(wanted + wanted_links + 60):
        await page.keyboard.press("Tab")
        where = await page.evaluate(
            """() => { const one = document.activeElement, style = getComputedStyle(one);
            return [one.matches("nav a, main form *"), one.matches("main tbody a"),
              [...document.querySelectorAll("*")].indexOf(one), style.outlineStyle !== "none" && style.outlineWidth !== "0px",
              one.tagName]; }"""
        )
        if where[4] in {"BODY", "HTML"}:
            break
        assert where[3], f"no focus to be seen on {where[4]}"
        if where[0]:
            reached.add(where[2])
        links += where[1]
        if len(reached) >= wanted and links >= min(wanted_links, 5):
            break
    assert len(reached) == wanted
    assert links >= min(wanted_links, 5)


@pytest.mark.parametrize("name", PAGES)
async def test_pages_work_without_scripts(
    chromium: Browser, sample_site: Site, complaints: Complaints, name: str
) -> None:
    """With JavaScript off a page has its numbers all the same, in tables."""
    context = await chromium.new_context(java_script_enabled=False)
    page = await context.new_page()
    complaints.watch(page)
    await page.goto(sample_site.address + sample_site.paths[name])
    await expect(page.locator("h1")).to_be_visible()
    for summary in await page.locator("figure.chart summary").all():
        await summary.click()
    for table in await page.locator("figure.chart table").all():
        await expect(table).to_be_visible()
    await context.close()
    assert complaints.told == []


async def test_filters_change_the_address_and_the_numbers(page: Page, sample_site: Site) -> None:
    """Choosing a role narrows the page, the address says so, and the other pages are narrowed too."""
    await page.goto(sample_site.address)
    cost = page.locator(".tile", has_text="Cost").first.locator(".value")
    everything = await cost.inner_text()
    await page.get_by_role("combobox", name="Agent role").fill("Planning")
    await page.get_by_role("combobox", name="Time").select_option("90")
    await page.get_by_role("button", name="Show").click()
    assert parse_qs(urlsplit(page.url).query) == {"days": ["90"], "role": ["Planning"]}
    assert await cost.inner_text() != everything
    assert await page.get_by_role("combobox", name="Agent role").input_value() == "Planning"
    await page.get_by_role("navigation").get_by_role("link", name="Traces").click()
    assert parse_qs(urlsplit(page.url).query) == {"days": ["90"], "role": ["Planning"]}
    await page.get_by_role("combobox", name="Agent role").fill("")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(r"days=90&.*role=(&|$)"))
    assert parse_qs(urlsplit(page.url).query) == {"days": ["90"]}


AGENT = """
import sys
import time

import asp_telemetry as asp

asp.configure(sys.argv[1], auto_migrate=True)
with asp.span("long work", kind="agent", agent_role="<i>Live</i>"):
    print("begun", flush=True)
    sys.stdin.readline()
assert asp.flush(timeout=20).complete
print("ended", flush=True)
"""


@pytest.fixture
def live_site(tmp_path: Path) -> Iterator[Site]:
    """Serve a database without a record."""
    url = f"sqlite:///{tmp_path}/live.db"

    async def make() -> None:
        await open_upkeep(url).make()

    asyncio.run(make())
    with served(create_app(url)) as address:
        yield Site(address, url, {})


@contextmanager
def agent_at_work(url: str, journals: Path) -> Iterator[subprocess.Popen[str]]:
    """Run an agent in a process of its own; a line on its standard input lets it end."""
    agent = subprocess.Popen(
        [sys.executable, "-c", AGENT, url],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "ASP_JOURNAL_DIR": str(journals)},
    )  # fmt: skip
    try:
        yield agent
    finally:
        agent.kill()
        agent.communicate()


async def test_live_rows_come_and_go(page: Page, live_site: Site, tmp_path: Path) -> None:
    """What an agent in another process runs appears by itself while it runs, and goes when it ends."""
    await page.goto(live_site.address)
    await expect(page.locator("#live")).to_contain_text("Nothing is running")
    with agent_at_work(live_site.database, tmp_path / "journals") as agent:
        row = page.locator("#live tbody tr")
        await expect(row).to_contain_text("long work", timeout=30_000)
        await expect(row).to_contain_text("<i>Live</i>")
        assert agent.stdin is not None
        agent.stdin.write("\n")
        agent.stdin.flush()
        await expect(page.locator("#live")).to_contain_text("Nothing is running", timeout=30_000)
        assert agent.wait(30) == 0


async def test_what_was_live_stays_when_nobody_answers(
    page: Page, sample_database: Path, complaints: Complaints
) -> None:
    """A dashboard that has been stopped leaves its last state on the page, which says since when it is old."""
    complaints.expect_silence()
    with site(sample_database) as gone:
        await page.goto(gone.address)
        before = await page.locator("#live").inner_text()
    await expect(page.locator("#live-state")).to_contain_text("Not read anew since 20")
    assert await page.locator("#live").inner_text() == before


async def test_names_are_text_on_every_page(page: Page, hostile_site: Site) -> None:
    """A project, role, task, model, user, error or component that is named like a script is shown as it is written.

    Such long names do not widen the page on a telephone, either.
    """
    page.on("dialog", lambda dialog: pytest.fail(f"a name was run: {dialog.message}"))
    unseen = []
    for name, path in hostile_site.paths.items():
        answer = await page.goto(hostile_site.address + path)
        assert answer is not None
        assert answer.status == 200, (name, path)
        assert await page.locator("script:not([src]):not([type='application/json'])").count() == 0, name
        await page.locator("details").evaluate_all("(all) => all.forEach((one) => { one.open = true; })")
        if HOSTILE not in await page.locator("main").inner_text():
            unseen.append(name)
        await page.set_viewport_size({"width": 400, "height": 800})
        await fits(page, 400)
    assert unseen == [name for name in PAGES if name in NAMELESS]
