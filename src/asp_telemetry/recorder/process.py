"""What a process does at its borders: exit, SIGTERM, and the fork of a child."""

import atexit
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from asp_telemetry.errors import ConfigurationError
from asp_telemetry.native import native
from asp_telemetry.threads import running_threads

_old_sigterm: Any = None
_flush_on_sigterm: Callable[[], object] | None = None


def register_exit(callback: Callable[[], None]) -> None:
    """Call a function when the process ends in any way that lets it run code.

    Before threads are shut down: later none can be started, and drivers cannot resolve names. That hook is private,
    but it is what concurrent.futures itself uses; atexit, which runs after it, is the fallback.
    """
    register = getattr(threading, "_register_atexit", None)
    try:
        if register is None:
            atexit.register(callback)
        else:
            register(callback)
    except RuntimeError:
        atexit.register(callback)
    process: Any = sys.modules.get("multiprocessing.process")
    util: Any = sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        # Children of multiprocessing leave through os._exit: neither of the above runs there.
        util.Finalize(None, callback, exitpriority=100)


def chain_sigterm(flush: Callable[[], object]) -> None:
    """Flush on SIGTERM, then do what would have been done.

    Raises:
        ConfigurationError: If this is not the main thread: Python sets signal handlers only there.
    """
    global _old_sigterm, _flush_on_sigterm
    import signal  # noqa: PLC0415 - needed only here

    _flush_on_sigterm = flush
    if threading.current_thread() is not threading.main_thread():
        raise ConfigurationError("flush_on_sigterm=True needs configure() to be called in the main thread")
    if signal.getsignal(signal.SIGTERM) is not _on_sigterm:
        _old_sigterm = signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, frame: Any) -> None:
    import signal  # noqa: PLC0415 - needed only here

    if _flush_on_sigterm is not None:
        _flush_on_sigterm()
    if callable(_old_sigterm):
        _old_sigterm(number, frame)
    elif _old_sigterm != signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def keep_forever(thing: object) -> None:
    """Never let this process destroy an object, not even when the interpreter ends.

    A forked child must not close the database connection that it inherited from its parent:
    https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_across_a_fork_
    """
    import ctypes  # noqa: PLC0415 - needed only here

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def has_other_threads(known: set[int]) -> bool:
    """Tell whether threads run beside this one and those that are known."""
    return not running_threads() <= known | {native("get_ident")()}
