"""Prints what commands found: tables for people, JSON for programs."""

import json
import os
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

_ANY_WIDTH = 10_000
_LEAST_TEXT = 16
_PADDING = 2


def print_json(value: object) -> None:
    """Print a value as indented JSON.

    Args:
        value: Anything made of dicts, lists, texts and numbers; other objects are printed as their text.

    Example:
        >>> print_json({"version": 1})
        {
          "version": 1
        }
    """
    print(json.dumps(value, indent=2, default=as_text, ensure_ascii=False))


def as_text(value: object) -> str:
    """Write what JSON and CSV have no type for; decimals alike from either database, and never as a power of ten.

    Args:
        value: Any object.

    Example:
        >>> as_text(Decimal("0E-10")), as_text(Decimal("80.0000")), as_text(Decimal("0.00003"))
        ('0', '80', '0.00003')
    """
    if not isinstance(value, Decimal):
        return str(value)
    digits = f"{value:f}"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def print_table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, right: Collection[int] = ()
) -> None:
    """Print rows under headings; numbers stand to the right and are never broken.

    On a terminal that is too narrow the last columns are left out, and named.

    Args:
        headings: One per column.
        rows: The cells; None prints as nothing.
        right: The places of further columns that stand to the right.

    Example:
        >>> print_table(["table", "rows"], [["task_metadata", 1]])
         table          rows
         task_metadata     1
    """
    cells = [list(row) for row in rows]
    numeric = [
        index in right or (bool(cells) and all(isinstance(row[index], int | float) for row in cells))
        for index in range(len(headings))
    ]
    console = Console(markup=False, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        # Who reads it has lines of any length, and looks for whole words.
        console = Console(markup=False, highlight=False, width=_ANY_WIDTH)
    widths = _widths(headings, cells, numeric, console.width)
    table = Table(box=None, pad_edge=True, header_style="bold")
    for heading, width, is_numeric in zip(headings, widths, numeric, strict=False):
        table.add_column(heading, justify="right" if is_numeric else "left", overflow="fold", width=width)
    for row in cells:
        table.add_row(*("" if cell is None else str(cell) for cell in row[: len(widths)]))
    if console.is_terminal:
        console.print(table)
    else:
        # What fills a column up to its width would stand at the ends of lines in files, and in the way of comparisons.
        with console.capture() as caught:
            console.print(table)
        print("\n".join(line.rstrip(" ") for line in caught.get().split("\n")), end="")
    if len(widths) < len(headings):
        print(f" no room here for: {', '.join(headings[len(widths) :])}")


def _widths(
    headings: Sequence[str], rows: Sequence[Sequence[object]], numeric: Sequence[bool], room: int
) -> list[int]:
    """Return how wide columns are: as wide as they like if all fit, else numbers whole, texts in lines, the last ones out."""
    cells = [
        max((cell_len(str(row[index])) for row in rows if row[index] is not None), default=0)
        for index in range(len(headings))
    ]
    natural = [max(width, cell_len(heading)) for width, heading in zip(cells, headings, strict=True)]
    if sum(natural) + _PADDING * len(natural) <= room:
        return natural
    widths: list[int] = []
    for heading, width, is_numeric in zip(headings, cells, numeric, strict=True):
        least = max(width if is_numeric else min(width, _LEAST_TEXT), *map(cell_len, heading.split()), 1)
        if widths and room < least + _PADDING:
            break
        widths.append(least)
        room -= least + _PADDING
    for index, width in enumerate(widths):
        more = 0 if numeric[index] else max(0, min(natural[index] - width, room))
        widths[index] += more
        room -= more
    return widths


def kilobytes(size: int) -> str:
    """Write a number of bytes for people.

    Example:
        >>> kilobytes(123_456)
        '121 KiB'
    """
    return f"{size / 1024:,.0f} KiB"


def duration(milliseconds: float) -> str:
    """Write a duration for people.

    Example:
        >>> duration(950), duration(72_500), duration(2_700_000), duration(7_200_000)
        ('950 ms', '72.5 s', '45.0 min', '2.0 h')
    """
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 600_000:
        return f"{milliseconds / 1000:.1f} s"
    return (
        f"{milliseconds / 60_000:.1f} min"
        if milliseconds < 7_200_000
        else f"{milliseconds / 3_600_000:,.1f} h"
    )


def printable(text: str) -> str:
    """Replace what would steer the terminal: names and messages come from whoever was recorded.

    Example:
        >>> printable("plan" + chr(27) + "[2J") == "plan" + chr(0xFFFD) + "[2J"
        True
    """
    return text if text.isprintable() else "".join(one if one.isprintable() else "\ufffd" for one in text)


def counted(number: int, noun: str) -> str:
    """Write a number of things for people.

    Args:
        number: How many there are.
        noun: What one of them is called; more of them with an s.

    Example:
        >>> counted(1, "row"), counted(2, "journal")
        ('1 row', '2 journals')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def growth(before: int, after: int) -> str:
    """Write how a number of bytes has changed; nothing where people would see no difference.

    Example:
        >>> growth(2048, 4096), growth(2048, 2050)
        ('; 2 KiB -> 4 KiB', '')
    """
    sizes = kilobytes(before), kilobytes(after)
    return "" if sizes[0] == sizes[1] else f"; {sizes[0]} -> {sizes[1]}"
