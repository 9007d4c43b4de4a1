"""Tells whether this thread runs an event loop, which nothing here may keep waiting."""

import sys
from typing import Any


def runs_event_loop() -> bool:
    """Tell whether asyncio or trio runs in this thread, without importing either.

    Example:
        >>> runs_event_loop()
        False
    """
    asyncio_loop: Any = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)
    if asyncio_loop is not None and asyncio_loop() is not None:
        return True
    in_trio: Any = getattr(sys.modules.get("trio"), "lowlevel", None)
    is_running: Any = getattr(in_trio, "in_trio_run", None)
    return is_running is not None and bool(is_running())
