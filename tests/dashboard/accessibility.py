"""Asks axe-core what on a page keeps people with a keyboard, a screen reader or weak eyes out."""

from pathlib import Path

from playwright.async_api import Page

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


async def barriers(page: Page, *rules: str) -> list[str]:
    """Return what violates a rule of WCAG 2.2 AA, or the habits of accessible pages: rule, reason, place.

    Args:
        page: A page of a context that has `AXE` as its init script, which the page's own policy does not concern.
        *rules: Some rules by their names instead of all.
    """
    # Behind a text over a picture axe-core finds no colour: the shades of wide tables would hide what it should measure.
    await page.locator(".scroll").evaluate_all(
        '(all) => all.forEach((one) => { one.style.background = "none"; })'
    )
    found = await page.evaluate(
        '(only) => axe.run({runOnly: only, resultTypes: ["violations"]})', list(rules or RULES)
    )
    assert found["passes"], "axe-core has not looked at the page"
    return [
        f"{rule['id']}: {rule['help']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
