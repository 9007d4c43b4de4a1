"""Lists the threads of this process, also those that were made outside of `threading`."""

import gc
import sys
from collections.abc import Callable
from operator import call
from typing import Any

# One after the other inside of C, where the interpreter's lock passes to no other thread in between.
_STEPS: tuple[Callable[[], Any], ...] = (gc.isenabled, gc.disable, sys._current_frames)  # noqa: SLF001 - there is no other list of them


def running_threads() -> set[int]:
    """Return the identifiers of all threads that have a Python state.

    The garbage collector rests meanwhile. Before 3.12.1 a collection inside of `sys._current_frames`, of an object whose
    end lets go of the interpreter's lock, stops the whole process for ever if another thread is just starting a thread:
    https://github.com/python/cpython/issues/106883

    Example:
        >>> import threading
        >>> threading.get_ident() in running_threads()
        True
    """
    was_enabled, _, frames = map(call, _STEPS)
    if was_enabled:
        gc.enable()
    running = set(frames)
    # This one's own frame is among them: kept in its own local, it would be a cycle that holds whatever its callers hold.
    frames.clear()
    return running
