"""Keeps forks out of the stretches of the background threads that a child would not survive.

A fork copies the locks that other threads hold, and in the child nobody releases them: a child forked while SQLite
allocated memory in the writer's thread hangs in its own first call of `sqlite3.connect` (12 of 400 did), and one forked
during an import finds a module that is half there. So whoever forks waits for the end of such stretches, but never
longer than its patience: a fork that comes late hurts more than the rare child that hangs.
"""

import os
import threading
from types import TracebackType


class Undivided:
    """Be a kind of stretch that no fork divides, used as `with imports:`; many threads may be inside at once.

    Args:
        patience: How long a fork waits for all of them, in seconds.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._condition = threading.Condition()
        self._inside = 0
        self._own = threading.local()

    def register(self) -> None:
        """Let forks wait from now on."""
        os.register_at_fork(
            before=self._before_fork,
            after_in_parent=self._after_fork_in_parent,
            after_in_child=self._after_fork_in_child,
        )

    def __enter__(self) -> None:
        self._own.depth = self._depth() + 1
        with self._condition:
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._own.depth -= 1
        with self._condition:
            self._inside -= 1
            self._condition.notify_all()

    def _depth(self) -> int:
        depth: int = getattr(self._own, "depth", 0)
        return depth

    def _before_fork(self) -> None:
        # Held until the fork is done: nobody enters meanwhile.
        self._condition.acquire()
        self._condition.wait_for(lambda: self._inside <= self._depth(), self._patience)

    def _after_fork_in_parent(self) -> None:
        self._condition.release()

    def _after_fork_in_child(self) -> None:
        self._condition = threading.Condition()
        self._inside = self._depth()


imports = Undivided(2.0)
"""Imports that happen later than that of this package, in whatever thread."""

database_calls = Undivided(0.25)
"""Calls into a database library, whose locks a child inherits as they are."""

_watching = False


def watch_forks() -> None:
    """Let forks wait for both kinds of stretches from now on.

    `configure()` calls it, or else the first record: until it has returned, a fork by another thread is on its own.
    """
    global _watching
    if _watching or not hasattr(os, "register_at_fork"):
        return
    _watching = True
    # It and logging, which it imports, take locks before a fork and release them behind it. What is registered last
    # comes first before a fork: if these came before the waiting, they would hold the locks that the imports waited
    # for need; and if they were among those imports, they would release locks that they had never taken.
    import concurrent.futures.thread  # noqa: F401, PLC0415 - an import of this package does not need it

    imports.register()
    database_calls.register()
