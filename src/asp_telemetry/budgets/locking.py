"""The one lock of all accounts, and what a forked child makes of it."""

import os
from collections.abc import Callable
from threading import RLock

lock = RLock()
"""Guards all accounts: a call may have to be admitted to several at once, all or none. Held for microseconds.

Re-entrant, since the garbage collector may run code that spends in the middle of anything. Read it as an attribute of
this module: a forked child has another one.
"""

process = 0
"""Which process this is, counted in forks: what was reserved in another one is void here."""

in_child: list[Callable[[], None]] = []
"""What else is to be done in a forked child."""


def _after_fork_in_child() -> None:
    global lock, process
    lock = RLock()
    process += 1
    for action in in_child:
        action()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
