"""Fills in templates: everything is escaped, and what a template asks for must be there."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from asp_telemetry.analytics.filters import CostFilter
from asp_telemetry.dashboard import formatting
from asp_telemetry.dashboard.filters import NAMES, Filters
from asp_telemetry.dashboard.navigation import PLACES

_TEMPLATES: Final = Path(__file__).parent / "templates"


def render(
    request: Request,
    template: str,
    *,
    title: str,
    filters: Filters | None = None,
    takes: type[Any] = CostFilter,
    status: int = 200,
    **values: Any,
) -> HTMLResponse:
    """Answer with a page in the common frame.

    Args:
        request: What is being answered.
        template: The file in templates/, which extends base.html.
        title: The page's only heading of the first order.
        filters: What the page is narrowed to; None for a page without the form.
        takes: The filters that the page's questions know, such as `analytics.filters.RoleFilter`.
        status: The HTTP status.
        **values: What the template shows.
    """
    known = [name for name in NAMES if name in takes.__annotations__]
    given = {} if filters is None else dict(filters.given)
    return HTMLResponse(
        environment()
        .get_template(template)
        .render(
            title=title,
            path=request.url.path,
            places=PLACES,
            filters=filters or Filters(),
            has_form=filters is not None,
            known=known,
            given=given,
            ignored=[name for name in given if name not in known],
            database=request.app.state.destination,
            now=datetime.now(UTC),
            **values,
        ),
        status,
    )


def plain_page(template: str, status: int, **values: Any) -> HTMLResponse:
    """Answer with a page of its own, outside of the frame, or with a part of a page.

    Args:
        template: The file in templates/.
        status: The HTTP status.
        **values: What the template shows.
    """
    return HTMLResponse(environment().get_template(template).render(**values), status)


@cache
def environment() -> Environment:
    """Return the templates with the filters that write numbers."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for write in (
        formatting.number,
        formatting.short,
        formatting.money,
        formatting.duration,
        formatting.share,
        formatting.moment,
        formatting.day,
    ):
        made.filters[write.__name__] = write
    made.filters["change"] = formatting.change
    made.filters["segment"] = segment
    return made


def linked(href: str, text: str, *, id: str | None = None) -> Markup:  # noqa: A002 - as HTML calls it
    """Write a link, for a cell of a table; both parts are escaped.

    Args:
        href: Where it leads.
        text: What it says.
        id: Its id, by which it is found again after the part of the page around it was read anew.

    Example:
        >>> linked("/a?b=1&c=2", "<b>")
        Markup('<a href="/a?b=1&amp;c=2">&lt;b&gt;</a>')
    """
    if id is None:
        return Markup('<a href="{}">{}</a>').format(href, text)
    return Markup('<a id="{}" href="{}">{}</a>').format(id, href, text)


def segment(text: str) -> str:
    """Write a text as one part of a path.

    Args:
        text: Any text, such as the name of an agent.

    Example:
        >>> segment("a/b <c>")
        'a%2Fb%20%3Cc%3E'
    """
    return quote(text, safe="")
