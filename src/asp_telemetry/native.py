"""Finds the interpreter's own thread functions where gevent has put greenlets in their place."""

import _thread
import sys
from typing import Any


def is_patched() -> bool:
    """Tell whether `threading` makes greenlets instead of threads in this process."""
    monkey: Any = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def native(name: str) -> Any:
    """Return a function of `_thread` as the interpreter made it.

    Args:
        name: Such as `"get_ident"` or `"start_new_thread"`.

    Example:
        >>> native("get_ident")() == _thread.get_ident()
        True
    """
    monkey: Any = sys.modules.get("gevent.monkey")
    return getattr(_thread, name) if monkey is None else monkey.get_original("_thread", name)
