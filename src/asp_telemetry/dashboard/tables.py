"""Turns typed rows into tables of texts, which templates show without knowing what they are about."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from markupsafe import Markup

from asp_telemetry.dashboard.formatting import NOTHING, share

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """Be a column: its label, what it says of a row, and whether that is a number, which stands to the right."""

    label: str
    cell: Callable[[Row], str]
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Be a table as the macro `table` takes it.

    Attributes:
        caption: What it shows.
        columns: Label, and whether the cells are numbers.
        rows: The cells, each a text or markup; the first one names its row.
    """

    caption: str
    columns: list[tuple[str, bool]]
    rows: list[list[str]]


def tabled(caption: str, found: Iterable[Row], *columns: Column[Row]) -> Table:
    """Write rows as a table.

    Args:
        caption: What it shows.
        found: The rows.
        *columns: What is shown of each.

    Example:
        >>> tabled("Runs", [("Code", 3)], Column("Role", lambda row: row[0]), numbers("Runs", lambda row: f"{row[1]}")).rows
        [['Code', '3']]
    """
    return Table(
        caption,
        [(column.label, column.is_number) for column in columns],
        [[column.cell(row) for column in columns] for row in found],
    )


def numbers(label: str, cell: Callable[[Row], str]) -> Column[Row]:
    """Return a column of numbers.

    Args:
        label: Its label.
        cell: What it says of a row, with the unit.
    """
    return Column(label, cell, is_number=True)


def text(value: object) -> str:
    """Write what has no unit.

    Args:
        value: What is written as its text; None as -.

    Example:
        >>> text("Code"), text(None)
        ('Code', '-')
    """
    return NOTHING if value is None else str(value)


def at(value: datetime | None) -> str:
    """Write a moment for a column that says that it is in UTC.

    Args:
        value: The moment, with its zone; None is written as -.

    Example:
        >>> at(datetime(2026, 1, 15, 9, 30, 5, tzinfo=UTC))
        Markup('<time datetime="2026-01-15T09:30:05Z">2026-01-15 09:30:05</time>')
    """
    if value is None:
        return NOTHING
    return Markup('<time datetime="{}">{}</time>').format(
        f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    )


def linked(href: str, label: str) -> str:
    """Write a link.

    Args:
        href: Where it leads.
        label: What it says; escaped like the address.

    Example:
        >>> linked("/tasks/1", "<b>")
        Markup('<a href="/tasks/1">&lt;b&gt;</a>')
    """
    return Markup('<a href="{}">{}</a>').format(href, label)


def under(first: str, second: str) -> str:
    """Write what belongs to a cell in a line of its own, smaller.

    Args:
        first: What the cell says.
        second: What stands under it.

    Example:
        >>> under("3 min", "of 2 min")
        Markup('3 min <span class="under">of 2 min</span>')
    """
    return Markup('{} <span class="under">{}</span>').format(first, second)


def marked(label: str, mark: str) -> Markup:
    """Write a word that is good or bad, which its colour says as well.

    Args:
        label: The word.
        mark: `good` or `bad`.
    """
    return Markup('<span class="{}">{}</span>').format(mark, label)


def metered(value: float | None, label: str) -> str:
    """Write a part of a whole as a bar beside its text.

    Args:
        value: From 0 to 1; None where it is not known.
        label: What it is, for those who do not see the bar.

    Example:
        >>> metered(None, "Yield"), metered(0.5, "Yield of Code")
        ('-', Markup('<meter min="0" max="1" value="0.5" aria-label="Yield of Code"></meter> 50 %'))
    """
    if value is None:
        return NOTHING
    return Markup('<meter min="0" max="1" value="{}" aria-label="{}"></meter> {}').format(
        f"{value:.4g}", label, share(value)
    )
