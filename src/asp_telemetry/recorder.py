"""The composition root: settings, journal, writer and sinks become one recorder, made at the first record."""

import atexit
import os
import sys
import threading
from pathlib import Path
from time import monotonic, perf_counter_ns, sleep
from typing import TYPE_CHECKING, Any, NamedTuple

from asp_telemetry import guard
from asp_telemetry.capture import state
from asp_telemetry.capture.definition import Scope
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.journal.layout import CLOCK, FLAGS, STATE, Flag, Kind

if TYPE_CHECKING:
    from asp_telemetry.settings import Settings
    from asp_telemetry.writer.thread import Writer

_SETTLE_SECONDS = 1.0
_POLL_SECONDS = 0.002
_OPEN_NS = 1_000_000_000


class FlushResult(NamedTuple):
    """Tell what became of what had been recorded before a flush.

    Attributes:
        complete: Whether all of it is committed, or accounted for as rejected or dropped.
        pending: How many records still wait in the journal.
        rejected: How many records of this process the database has refused.
        dropped: How many records of this process could not be kept.
        sinks: The same figures per sink.
    """

    complete: bool
    pending: int
    rejected: int
    dropped: int
    sinks: dict[str, dict[str, int]]


class Recorder:
    """Own one journal and the writer that drains it, for one destination."""

    def __init__(self, settings: "Settings", *, settled: bool) -> None:
        from asp_telemetry.journal.header import JournalHeader  # noqa: PLC0415 - imported at the first record
        from asp_telemetry.journal.journal import Journal, new_journal_id  # noqa: PLC0415
        from asp_telemetry.journal.lane import make_append  # noqa: PLC0415

        self.settings = settings
        self.settled = settled
        self.draining = False
        self.made_at = monotonic()
        self.early_base: Path | None = None
        header = JournalHeader(
            journal_id=new_journal_id(), destination=settings.destination, writer=settings.writer
        )
        self.journal: Journal = Journal(
            settings.journal_dir,
            header,
            max_bytes=settings.journal_max_bytes,
            block_seconds=settings.block_seconds if settings.journal_full == "block" else 0.0,
        )
        self.append = make_append(self.journal)
        self.writer: Writer | None = None
        self._opened: set[int] = set()
        if self.journal.trouble is not None:
            guard.note("records are not crash-safe", remedy=self.journal.trouble)

    def start_writer(self) -> None:
        """Start the writer's thread if there is to be one and none is running."""
        if not self.settings.writer or (self.writer is not None and self.writer.is_alive):
            return
        from asp_telemetry.writer.thread import Writer  # noqa: PLC0415 - a host without a writer never needs it

        self.writer = Writer(
            self.journal, self._make_sink, self._make_adoption, self.record_open, self._may_begin
        )
        self.journal.wake = self.writer.wake
        self.writer.start()

    def _may_begin(self) -> bool:
        with _lock:
            if self.settled or monotonic() - self.made_at >= _SETTLE_SECONDS:
                self.draining = True
            return self.draining

    def _make_sink(self) -> Any:
        self.draining = True
        from asp_telemetry.sinks.database import DatabaseSink  # noqa: PLC0415 - imported in the writer's thread
        from asp_telemetry.stores import open_store  # noqa: PLC0415

        return DatabaseSink(open_store(self.settings.database))

    def _make_adoption(self) -> Any:
        from asp_telemetry.writer.adoption import Adoption  # noqa: PLC0415 - imported in the writer's thread

        bases = [self.settings.journal_dir, *([self.early_base] if self.early_base is not None else [])]
        return Adoption(bases, self.settings.destination, self.journal.journal_id)

    def record_open(self) -> None:
        """Record the executions that have been open for over a second, each once."""
        live = state.live
        if not live:
            self._opened.clear()
            return
        try:
            spans = list(live.items())
        except RuntimeError:
            return  # it changed while we looked; the next pass looks again
        now = perf_counter_ns()
        for span_id, span in spans:
            if span_id in self._opened or not span[CLOCK]:
                continue
            if now - span[CLOCK] < _OPEN_NS:
                break  # the rest began later
            self._opened.add(span_id)
            if not span[STATE] and not span[FLAGS] & int(Flag.UNSAMPLED):
                self.append(Kind.OPEN, 0, 0, span, None)
        self._opened &= set(live)

    def pending(self) -> int:
        """Return how many records wait in the journal."""
        return sum(lane.stamp - self._committed_stamp(lane) for lane in list(self.journal.all_lanes))

    def _committed_stamp(self, lane: Any) -> int:
        drainer = None if self.writer is None else self.writer.drainer
        if drainer is not None:
            for found in drainer.states(self.journal.journal_id):
                if found.number == lane.number and found.committed_stamp >= 0:
                    return found.committed_stamp
        return int(lane.first_stamp)

    def targets(self) -> list[tuple[Any, int, int]]:
        """Return the lanes, and how far each must be committed so that all that is recorded now is."""
        return [(lane, lane.stamp, sum(lane.refused)) for lane in list(self.journal.all_lanes)]

    def reached(self, targets: list[tuple[Any, int, int]]) -> bool:
        """Tell whether the lanes have been committed that far."""
        return all(
            stamp == lane.first_stamp or self._committed_stamp(lane) >= stamp for lane, stamp, _ in targets
        )

    def result(self, *, complete: bool) -> FlushResult:
        """Return the figures of this moment."""
        figures = self.figures()
        sink = {name: figures[name] for name in ("accepted", "stored", "pending", "rejected", "dropped")}
        return FlushResult(complete, sink["pending"], sink["rejected"], sink["dropped"], {"database": sink})

    def figures(self) -> dict[str, Any]:
        """Return what became of the records of this process; they add up."""
        drainer = None if self.writer is None else self.writer.drainer
        states = [] if drainer is None else drainer.states(self.journal.journal_id)
        lanes = list(self.journal.all_lanes)
        refused = sum(sum(lane.refused) for lane in lanes)
        lost = sum(found.committed.dropped.get("lost", 0) for found in states)
        writer = self.writer
        trouble_since = None if writer is None else writer.unavailable_since
        pending = self.pending()
        return {
            "accepted": self.journal.accepted,
            "stored": sum(found.committed.stored for found in states),
            "pending": pending,
            "rejected": sum(found.committed.rejected for found in states),
            "dropped": refused + lost,
            "drop_reasons": _sum_reasons(lanes, lost),
            "queue_bytes": self.journal.supply.used_bytes,
            "lag_seconds": 0.0
            if not pending or writer is None
            else round(monotonic() - writer.drained_at, 3),
            "unavailable_seconds": None if trouble_since is None else round(monotonic() - trouble_since, 3),
            "last_error": None if writer is None else writer.last_error,
            "heartbeat_seconds": None if writer is None else round(monotonic() - writer.heartbeat, 3),
            "writer_alive": writer is not None and writer.is_alive,
            "journal": str(self.journal.directory) if self.journal.directory is not None else None,
            "journal_trouble": self.journal.trouble,
            "destination": self.settings.destination,
        }


def _sum_reasons(lanes: list[Any], lost: int) -> dict[str, int]:
    from asp_telemetry.journal.layout import REASONS  # noqa: PLC0415 - asked for rarely

    reasons = {reason: sum(lane.refused[place] for lane in lanes) for place, reason in enumerate(REASONS)}
    return {reason: count for reason, count in {**reasons, "lost": lost}.items() if count}


_lock = threading.RLock()
_recorder: Recorder | None = None
_given: dict[str, Any] = {}
_configured = False
_making = False
_early: list[tuple[Any, ...]] = []
_exiting = False
_exit_registered = False
_inherited: list[Any] = []
_old_sigterm: Any = None


def configure(database: str | None = None, /, *, replace: bool = False, **settings: Any) -> None:
    """Say where records go and what they have in common; without it, defaults and `ASP_*` variables hold.

    Args:
        database: `sqlite:///path/to/file.db`; `ASP_DATABASE_URL`, else `sqlite:///data/asp_telemetry.db`.
        replace: Whether other values may replace those that are in force.
        **settings: project_id, user_id, environment, release: facts on every row. writer: whether this process
            drains its journal itself. flush_on_sigterm: whether SIGTERM flushes first. journal_dir,
            journal_max_bytes, journal_full ("drop_new" or "block"), block_seconds, exit_seconds, capture_content,
            sample_rate, strict, disabled.

    Raises:
        ConfigurationError: If a value cannot be used, or differs from what is in force without `replace`.

    Example:
        >>> import asp_telemetry as asp
        >>> asp.configure("sqlite:///data/asp_telemetry.db", project_id="ASP-Platform")
    """
    global _configured, _given
    from asp_telemetry.settings import NAMES, resolve  # noqa: PLC0415 - imported when it is needed

    unknown = sorted(set(settings) - NAMES)
    if unknown:
        raise ConfigurationError(
            f"configure() has no setting named {', '.join(unknown)}; it knows {', '.join(sorted(NAMES))}"
        )
    given = {**settings, **({} if database is None else {"database": database})}
    wanted = resolve(given)
    with _lock:
        recorder = _recorder
        if recorder is None:
            if _configured and not replace and wanted != resolve(_given):
                raise ConfigurationError(_conflict(resolve(_given).destination, wanted.destination))
        elif wanted != recorder.settings:
            if not replace:
                _take_over(recorder, wanted)
            else:
                shutdown()
        _given, _configured = given, True
        if _recorder is not None:
            _recorder.settled = True
            _recorder.settings = wanted
        _apply(wanted)
    if _recorder is not None and _recorder.writer is not None:
        _recorder.writer.wake()


def _take_over(recorder: Recorder, wanted: "Settings") -> None:
    """Let records that were made before the first `configure()` go where it says, if none has gone elsewhere yet."""
    if _configured or recorder.draining or not recorder.settings.writer:
        raise ConfigurationError(_conflict(recorder.settings.destination, wanted.destination))
    from dataclasses import replace as changed  # noqa: PLC0415 - imported when it is needed

    header = changed(recorder.journal.header, destination=wanted.destination, writer=wanted.writer)
    recorder.early_base = recorder.settings.journal_dir
    recorder.journal.redirect(wanted.journal_dir, header)
    recorder.settings = wanted


def _conflict(old: str, new: str) -> str:
    return (
        f"asp_telemetry already records to {old}, and configure() was called with other values for {new}; "
        "call it once, before the first tracked call, or pass replace=True"
    )


def _apply(settings: "Settings") -> None:
    state.default_scope = Scope(dict(settings.scope_facts))
    state.capture_content = settings.capture_content
    state.sample_rate = settings.sample_rate
    state.enabled = not settings.disabled
    guard.be_strict(settings.strict)
    if settings.flush_on_sigterm:
        _chain_sigterm()


def _first_append(kind: int, status: int, duration: int, span: list[Any], payload: bytes | None) -> bool:
    """Make the recorder, and append the first record to it."""
    global _making
    if _making:
        # A signal handler or finaliser, or another thread that cannot wait for this one in an event loop.
        _early.append((kind, status, duration, span, payload))
        return True
    with _lock:
        if state.append is not _first_append:
            return state.append(kind, status, duration, span, payload)
        _making = True
        try:
            recorder = _make_recorder()
        except ConfigurationError as error:
            guard.note("nothing is recorded", error)
            state.append = state.unconnected
            state.enabled = False
            return False
        finally:
            _making = False
        kept = recorder.append(kind, status, duration, span, payload)
        state.append = recorder.append
        while _early:
            recorder.append(*_early.pop(0))
        if not _exiting:
            recorder.start_writer()
        return kept


def _make_recorder() -> Recorder:
    global _recorder
    from asp_telemetry.settings import resolve  # noqa: PLC0415 - imported at the first record

    settings = resolve(_given)
    if not _configured:
        _apply(settings)
    _recorder = Recorder(settings, settled=_configured)
    _register_exit()
    return _recorder


def flush(timeout: float = 5.0) -> FlushResult:
    """Wait until everything recorded so far is committed; never call it where an event loop runs: see `aflush`.

    Args:
        timeout: How long to wait at most, in seconds.

    Returns:
        What became of it; `complete` means committed. With `writer=False` nobody here commits, and what a sidecar
        has done is not known.

    Example:
        >>> import asp_telemetry as asp
        >>> asp.flush(timeout=5.0).complete
        True
    """
    recorder = _recorder
    if recorder is None:
        return FlushResult(complete=True, pending=0, rejected=0, dropped=0, sinks={})
    targets = _begin_flush(recorder)
    deadline = monotonic() + timeout
    while not (done := recorder.reached(targets)) and monotonic() < deadline and _may_wait(recorder):
        sleep(_POLL_SECONDS)
    return recorder.result(complete=done)


async def aflush(timeout: float = 5.0) -> FlushResult:  # noqa: ASYNC109 - the same name as in flush
    """Wait like `flush`, without blocking the event loop (asyncio or trio).

    Args:
        timeout: How long to wait at most, in seconds.

    Returns:
        What became of everything recorded so far.
    """
    import anyio  # noqa: PLC0415 - imported when it is needed

    recorder = _recorder
    if recorder is None:
        return FlushResult(complete=True, pending=0, rejected=0, dropped=0, sinks={})
    targets = _begin_flush(recorder)
    deadline = monotonic() + timeout
    while not (done := recorder.reached(targets)) and monotonic() < deadline and _may_wait(recorder):
        await anyio.sleep(_POLL_SECONDS)
    return recorder.result(complete=done)


def _begin_flush(recorder: Recorder) -> list[tuple[Any, int, int]]:
    recorder.settled = True
    targets = recorder.targets()
    if not _exiting:
        recorder.start_writer()
    if recorder.writer is not None:
        recorder.writer.wake()
    return targets


def _may_wait(recorder: Recorder) -> bool:
    return recorder.writer is not None and recorder.writer.is_alive


def shutdown(timeout: float = 5.0) -> FlushResult:
    """Flush, stop the writer and close the journal; a record made later starts anew. Runs by itself at exit.

    Args:
        timeout: How long to wait at most, in seconds.

    Returns:
        What became of everything recorded so far; what is not committed waits for the next start.
    """
    global _recorder
    with _lock:
        recorder = _recorder
        if recorder is None:
            return FlushResult(complete=True, pending=0, rejected=0, dropped=0, sinks={})
        _recorder = None
        state.append = _first_append
    return _stop(recorder, timeout)


def _stop(recorder: Recorder, timeout: float) -> FlushResult:
    deadline = monotonic() + timeout
    writer = recorder.writer
    recorder.settled = True
    targets = recorder.targets()
    if writer is not None and writer.is_alive:
        writer.wake()
        hopeless = _exiting and writer.unavailable_since is not None
        while not recorder.reached(targets) and monotonic() < deadline and writer.is_alive and not hopeless:
            sleep(_POLL_SECONDS)
            hopeless = _exiting and writer.unavailable_since is not None
        writer.stop(delete=_alone(writer))
        writer.stopped.wait(max(0.05, min(deadline - monotonic(), 1.0)) if not hopeless else 0.05)
    elif writer is None and recorder.settings.writer and not recorder.journal.accepted:
        recorder.journal.close(delete=True)
    return recorder.result(complete=recorder.reached(targets))


def _alone(writer: "Writer") -> bool:
    """Tell whether no other thread could still be appending: then the journal's files may go with the last commit."""
    others = set(sys._current_frames()) - {threading.get_ident()}  # noqa: SLF001 - has all threads, see Journal.lane
    return others <= writer.thread_idents()


def stats() -> dict[str, Any]:
    """Return what became of the records of this process, and how the writer does.

    Returns:
        `accepted == stored + pending + rejected + dropped`, with the reasons of drops, the lag of the database, the
        journal's bytes, the writer's heartbeat and last error, and `troubles`: what was kept away from the host.

    Example:
        >>> import asp_telemetry as asp
        >>> figures = asp.stats()
        >>> figures["accepted"] >= figures["stored"]
        True
    """
    recorder = _recorder
    figures = (
        {"accepted": 0, "stored": 0, "pending": 0, "rejected": 0, "dropped": 0, "drop_reasons": {}}
        if recorder is None
        else recorder.figures()
    )
    return {**figures, "troubles": guard.counts()}


def _register_exit() -> None:
    global _exit_registered
    if _exit_registered:
        return
    _exit_registered = True
    # Before threads are shut down: later none can be started, and drivers cannot resolve names. Private, but what
    # concurrent.futures itself uses; atexit, which runs after it, is the fallback.
    register = getattr(threading, "_register_atexit", None)
    try:
        if register is None:
            atexit.register(_at_exit)
        else:
            register(_at_exit)
    except RuntimeError:
        atexit.register(_at_exit)
    multiprocessing: Any = sys.modules.get("multiprocessing.util")
    if multiprocessing is not None and _in_multiprocessing_child():
        # Children of multiprocessing leave through os._exit: neither of the above runs there.
        multiprocessing.Finalize(None, _at_exit, exitpriority=100)


def _in_multiprocessing_child() -> bool:
    process: Any = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


def _at_exit() -> None:
    """Flush shortly, opening nothing; what is not committed waits in the journal."""
    global _exiting
    _exiting = True
    recorder = _recorder
    if recorder is None:
        return
    try:
        shutdown(recorder.settings.exit_seconds)
    except Exception as error:
        guard.note("the flush at exit failed", error, "records wait in the journal")


def _chain_sigterm() -> None:
    """Flush on SIGTERM, then do what would have been done."""
    global _old_sigterm
    import signal  # noqa: PLC0415 - needed only here

    if threading.current_thread() is not threading.main_thread():
        raise ConfigurationError("flush_on_sigterm=True needs configure() to be called in the main thread")
    if signal.getsignal(signal.SIGTERM) is _on_sigterm:
        return
    _old_sigterm = signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, frame: Any) -> None:
    import signal  # noqa: PLC0415 - needed only here

    recorder = _recorder
    if recorder is not None:
        try:
            flush(recorder.settings.exit_seconds)
        except Exception as error:
            guard.note("the flush on SIGTERM failed", error, "records wait in the journal")
    if callable(_old_sigterm):
        _old_sigterm(number, frame)
    elif _old_sigterm != signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def _after_fork_in_child() -> None:
    """Make the child its own: it writes nothing of the parent's, and makes a recorder when it first needs one."""
    global _lock, _recorder, _making, _exit_registered
    inherited = _recorder
    _lock = threading.RLock()
    _recorder, _making, _exit_registered = None, False, False
    _early.clear()
    state.after_fork()
    guard.reset()
    if inherited is None:
        return
    state.append = _first_append
    _keep_forever(inherited)
    lock: Any = sys.modules.get("asp_telemetry.journal.lock")
    if lock is not None:
        lock.forget_held()


def _keep_forever(inherited: Recorder) -> None:
    """Never let the child close the parent's database connection: SQLite forbids it after a fork.

    https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_across_a_fork_
    """
    writer = inherited.writer
    if writer is None or writer.sink is None:
        return
    import ctypes  # noqa: PLC0415 - needed only here

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(writer.sink))
    _inherited.append(inherited)


state.append = _first_append
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
