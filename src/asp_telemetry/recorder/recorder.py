"""One journal and the writer that drains it, for one destination."""

from time import monotonic, perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from asp_telemetry import guard
from asp_telemetry.capture import state
from asp_telemetry.forks import imports
from asp_telemetry.journal.layout import CLOCK, FLAGS, REASONS, STATE, Flag, Kind
from asp_telemetry.recorder.routing import mark_of

if TYPE_CHECKING:
    from pathlib import Path
    from threading import RLock

    from asp_telemetry.settings import Settings
    from asp_telemetry.writer.thread import Writer

_SETTLE_SECONDS = 1.0
_OPEN_NS = 1_000_000_000


class FlushResult(NamedTuple):
    """Tell what became of what had been recorded before a flush.

    Attributes:
        complete: Whether all of it is committed, or accounted for as rejected or dropped.
        pending: How many records still wait in the journal.
        rejected: How many records of this process the database has refused.
        dropped: How many records of this process could not be kept.
        sinks: The same figures per sink; a mirror's may lag behind, `complete` does not speak of them.
    """

    complete: bool
    pending: int
    rejected: int
    dropped: int
    sinks: dict[str, dict[str, Any]]


class Recorder:
    """Own one journal and the writer that drains it, for one destination."""

    def __init__(self, settings: "Settings", lock: "RLock", *, settled: bool) -> None:
        from asp_telemetry.journal.header import JournalHeader  # noqa: PLC0415 - imported at the first record
        from asp_telemetry.journal.journal import Journal, new_journal_id  # noqa: PLC0415
        from asp_telemetry.journal.lane import make_append  # noqa: PLC0415

        self.settings = settings
        self._lock = lock
        self.settled = settled
        self.draining = False
        self.made_at = monotonic()
        self.early_base: Path | None = None
        self.block: str | None = None  # whose executions it records: those of one block, or those of none
        header = JournalHeader(
            journal_id=new_journal_id(),
            destination=settings.destination,
            writer=settings.writer,
            sinks=settings.sinks,
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
        with imports:
            from asp_telemetry.writer.thread import Writer  # noqa: PLC0415 - a host without a writer never needs it

        self.writer = Writer(
            self.journal,
            self._make_sink,
            self._make_adoption,
            self.record_open,
            self._may_begin,
            lambda: self.settings.prices,
            self._make_mirrors,
            self._make_committed,
        )
        self.journal.wake = self.writer.wake_housekeeper
        self.writer.start()

    def _may_begin(self) -> bool:
        with self._lock:
            if self.settled or monotonic() - self.made_at >= _SETTLE_SECONDS:
                self.draining = True
            return self.draining

    def _make_sink(self) -> Any:
        self.draining = True
        from asp_telemetry.sinks.database import DatabaseSink  # noqa: PLC0415 - imported in the writer's thread
        from asp_telemetry.stores import open_store  # noqa: PLC0415

        return DatabaseSink(open_store(self.settings.database, auto_migrate=self.settings.auto_migrate))

    def _make_mirrors(self) -> Any:
        if self.settings.sinks == ("database",):
            return ()
        from asp_telemetry.sinks.mirrors import make_mirrors  # noqa: PLC0415 - imported in the writer's thread

        return make_mirrors(self.settings)

    def _make_committed(self) -> Any:
        from asp_telemetry.stores.committed import open_committed  # noqa: PLC0415 - imported in the writer's thread

        return open_committed(self.settings.database)

    def _make_adoption(self) -> Any:
        from asp_telemetry.writer.adoption import Adoption  # noqa: PLC0415 - imported in the writer's thread

        bases = [self.settings.journal_dir, *([self.early_base] if self.early_base is not None else [])]
        return Adoption(bases, self.settings.destination, self.journal.journal_id)

    def record_open(self) -> bool:
        """Record the executions that have been open for over a second, each once; tell whether any is open at all."""
        live = state.live
        if not live:
            self._opened.clear()
            return False
        try:
            spans = list(live.items())
        except RuntimeError:
            return True  # it changed while we looked; the next pass looks again
        now = perf_counter_ns()
        for span_id, span in spans:
            if span_id in self._opened or not span[CLOCK] or mark_of(span) != self.block:
                continue
            if now - span[CLOCK] < _OPEN_NS:
                break  # the rest began later
            self._opened.add(span_id)
            if not span[STATE] and not span[FLAGS] & int(Flag.UNSAMPLED):
                self.append(Kind.OPEN, 0, 0, span, None)
        self._opened &= set(live)
        return True

    def _committed(self) -> dict[int, Any]:
        """Return the checkpoints of this moment, by the number of the lane."""
        drainer = None if self.writer is None else self.writer.drainer
        states = [] if drainer is None else drainer.states(self.journal.journal_id)
        return {found.number: found.committed for found in states}

    def targets(self) -> list[tuple[Any, int]]:
        """Return the lanes, and how far each must be committed so that all that is recorded now is."""
        return [(lane, lane.stamp) for lane in list(self.journal.all_lanes)]

    def reached(self, targets: list[tuple[Any, int]]) -> bool:
        """Tell whether the lanes have been committed that far."""
        committed = self._committed()
        return all(
            stamp == lane.first_stamp
            or (lane.number in committed and lane.first_stamp + committed[lane.number].passed >= stamp)
            for lane, stamp in targets
        )

    def result(self, *, complete: bool) -> FlushResult:
        """Return the figures of this moment."""
        sinks = self.figures()["sinks"]
        sink = sinks["database"]
        return FlushResult(complete, sink["pending"], sink["rejected"], sink["dropped"], sinks)

    def figures(self) -> dict[str, Any]:
        """Return what became of the records of this process; they add up."""
        # One look at each: callers append and the writer commits while the figures are added up.
        committed = self._committed().values()
        lanes = [(lane.stamp - lane.first_stamp, list(lane.refused)) for lane in list(self.journal.all_lanes)]
        kept = sum(count for count, _ in lanes)
        refused = [sum(counts) for counts in zip(*(counts for _, counts in lanes), strict=True)]
        lost = sum(checkpoint.lost for checkpoint in committed)
        pending = kept - sum(checkpoint.passed for checkpoint in committed)
        account = {
            "accepted": kept + sum(refused),
            "stored": sum(checkpoint.stored for checkpoint in committed),
            "pending": pending,
            "rejected": sum(checkpoint.rejected for checkpoint in committed),
            "dropped": sum(refused) + lost,
        }
        writer = self.writer
        mirrors = {
            name: self._mirror_figures(name, kept, refused)
            for name in self.settings.sinks
            if name != "database"
        }
        trouble_since = None if writer is None else writer.unavailable_since
        return {
            **account,
            "sinks": {"database": account, **mirrors},
            "drop_reasons": _reasons(refused, lost),
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

    def _mirror_figures(self, name: str, kept: int, refused: list[int]) -> dict[str, Any]:
        """Return what a mirror has made of the records of this process; they add up, too."""
        mirrors = None if self.writer is None else self.writer.mirrors
        found = {} if mirrors is None else mirrors.figures(self.journal.journal_id).get(name, {})
        stored, rejected, dropped = found.get("stored", 0), found.get("rejected", 0), found.get("dropped", {})
        pending = kept - stored - rejected - sum(dropped.values())
        reasons = _reasons(refused, 0)
        for reason, count in dropped.items():
            reasons[reason] = reasons.get(reason, 0) + count
        return {
            "accepted": kept + sum(refused),
            "stored": stored,
            "pending": pending,
            "rejected": rejected,
            "dropped": sum(reasons.values()),
            "drop_reasons": reasons,
            "lag_seconds": found.get("caught_up_seconds", 0.0) if pending else 0.0,
            "last_verdict": found.get("last_verdict"),
        }


def _reasons(refused: list[int], lost: int) -> dict[str, int]:
    reasons = {**dict(zip(REASONS, refused, strict=False)), "lost": lost}
    return {reason: count for reason, count in reasons.items() if count}
