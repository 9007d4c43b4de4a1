"""Code that runs in the middle of ours: finalisers, signal handlers, KeyboardInterrupt, forks, greenlets."""

import gc
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextvars import copy_context
from types import FrameType

import pytest
from hosts import Host

import asp_telemetry as asp
from asp_telemetry.capture import state
from asp_telemetry.journal import reader
from garbage import collect_garbage


def _call(name: str, number: int) -> int:
    with asp.span(name, kind="tool", iteration=number) as span:
        if number % 2:
            span.set(metadata={"number": number})
    return number


def test_signal_handlers_may_call_tracked_functions_at_any_moment(host: Host) -> None:
    """Interrupt tracked calls thousands of times with a handler that makes tracked calls: all are stored, once."""
    handled = 0
    done = False
    wrong: list[int] = []

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal handled
        handled = own = handled + 1
        if _call("handler", own) != own:
            wrong.append(own)
        if not done:
            signal.setitimer(signal.ITIMER_REAL, 0.0003)

    host.configure()
    old = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0003)
    called = 0
    try:
        while handled < 400:
            called += 1
            assert _call("main", called) == called
    finally:
        done = True  # a signal that has come, and is not handled yet, must not set the timer again
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    figures = host.settled(60)
    assert wrong == []
    assert (figures["stored"], figures["dropped"], figures["rejected"]) == (called + handled, 0, 0)
    assert host.names("main") == [("main", number) for number in range(1, called + 1)]
    assert host.names("handler") == [("handler", number) for number in range(1, handled + 1)]


def test_generators_may_be_finished_by_the_garbage_collector(host: Host) -> None:
    """Leave tracked generators to the collector, which runs in the middle of other calls: all are stored, once."""

    @asp.track_agent("generator")
    def generate(holder: list[Iterator[int]]) -> Iterator[int]:
        yield len(holder)

    host.configure()
    old = gc.get_threshold()
    gc.set_threshold(5, 2, 2)
    try:
        for number in range(1, 2001):
            holder: list[Iterator[int]] = []
            holder.append(generate(holder))
            assert next(holder[0]) == 1
            del holder
            assert _call("main", number) == number
        collect_garbage()
    finally:
        gc.set_threshold(*old)
    # What was open for a second, on a slow machine, has one more record: the rows tell.
    figures = host.settled()
    assert (figures["pending"], figures["rejected"], figures["dropped"]) == (0, 0, 0)
    assert host.names("main") == [("main", number) for number in range(1, 2001)]
    left = host.rows(
        "SELECT status, context ->> '$.completed', count(*) FROM execution_traces WHERE agent_role = 'generator' GROUP BY 1, 2"
    )
    assert left == [("success", 0, 2000)]


def test_the_collector_never_crashes_the_interpreter(
    host: Host, program: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Let the collector end tracked generators in the middle of tracked calls, as often as it can: the process lives."""
    done = program(
        """
        import contextvars, gc, sys
        import asp_telemetry as asp
        asp.configure(f"sqlite:///{sys.argv[1]}")
        others = [contextvars.ContextVar(str(number)) for number in range(20)]
        for other in others:
            other.set([other])

        @asp.track_agent("generator")
        def generate(holder):
            yield 1

        class Left:
            def __init__(self):
                self.itself = self
                self.generator = generate(self)
                next(self.generator)

            def __del__(self):
                self.generator.close()
                self.junk = [b"x" * size for size in range(8, 500, 8) for _ in range(3)]

        @asp.track_tool
        def work(number):
            return number

        work(0)
        gc.set_threshold(3, 2, 2)
        for number in range(10_000):
            Left()
            [[] for _ in range(number % 7)]
            assert work(number) == number
        gc.set_threshold(700, 10, 10)
        gc.collect()
        print(asp.flush(timeout=30).complete)
        """,
        host.database,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["True"]
    assert host.rows("SELECT count(*), sum(status = 'success') FROM execution_traces") == [(20_001, 20_001)]


def test_keyboard_interrupts_never_stop_the_recording(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupt calls for good in the middle of anything: what had returned is stored once, the account adds up."""
    monkeypatch.setattr(reader, "_HOLE_SECONDS", 0.2)
    monkeypatch.setattr(state, "live", {})

    def handler(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # An interrupt inside a callback of the collector cannot rise; pytest's own hook would be interrupted in turn.
    unraisable: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: unraisable.append(found.exc_type))
    host.configure()
    _call("warm up", 1)
    host.settled()
    returned: list[int] = []
    interrupted = 0
    old = signal.signal(signal.SIGALRM, handler)
    number = 0
    context = copy_context()
    while interrupted < 300:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0004, 0.0004)
            while True:
                number += 1
                returned.append(context.copy().run(_call, "main", number))
        except KeyboardInterrupt:
            interrupted += 1
        finally:
            while True:
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0)
                    break
                except KeyboardInterrupt:
                    interrupted += 1
    signal.signal(signal.SIGALRM, old)
    assert _call("last", 1) == 1
    figures = host.settled(60)
    assert figures["pending"] == 0
    assert figures["rejected"] == 0
    stored = [iteration for _, iteration in host.names("main")]
    assert len(stored) == len(set(stored))
    assert set(returned) <= set(stored)
    assert host.names("last") == [("last", 1)]
    assert set(unraisable) <= {KeyboardInterrupt}


def test_forks_right_behind_the_first_record_are_silent(
    host: Host, program: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Fork while the writer is still importing what it needs: no child finds half a module, and nobody complains."""
    done = program(
        """
        import os, sys, time
        os.environ["ASP_DATABASE_URL"] = f"sqlite:///{sys.argv[1]}"
        import asp_telemetry as asp

        @asp.track_tool
        def work(number):
            return number

        assert "logging" not in sys.modules
        for number in range(20):
            assert work(number) == number
            child = os.fork()
            if not child:
                specs = [getattr(module, "__spec__", None) for module in sys.modules.values()]
                half = [spec.name for spec in specs if getattr(spec, "_initializing", False)]
                os._exit(0 if work(number) == number and not half else 1)
            assert os.waitpid(child, 0)[1] == 0
            time.sleep(0.002)
        assert asp.flush(timeout=10).complete
        """,
        host.database,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_gevent_programs_keep_their_records_and_their_event_loops(
    host: Host, program: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Monkey-patch with gevent: greenlets' calls are stored once, asyncio.run works, nothing blocks or complains."""
    pytest.importorskip("gevent")
    done = program(
        """
        from gevent import monkey
        monkey.patch_all()
        import asyncio, sys, time
        import gevent
        import asp_telemetry as asp
        asp.configure(f"sqlite:///{sys.argv[1]}")

        @asp.track_tool
        def work(number):
            gevent.sleep(0.001)
            return number

        jobs = [gevent.spawn(lambda first: [work(first + n) for n in range(100)], 100 * job) for job in range(20)]
        gevent.joinall(jobs)
        assert [number for job in jobs for number in job.value] == list(range(2000))

        async def answer():
            await asyncio.sleep(0.001)
            return 42

        assert asyncio.run(answer()) == 42
        slowest, stop = 0, False
        def watch():
            global slowest
            while not stop:
                begun = time.monotonic()
                gevent.sleep(0.001)
                slowest = max(slowest, time.monotonic() - begun)
        watcher = gevent.spawn(watch)
        assert asp.flush(timeout=10).complete
        stop = True
        watcher.join()
        assert slowest < 5, slowest
        figures = asp.stats()
        assert figures["stored"] == figures["accepted"] == 2000, figures
        assert figures["troubles"] == {}, figures
        """,
        host.database,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert host.rows("SELECT count(*), count(DISTINCT correlation_id) FROM execution_traces") == [
        (2000, 2000)
    ]
    assert list((host.folder / "asp-journal").iterdir()) == []
