"""The functions that users call: configure, flush, shutdown, stats; and the one recorder of this process behind them."""

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from asp_telemetry import guard
from asp_telemetry.capture import state
from asp_telemetry.capture.collecting import hold_contexts
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.forks import imports, watch_forks
from asp_telemetry.recorder import routing, waiting
from asp_telemetry.recorder.idle import Idle
from asp_telemetry.recorder.in_force import put_in_force, settle
from asp_telemetry.recorder.process import chain_sigterm, keep_forever, register_exit
from asp_telemetry.recorder.recorder import FlushResult, Recorder
from asp_telemetry.recorder.waiting import aflush_recorder, flush_recorder, stop_recorder

if TYPE_CHECKING:
    from asp_telemetry.recorder.diversion import Diversion
    from asp_telemetry.recorder.spending import SpendingWatch
    from asp_telemetry.settings import Settings

_SHUTDOWN_SECONDS = 5.0

_lock = threading.RLock()
_recorder: Recorder | None = None
_idle = Idle()
_configured: "Settings | None" = None
_spending: "SpendingWatch | None" = None
_making = False
_early: list[tuple[Any, ...]] = []
_exit_registered = False


def configure(database: str | None = None, /, *, replace: bool = False, **settings: Any) -> None:
    """Say where records go and what they have in common; without it, defaults and `ASP_*` variables hold.

    Args:
        database: `sqlite:///path/to/file.db` or `postgresql://user:password@host/database`; `ASP_DATABASE_URL`, else
            `sqlite:///data/asp_telemetry.db`.
        replace: Whether other values may replace those that are in force.
        **settings: project_id, user_id, environment, release: facts on every row. writer: whether this process
            drains its journal itself. flush_on_sigterm: whether SIGTERM flushes first. journal_dir,
            journal_max_bytes, journal_full ("drop_new" or "block"), block_seconds, exit_seconds, capture_content,
            content_max_bytes, redact, sample_rate, sample_costs, strict, disabled. auto_migrate: whether the writer may
            bring a PostgreSQL database to the current schema; an SQLite file always is. prices: a TOML or JSON file of
            your own prices, which beat the list. otlp: True or a URL, to send every execution to an OpenTelemetry
            receiver, too. langfuse: whether to send every execution to Langfuse, too, with the LANGFUSE_* variables.

    Raises:
        ConfigurationError: If a value cannot be used, or differs from what is in force without `replace`.

    Example:
        >>> import asp_telemetry as asp
        >>> asp.configure("sqlite:///data/asp_telemetry.db", project_id="ASP-Platform", replace=True)
    """
    global _configured, _idle
    from asp_telemetry.settings import NAMES, resolve  # noqa: PLC0415 - imported when it is needed

    unknown = sorted(set(settings) - NAMES)
    if unknown:
        raise ConfigurationError(
            f"configure() has no setting named {', '.join(unknown)}; it knows {', '.join(sorted(NAMES))}"
        )
    wanted = resolve(settings if database is None else {**settings, "database": database})
    block = routing.here()
    if block is not None:
        with _lock:
            before = block.configure(wanted, NAMES if replace else settings)
            settle()
        if before is not None:
            stop_recorder(before, _SHUTDOWN_SECONDS)
        return
    if replace and _recorder is not None and wanted != _recorder.settings:
        _shut_down_program(_SHUTDOWN_SECONDS)
    with _lock:
        recorder = _recorder
        if recorder is not None and wanted != recorder.settings:
            _take_over(recorder, wanted)
        elif _configured is not None and not replace and wanted != _configured:
            raise ConfigurationError(_conflict(_configured, wanted))
        if wanted.flush_on_sigterm:
            chain_sigterm(_flush_at_sigterm)
        put_in_force(wanted)
        _configured = wanted
        if recorder is not None:
            recorder.settled = True
        else:
            _idle = Idle()
            routing.connect(_first_append)
            state.expect_first_span()
            watch_forks()
    if recorder is not None and recorder.writer is not None:
        recorder.writer.wake()


def _take_over(recorder: Recorder, wanted: "Settings") -> None:
    """Let records that were made before the first `configure()` go where it says, if none has gone elsewhere yet."""
    if _configured is not None or recorder.draining or not recorder.settings.writer:
        raise ConfigurationError(_conflict(recorder.settings, wanted))
    from dataclasses import replace as changed  # noqa: PLC0415 - imported when it is needed

    header = changed(
        recorder.journal.header,
        destination=wanted.destination,
        writer=wanted.writer,
        sinks=wanted.sinks,
    )
    recorder.early_base = recorder.settings.journal_dir
    recorder.journal.redirect(wanted.journal_dir, header)
    recorder.settings = wanted


def _conflict(old: "Settings", new: "Settings") -> str:
    from asp_telemetry.settings import differences  # noqa: PLC0415 - imported when it is needed

    return (
        f"asp_telemetry is already configured, and configure() was called with other values: {differences(old, new)}; "
        "call it once, before the first tracked call, or pass replace=True"
    )


def divert(block: "Diversion") -> None:
    """Let a block record apart from the program from now on."""
    with _lock:
        routing.divert(block)
        settle()


def undivert(block: "Diversion") -> None:
    """Let a block no longer record."""
    with _lock:
        routing.undivert(block)
        settle()
        if _recorder is None:
            # The first span may have been the block's, for which the program's recorder was not made.
            state.expect_first_span()


def is_in_use() -> bool:
    """Tell whether this process has been configured, or records."""
    return _configured is not None or _recorder is not None


def target() -> "Recorder | None":
    """Return the recorder of the calling code: of the block that it is in, else the program's; None if there is none."""
    block = routing.here()
    return _recorder if block is None else block.recorder


def _watch_spending(account: Any) -> threading.Event:
    """Have the account of a shared budget read from the database that is configured."""
    global _spending
    from asp_telemetry.settings import resolve  # noqa: PLC0415 - only shared budgets need what follows

    with _lock:
        recorder = target()
        if recorder is None and _configured is None:
            put_in_force(resolve({}))
        settings = _configured if recorder is None else recorder.settings
        url = (resolve({}) if settings is None else settings).database
        if _spending is None or _spending.url != url:
            with imports:
                from asp_telemetry.recorder.spending import SpendingWatch  # noqa: PLC0415

            _stop_watching()
            _spending = SpendingWatch(url)
        return _spending.watch(account)


def _stop_watching() -> None:
    global _spending
    if _spending is not None:
        _spending.stop()
    _spending = None


def _first_append(kind: int, status: int, duration: int, span: list[Any], payload: bytes | None) -> bool:
    """Make the recorder, and append the first record to it."""
    with _lock:
        if _making:
            # A signal handler or finaliser of this very thread; the lock keeps all others out.
            _early.append((kind, status, duration, span, payload))
            return True
        if routing.program is _first_append:
            _connect()
        return routing.program(kind, status, duration, span, payload)


def _at_first_span() -> None:
    """Make the recorder before there is anything to record: its writer tells of executions that are open for long."""
    with _lock:
        if routing.program is _first_append and not _making and routing.here() is None:
            _connect()


def _connect() -> None:
    """Make the recorder and start its writer; the caller holds the lock."""
    global _making
    recorder = None
    _making = True
    try:
        watch_forks()
        with imports:
            recorder = _make_recorder()
        # While `_making` holds: a signal handler in between would make a second recorder.
        if recorder is not None:
            routing.connect(recorder.append)
        else:
            routing.connect(state.unconnected)
            state.enabled = bool(routing.diversions)
    except ConfigurationError as error:
        guard.note("nothing is recorded", error)
        _idle.refuse(error)
        routing.connect(_idle.append)
    finally:
        _making = False
    while _early:
        routing.program(*_early.pop(0))
    if recorder is not None and not waiting.exiting:
        recorder.start_writer()


def _make_recorder() -> Recorder | None:
    global _recorder, _exit_registered
    from asp_telemetry.settings import resolve  # noqa: PLC0415 - imported at the first record

    settings = resolve({}) if _configured is None else _configured
    if _configured is None:
        put_in_force(settings)
        if settings.flush_on_sigterm:
            _try_to_chain_sigterm()
    if settings.disabled:
        return None
    _recorder = Recorder(settings, _lock, settled=_configured is not None)
    hold_contexts()
    if not _exit_registered:
        _exit_registered = True
        register_exit(_at_exit)
    return _recorder


def _try_to_chain_sigterm() -> None:
    """Do without the flush where the first record comes from another thread than the main one."""
    try:
        chain_sigterm(_flush_at_sigterm)
    except ConfigurationError as error:
        guard.note("SIGTERM will not flush", error, "records wait in the journal for the next start")


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
    recorder = target()
    return _idle.result() if recorder is None else flush_recorder(recorder, timeout)


async def aflush(timeout: float = 5.0) -> FlushResult:  # noqa: ASYNC109 - the same name as in flush
    """Wait like `flush`, without blocking the event loop (asyncio or trio).

    Args:
        timeout: How long to wait at most, in seconds.

    Returns:
        What became of everything recorded so far.
    """
    recorder = target()
    return _idle.result() if recorder is None else await aflush_recorder(recorder, timeout)


def shutdown(timeout: float = _SHUTDOWN_SECONDS) -> FlushResult:
    """Flush, stop the writer and close the journal; a record made later starts anew. Runs by itself at exit.

    Args:
        timeout: How long to wait at most, in seconds.

    Returns:
        What became of everything recorded so far; what is not committed waits for the next start.
    """
    block = routing.here()
    return _shut_down_program(timeout) if block is None else stop_recorder(block.renew(), timeout)


def _shut_down_program(timeout: float) -> FlushResult:
    global _recorder
    with _lock:
        _stop_watching()
        recorder = _recorder
        if recorder is None:
            return _idle.result()
        _recorder = None
        routing.connect(_first_append)
        state.expect_first_span()
    return stop_recorder(recorder, timeout)


def stats() -> dict[str, Any]:
    """Return what became of the records of this process, and how the writer does.

    Returns:
        accepted, stored, pending, rejected, dropped: numbers of records; the first is the sum of the others. sinks: the
        same by sink; those beside the database also tell their drop_reasons, lag_seconds and last_verdict.
        drop_reasons: how many were dropped for which reason.
        queue_bytes: what the journals of this destination occupy. lag_seconds: for how long the oldest of this process
        may have waited. unavailable_seconds: for how long the database has been away, or None.
        last_error: why the writer's last pass failed, or why nothing is recorded, or None.
        writer_alive, heartbeat_seconds: whether the writer runs, and how long ago it last went round.
        journal, journal_trouble, destination: where records wait, why they are not crash-safe there, where they go.
        troubles: how often each kind of fault was kept away from the host.

    Example:
        >>> import asp_telemetry as asp
        >>> figures = asp.stats()
        >>> figures["accepted"] >= figures["stored"]
        True
    """
    recorder = target()
    figures = _idle.figures() if recorder is None else recorder.figures()
    return {**figures, "troubles": guard.counts()}


def _at_exit() -> None:
    """Flush shortly, opening nothing; what is not committed waits in the journal."""
    waiting.exiting = True
    recorder = _recorder
    if recorder is None:
        return
    try:
        _shut_down_program(recorder.settings.exit_seconds)
    except Exception as error:
        guard.note("the flush at exit failed", error, "records wait in the journal")


def _flush_at_sigterm() -> None:
    recorder = _recorder
    if recorder is not None:
        try:
            flush_recorder(recorder, recorder.settings.exit_seconds)
        except Exception as error:
            guard.note("the flush on SIGTERM failed", error, "records wait in the journal")


def _after_fork_in_child() -> None:
    """Make the child its own: it writes nothing of the parent's, and makes a recorder when it first needs one."""
    global _lock, _recorder, _idle, _making, _exit_registered, _spending
    inherited = _recorder
    _lock = threading.RLock()
    # The thread behind the old watch, which is not in this process, still refers to its connection: nothing closes it.
    _recorder, _idle, _making, _exit_registered, _spending = None, Idle(), False, False, None
    _early.clear()
    state.after_fork()
    guard.reset()
    lock: Any = sys.modules.get("asp_telemetry.journal.lock")
    if lock is not None:
        lock.forget_held()
    for block in routing.diversions.values():
        block.after_fork()
    if inherited is None:
        return
    routing.connect(_first_append)
    if inherited.writer is not None and inherited.writer.sink is not None:
        keep_forever(inherited)


routing.connect(_first_append)
state.at_first_span = _at_first_span
state.watch_spending = _watch_spending
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
