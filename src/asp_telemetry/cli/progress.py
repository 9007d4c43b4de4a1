"""Shows on standard error that long work goes on; nothing where nobody looks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


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


@contextmanager
def advancing(*, shown: bool = True) -> Iterator[Callable[[str, str, int, int], None]]:
    """Show how far a long work is, as bars that go at the end.

    Args:
        shown: Whether to show anything at all; never where nobody looks.

    Yields:
        A function that takes the stage of the work, what it is at within that, how many rows were just done, and how
        many there are in all.

    Example:
        >>> with advancing() as tell:
        ...     tell("exporting", "defect_log", 10, 100)
    """
    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield lambda _stage, _part, _done, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        stages: dict[str, TaskID] = {}

        def tell(stage: str, part: str, done: int, total: int) -> None:
            if stage not in stages:
                stages[stage] = bars.add_task(stage, total=total)
            bars.update(stages[stage], advance=done, description=f"{stage} {part}")

        yield tell
