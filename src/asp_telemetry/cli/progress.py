"""Shows on standard error that long work goes on; nothing where nobody looks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def showing(title: str) -> Iterator[Callable[[str], None]]:
    """Show a line with what is being done just now, and take it away at the end.

    Args:
        title: What is being done all the time.

    Yields:
        A function that takes what is being done just now.

    Example:
        >>> with showing("counting") as tell:
        ...     tell("task_metadata")
    """
    console = Console(stderr=True, markup=False, highlight=False)
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with console.status(title) as status:
        yield lambda text: status.update(f"{title}: {text}")
