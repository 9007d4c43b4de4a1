"""Prints what a benchmark has measured as a plain table, and how that stands to what is required."""

import argparse
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from typing import Any


def arguments(description: str) -> argparse.Namespace:
    """Read the command line that all benchmarks share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds only: shows that it works, proves nothing"
    )
    return parser.parse_args()


def print_machine() -> None:
    """Say what the figures below were measured on."""
    print(
        f"Python {platform.python_version()} ({platform.python_implementation()}), {platform.system()} "
        f"{platform.machine()}, {_cores()} cores"
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under a title, the first column to the left, all others to the right."""
    texts = [[_text(cell) for cell in row] for row in rows]
    widths = [
        max(len(text) for text in (column, *(row[place] for row in texts)))
        for place, column in enumerate(columns)
    ]
    print(f"\n{title}")
    for row in [list(columns), ["-" * width for width in widths], *texts]:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        cells[0] = row[0].ljust(widths[0])
        print("  ".join(cells).rstrip())
    sys.stdout.flush()


def print_requirement(what: str, measured: float | None, limit: float, unit: str = "") -> None:
    """Say whether a figure keeps to its limit; this prints and never fails, since machines differ."""
    if measured is None:
        print(f"not measured     {what}")
        return
    verdict = "holds" if measured <= limit else "DOES NOT HOLD"
    print(f"{verdict:<16} {what}: {_text(measured)}{unit}, at most {_text(limit)}{unit}")


def _text(cell: Any) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.3f}" if abs(cell) < 10 else f"{cell:.1f}"
    return str(cell)
