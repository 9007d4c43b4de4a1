"""Prints what commands found: tables for people, JSON for programs."""

import json
from collections.abc import Collection, Iterable, Sequence

from rich.console import Console
from rich.table import Table


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
    print(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def print_table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, right: Collection[int] = ()
) -> None:
    """Print rows under headings; numbers stand to the right.

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
    table = Table(box=None, pad_edge=True, header_style="bold")
    for index, heading in enumerate(headings):
        numeric = index in right or (
            bool(cells) and all(isinstance(row[index], int | float) for row in cells)
        )
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    Console(markup=False, highlight=False).print(table)


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
        >>> duration(950), duration(72_500), duration(7_200_000)
        ('950 ms', '72.5 s', '2.0 h')
    """
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.1f} s" if milliseconds < 600_000 else f"{milliseconds / 3_600_000:.1f} h"


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
