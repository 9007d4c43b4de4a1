"""Gives a block of code a recorder, a journal and a database of its own, beside those of the program."""

import threading
from collections.abc import Iterable
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from asp_telemetry.capture.collecting import hold_contexts
from asp_telemetry.capture.definition import Scope
from asp_telemetry.forks import watch_forks
from asp_telemetry.journal.layout import SCOPE
from asp_telemetry.recorder import control, routing
from asp_telemetry.recorder.process import keep_forever
from asp_telemetry.recorder.recorder import FlushResult, Recorder
from asp_telemetry.recorder.waiting import flush_recorder

if TYPE_CHECKING:
    from asp_telemetry.capture.state import SpanList
    from asp_telemetry.settings import Settings

# What a program that calls configure() inside a block cannot change: where it records to.
_ITS_OWN = frozenset(
    {"database", "journal_dir", "journal_max_bytes", "journal_full", "block_seconds", "writer", "flush_on_sigterm",
     "exit_seconds", "auto_migrate"}
)  # fmt: skip
_numbers = count(1)


class Diversion:
    """Record what a block of code does apart from the program; `flush()`, `stats()` and the like inside it speak of it.

    Args:
        settings: Where to, and how.
        everywhere: Whether also code that has no context of its own, such as a plain thread, belongs to the block.
    """

    def __init__(self, settings: "Settings", *, everywhere: bool) -> None:
        self._first = settings
        self.settings = settings
        self.everywhere = everywhere
        self.mark = f"block {next(_numbers)}"
        self.scope = self._make_scope()
        self.frame: SpanList | None = None
        self._lock = threading.RLock()
        self.recorder = self._make_recorder()

    def _make_scope(self) -> Scope:
        return Scope({**self.settings.scope_facts, routing.BLOCK: self.mark})

    def _make_recorder(self) -> Recorder:
        recorder = Recorder(self.settings, self._lock, settled=True)
        recorder.block = self.mark
        return recorder

    def open(self) -> None:
        """Begin to record."""
        watch_forks()
        hold_contexts()
        self.recorder.start_writer()
        control.divert(self)

    def configure(self, wanted: "Settings", given: Iterable[str]) -> Recorder | None:
        """Record in another way, into the same place: what `configure()` does inside the block.

        Args:
            wanted: The settings that a program would have now.
            given: Which of them count: those that were stated, or all if they are to replace the block's own.

        Returns:
            The recorder that had begun with other prices or receivers, which are settled when draining begins; it is to
            be stopped. None if the block goes on with its own.
        """
        changed = {name: getattr(wanted, name) for name in given if name not in _ITS_OWN}
        old, self.settings = self.settings, replace(self._first, **changed)
        before = None
        new = self.settings
        if (old.prices, old.otlp, old.langfuse) == (new.prices, new.otlp, new.langfuse):
            self.recorder.settings = self.settings
        else:
            before = self.renew()
        self.scope = self._make_scope()
        if self.frame is not None:
            self.frame[SCOPE] = self.scope
        return before

    def renew(self) -> Recorder:
        """Go on with another journal; return the recorder of the one before, to be stopped."""
        with self._lock:
            before, self.recorder = self.recorder, self._make_recorder()
        self.recorder.start_writer()
        return before

    def close(self, timeout: float) -> FlushResult:
        """Stop recording, and commit what has been recorded; what ends later is let go.

        Args:
            timeout: How long to wait at most, in seconds.
        """
        control.undivert(self)
        recorder = self.recorder
        result = flush_recorder(recorder, timeout)
        writer = recorder.writer
        if writer is not None and writer.is_alive:
            # No record can come any more, whatever threads there are.
            writer.stop(alone=True)
            writer.stopped.wait(timeout)
        recorder.journal.close(delete=False)
        return result

    def after_fork(self) -> None:
        """Leave the parent's journal alone, and fill one of this child's own, which the parent drains."""
        inherited: Any = self.recorder
        if inherited.writer is not None and inherited.writer.sink is not None:
            keep_forever(inherited)
        self._lock = threading.RLock()
        self.settings = replace(self.settings, writer=False)
        self.recorder = self._make_recorder()
