"""Reads what a page shows: its tables by caption, the charts' descriptions, links, and what it says where it is empty."""

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any


@dataclass
class Shown:
    """Hold what a page shows.

    Attributes:
        tables: Rows by caption, each a dict of texts by heading.
        charts: What the charts are drawn from, by the id of their element.
        links: Where links lead, in order.
        empty: What stands in the place of what there is not.
        alerts: What is said as an alarm.
        heading: The heading of the first order.
    """

    tables: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    charts: dict[str, dict[str, Any]] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    heading: str = ""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.shown = Shown()
        self.text: list[str] = []
        self.caption = ""
        self.columns: list[str] = []
        self.cells: list[str] = []
        self.script: str | None = None
        self.within: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        if tag == "a":
            self.shown.links.append(named.get("href") or "")
        if tag == "table":
            self.columns = []
        if tag in {"caption", "th", "td", "h1"}:
            self.text = []
        if tag == "tr":
            self.cells = []
        if tag == "script" and named.get("type") == "application/json":
            self.script = named["id"]
        if named.get("role") == "alert" or named.get("class") == "empty":
            self.within.append(tag)
            self.text = []
            self.is_alert = named.get("role") == "alert"

    def handle_data(self, data: str) -> None:
        if self.script is not None:
            self.shown.charts[self.script] = json.loads(data)
        self.text.append(data)

    def handle_endtag(self, tag: str) -> None:
        told = " ".join("".join(self.text).split())
        if tag == "h1":
            self.shown.heading = told
        if tag == "script":
            self.script = None
        if tag == "caption":
            self.caption = told
            self.shown.tables.setdefault(told, [])
        if tag in {"th", "td"}:
            self.cells.append(told)
        if tag == "thead":
            self.columns = self.cells
        elif tag == "tr" and self.columns:
            self.shown.tables[self.caption].append(dict(zip(self.columns, self.cells, strict=True)))
        if self.within and tag == self.within[-1]:
            self.within.pop()
            (self.shown.alerts if self.is_alert else self.shown.empty).append(told)


def read_page(html: str) -> Shown:
    """Return what a page shows.

    Args:
        html: The page.
    """
    reader = _Reader()
    reader.feed(html)
    return reader.shown
