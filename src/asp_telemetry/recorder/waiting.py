"""Waits until what a recorder holds is committed: at a flush, and before the writer stops."""

from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from asp_telemetry.recorder.process import has_other_threads
from asp_telemetry.recorder.recorder import FlushResult, Recorder

if TYPE_CHECKING:
    from asp_telemetry.writer.thread import Writer

_POLL_SECONDS = 0.002
_LAST_PASS_SECONDS = 0.05
_MIRRORS_AT_EXIT_SECONDS = 0.5

exiting = False
"""Whether the interpreter is about to end: then nothing is begun any more, and nobody waits without hope."""


def flush_recorder(recorder: Recorder, timeout: float) -> FlushResult:
    """Wait until everything in one journal is committed, at most so many seconds."""
    targets = _begin(recorder)
    deadline = monotonic() + timeout
    while not (done := recorder.reached(targets)) and monotonic() < deadline and _may_wait(recorder):
        sleep(_POLL_SECONDS)
    return recorder.result(complete=done)


async def aflush_recorder(recorder: Recorder, timeout: float) -> FlushResult:  # noqa: ASYNC109 - as above
    """Wait like `flush_recorder`, without blocking the event loop."""
    import anyio  # noqa: PLC0415 - imported when it is needed

    targets = _begin(recorder)
    deadline = monotonic() + timeout
    while not (done := recorder.reached(targets)) and monotonic() < deadline and _may_wait(recorder):  # noqa: ASYNC110 - what is waited for happens in another thread
        await anyio.sleep(_POLL_SECONDS)
    return recorder.result(complete=done)


def _begin(recorder: Recorder) -> list[tuple[Any, int]]:
    recorder.settled = True
    targets = recorder.targets()
    if not exiting:
        recorder.start_writer()
    if recorder.writer is not None:
        recorder.writer.wake()
    return targets


def _may_wait(recorder: Recorder) -> bool:
    return recorder.writer is not None and recorder.writer.is_alive


def stop_recorder(recorder: Recorder, timeout: float) -> FlushResult:
    """Flush, stop the writer and close the journal, in about so many seconds."""
    deadline = monotonic() + timeout
    writer = recorder.writer
    recorder.settled = True
    targets = recorder.targets()
    if writer is not None and writer.is_alive:
        writer.wake()
        while not recorder.reached(targets) and monotonic() < deadline and _has_hope(writer):
            sleep(_POLL_SECONDS)
        left = max(deadline - monotonic(), 0.0)
        writer.stop(
            alone=not has_other_threads(writer.thread_idents()),
            mirror_seconds=min(left, _MIRRORS_AT_EXIT_SECONDS) if exiting else left,
        )
        writer.stopped.wait(
            max(deadline - monotonic(), _LAST_PASS_SECONDS) if _has_hope(writer) else _LAST_PASS_SECONDS
        )
    return recorder.result(complete=recorder.reached(targets))


def _has_hope(writer: "Writer") -> bool:
    """Tell whether waiting makes sense: at exit nobody waits for a database that is away."""
    return writer.is_alive and not (exiting and writer.unavailable_since is not None)
