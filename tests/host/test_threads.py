"""Looking for the threads that run stops nobody, whatever the garbage collector does meanwhile."""

import gc
import threading
from collections.abc import Callable
from subprocess import CompletedProcess

from hosts import Host

from asp_telemetry.threads import running_threads


def test_no_collection_in_the_middle_stops_the_process(
    host: Host, program: Callable[..., CompletedProcess[str]]
) -> None:
    """Short-lived threads track calls while each collection lets go of the interpreter's lock: nothing hangs."""
    done = program(
        """
        import gc, mmap, sys, threading, time
        import asp_telemetry as asp
        asp.configure(f"sqlite:///{sys.argv[1]}")

        class Circle:
            pass

        def starts_threads():
            while time.monotonic() < end:
                thread = threading.Thread(target=work)
                thread.start()
                thread.join()

        @asp.track_tool
        def work():
            circle = Circle()
            circle.itself = circle
            circle.pages = mmap.mmap(-1, 1 << 20)  # to close it takes the interpreter's lock from who holds it

        end = time.monotonic() + 2
        gc.set_threshold(1)
        starter = threading.Thread(target=starts_threads)
        starter.start()
        while time.monotonic() < end:
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        starter.join()
        gc.set_threshold(700)
        assert asp.flush(timeout=20).complete
        print("done", gc.isenabled())
        """,
        host.database,
    )
    assert (done.returncode, done.stdout) == (0, "done True\n"), done.stderr


def test_the_collector_is_left_as_it_was() -> None:
    """Whoever has switched the garbage collector off finds it so, and the threads are all there."""
    other = threading.Thread(target=(ended := threading.Event()).wait)
    other.start()
    gc.disable()
    try:
        assert {other.ident, threading.get_ident()} <= running_threads()
        assert not gc.isenabled()
    finally:
        gc.enable()
        ended.set()
        other.join()
    assert other.ident not in running_threads()
    assert gc.isenabled()
