"""Charts in a real browser: each kind is drawn, in both schemes, with its units, and runs nothing that names bring along."""

from collections.abc import Iterator
from typing import Any

import pytest
from chart_page import CHARTS, HOSTILE, chart_page
from playwright.async_api import Page
from serving_pages import served

from browser import looks_at_pages

pytestmark = looks_at_pages

# How many colours a canvas shows: one that nothing was drawn on shows one. A copy is read, as the browser warns of more.
COLOURS = """(canvas) => {
  const brush = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  brush.drawImage(canvas, 0, 0);
  return new Set(new Uint32Array(brush.getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size;
}"""
OPTIONS = "(canvas) => { const chart = Chart.getChart(canvas); return {%s}; }"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(chart_page()) as found:
        yield found


async def of_chart(page: Page, name: str, values: str) -> dict[str, Any]:
    """Ask the chart of a figure."""
    return await page.locator(f"#{name} canvas").evaluate(OPTIONS % values)


async def prefer(page: Page, **preferences: Any) -> None:
    """Change what the user prefers, and wait for the frame in which pages are told of it."""
    await page.emulate_media(**preferences)
    await page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


@pytest.mark.parametrize("name", CHARTS)
async def test_each_kind_is_drawn_in_both_schemes(page: Page, address: str, name: str) -> None:
    """A chart has lines and words in either scheme, follows when it changes, and says in words what it shows."""
    await page.goto(address)
    canvas = page.locator(f"#{name} canvas")
    hues = {}
    for scheme in ("light", "dark"):
        await prefer(page, color_scheme=scheme)
        assert await canvas.evaluate(COLOURS) > 10
        found = await of_chart(page, name, "text: chart.options.plugins.legend.labels.color")
        hues[scheme] = found["text"]
    assert hues["light"] != hues["dark"]
    assert await page.get_by_role("img", name=CHARTS[name].summary, exact=True).count() == 1


async def test_axes_and_values_have_units(page: Page, address: str) -> None:
    """Money, shares, tokens and times are told as people write them."""
    await page.goto(address)
    titles = "x: chart.scales.x.options.title.text, y: chart.scales.y.options.title.text"
    assert await of_chart(page, "line", titles) == {"x": "Day", "y": "Cost (USD)"}
    assert await of_chart(page, "bar", titles) == {"x": "Agent", "y": "Error rate (%)"}
    assert await of_chart(page, "lying", titles) == {"x": "Tokens", "y": "Agent"}
    assert await of_chart(page, "pareto", titles) == {"x": "Type", "y": "Defects"}
    ticks = (
        "y: chart.scales.y.ticks.map((tick) => tick.label), x: chart.scales.x.ticks.map((tick) => tick.label)"
    )
    assert "$10" in (await of_chart(page, "line", ticks))["y"]
    assert "20 %" in (await of_chart(page, "bar", ticks))["y"]
    assert "1 M" in (await of_chart(page, "lying", ticks))["x"]
    assert "10 s" in (await of_chart(page, "fit", ticks))["y"]


async def test_names_are_drawn_not_run(page: Page, address: str) -> None:
    """A series or label that looks like a script is words in the picture."""
    await page.goto(address)
    labels = await of_chart(page, "pareto", "labels: chart.data.labels")
    assert labels["labels"][0] == HOSTILE
    assert await page.locator("script:not([src]):not([type])").count() == 0


async def test_charts_fit_a_narrow_window(page: Page, address: str) -> None:
    """Nothing has to be scrolled sideways on a telephone."""
    await page.set_viewport_size({"width": 400, "height": 800})
    await page.goto(address)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 400


async def test_nothing_moves_for_those_who_ask_for_it(page: Page, address: str) -> None:
    """Charts stand still where motion is not wanted, and may move elsewhere."""
    await page.goto(address)
    assert (await of_chart(page, "line", "moves: chart.options.animation"))["moves"] is False
    await prefer(page, reduced_motion="no-preference")
    assert (await of_chart(page, "line", "moves: chart.options.animation"))["moves"] is not False
