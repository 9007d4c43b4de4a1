"""Keeps CPython 3.11 from crashing where the garbage collector runs tracked code in the middle of `ContextVar.set`.

Before 3.12 a collection may start inside any allocation, also inside that of the table which `ContextVar.set` is about
to copy. If something that is collected then sets a context variable itself, as the end of a tracked generator does, the
old table is freed under the feet of the first `set`. Copies of the context, held from the start of a collection for
longer than a `set` can take, keep the table alive.
"""

import gc
import sys
from collections import deque
from contextvars import Context, copy_context

# One would do, but for hosts that let the collector run after every few allocations.
_held: deque[Context] = deque(maxlen=8)


def hold_contexts() -> None:
    """Hold the context of each collection from now on, where the interpreter needs that; asking twice does nothing."""
    if sys.version_info < (3, 12) and _hold not in gc.callbacks:
        gc.callbacks.append(_hold)


def _hold(phase: str, _: dict[str, int]) -> None:
    if phase == "start":
        _held.append(copy_context())
