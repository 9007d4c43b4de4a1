"""Debian's Chromium for tests, driven by Playwright: a page fails its test on whatever the browser's console complains of.

Another one is tested by naming its program: `ASP_TEST_CHROMIUM=/usr/bin/google-chrome`. All fixtures and tests that look
at pages run in the session's event loop, since one browser serves them all: mark them with `looks_at_pages`. Synchronous
fixtures prepare the databases before.
"""

import os
import shutil
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright

# Nothing but the test's own server is reached, neither by pages nor by the browser itself.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
LOOPBACK = {"127.0.0.1", "localhost"}
# What a policy forbids is told by an event as well; some violations, such as those of reports, reach no console.
TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""

looks_at_pages = pytest.mark.asyncio(loop_scope="session")


def program() -> str | None:
    """Return the path of the browser, or None where there is none."""
    named = os.environ.get("ASP_TEST_CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Start the session's browser; without one this fails in CI and skips elsewhere."""
    path = program()
    if path is None:
        reason = "chromium is not installed (Debian: apt-get install chromium), so no page was looked at"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        await browser.close()


class Complaints:
    """Take down what is wrong with the pages of a test; answers that a test expects are let pass by their status."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._expected: list[str] = []

    def expect(self, status: int) -> None:
        """Let the console tell that a page was answered with an error, as the browser does by itself."""
        self._expected.append(f"the server responded with a status of {status}")
        # htmx says so in its own words as well.
        self._expected.append(f"Response Status Error Code {status} from")

    def expect_silence(self) -> None:
        """Let the console tell that nobody answers any more, as browser and htmx do."""
        self._expected += ["net::ERR_CONNECTION_REFUSED", "htmx:afterRequest", "htmx:sendError"]

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.told.append(f"page error: {error}"))
        page.on("request", self._request)
        page.on("requestfailed", self._failed)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(text in message.text for text in self._expected):
            self.told.append(f"console {message.type}: {message.text} ({message.location.get('url')})")

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in {"data", "blob"} and address.hostname not in LOOPBACK:
            self.told.append(f"request to another host: {request.url}")

    def _failed(self, request: Request) -> None:
        # A page that is left ends the requests that it was waiting for.
        if request.failure not in {"net::ERR_ABORTED", *self._expected}:
            self.told.append(f"request failed: {request.url} {request.failure}")


@pytest.fixture
def complaints() -> Complaints:
    """Collect what the browser complains of, for `page`."""
    return Complaints()


@pytest_asyncio.fixture(loop_scope="session")
async def browsing(chromium: Browser) -> AsyncIterator[BrowserContext]:
    """Begin without cookies and cache, 1280 x 800, light, without motion."""
    context = await chromium.new_context(
        viewport={"width": 1280, "height": 800}, color_scheme="light", reduced_motion="reduce"
    )
    await context.add_init_script(TELL_VIOLATIONS)
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browsing: BrowserContext, complaints: Complaints) -> AsyncIterator[Page]:
    """Open a page; console errors, page errors, violations of the policy and requests to other hosts fail the test."""
    page = await browsing.new_page()
    page.set_default_timeout(20_000)
    complaints.watch(page)
    yield page
    await page.close()
    assert complaints.told == []
