"""Prints what commands found: tables for people, JSON for programs."""

import json
from collections.abc import Iterable, Mapping, Sequence

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


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under headings; numbers stand to the right.

    Args:
        headings: One per column.
        rows: The cells; None prints as nothing.

    Example:
        >>> print_table(["table", "rows"], [["task_metadata", 1]])
         table          rows
         task_metadata     1
    """
    cells = [list(row) for row in rows]
    table = Table(box=None, pad_edge=True, header_style="bold")
    for index, heading in enumerate(headings):
        numeric = bool(cells) and all(isinstance(row[index], int | float) for row in cells)
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


def held(counts: Mapping[str, int]) -> str:
    """Write what a database holds, for a question that should frighten only where there is something to lose.

    Example:
        >>> held({"defect_log": 2, "task_metadata": 1})
        'defect_log 2 rows, task_metadata 1 rows'
    """
    return ", ".join(f"{name} {count} rows" for name, count in counts.items()) or "no tables"
