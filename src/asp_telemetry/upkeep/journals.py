"""Looks into the journals that wait for a database: whose they are, and since when their records wait."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import time_ns

from asp_telemetry.clock import utc_text
from asp_telemetry.journal.counters import read_counters
from asp_telemetry.journal.header import FILE_NAME
from asp_telemetry.journal.layout import CELLS
from asp_telemetry.journal.outlet import ForeignOutlet, find_journals
from asp_telemetry.journal.progress import Progress
from asp_telemetry.journal.reader import SLOT_STAMP
from asp_telemetry.journal.supply import segment_bytes
from asp_telemetry.settings import Settings
from asp_telemetry.upkeep.results import LaneFigures

# The places of a record's start and duration in its slot, in ns: `journal.layout.SLOT`.
_STARTED, _DURATION = 9, 10


@dataclass(frozen=True)
class MirrorState:
    """Say what a journal still owes to a mirror.

    Attributes:
        pending: How many of its records the mirror has not got yet.
        waiting_seconds: For how long the oldest of them has been waiting; None if none waits.
        dropped: How many the mirror never gets, by reason; the database has them.
        last_verdict: What the mirror said last, for people; None before the first time.
    """

    pending: int
    waiting_seconds: float | None
    dropped: Mapping[str, int]
    last_verdict: str | None


@dataclass(frozen=True)
class FoundJournal:
    """Say what a journal holds, and what will become of it; times are UTC text.

    Attributes:
        directory: Where it lies.
        process_id: The process that filled it.
        alive: Whether that process still runs.
        writer: Whether that process drains it by itself.
        stranded: Whether it was begun into another database at the same address, so that nobody drains it.
        bytes: What its files take.
        pending: How many of its records wait; None if nobody can tell.
        waiting_seconds: For how long its oldest record has been waiting; None if nothing waits, or nobody can tell.
        refused: How many records it could not take, by reason.
        refused_at: When it last could not take one.
        mirrors: What it still owes to mirrors, by their names.
    """

    directory: str
    process_id: int
    alive: bool
    writer: bool
    stranded: bool
    bytes: int
    pending: int | None
    waiting_seconds: float | None
    refused: Mapping[str, int]
    refused_at: str | None
    mirrors: Mapping[str, MirrorState]


def look_into_journals(
    settings: Settings, identity: str | None, lanes: Sequence[LaneFigures] | None
) -> tuple[FoundJournal, ...]:
    """Look into all journals of a destination; reads them, and leaves them to whoever drains them.

    Args:
        settings: Name the destination and the folder.
        identity: The id of the database, if it has one.
        lanes: How far the lanes have been stored; None where the database does not tell.

    Returns:
        One entry per journal, the oldest first; without those that this user may not read.
    """
    positions = None if lanes is None else {lane.lane: lane.position for lane in lanes}
    found = (
        _look_into(outlet, identity, positions)
        for outlet in find_journals(settings.journal_dir)
        if outlet.header.destination == settings.destination
    )
    return tuple(journal for journal in found if journal is not None)


def unreadable_journals(settings: Settings) -> tuple[str, ...]:
    """Name what this user may not look into: journals, or the folder of all of them.

    Args:
        settings: Name the folder.

    Returns:
        Paths; journals are readable by the user alone whose process has filled them.
    """
    folder = settings.journal_dir
    try:
        journals = sorted(path for path in folder.iterdir() if path.is_dir())
    except PermissionError:
        return (str(folder),)
    except OSError:
        return ()
    return tuple(str(path) for path in journals if _is_forbidden(path))


def count_elsewhere(settings: Settings) -> int:
    """Count the journals in the same folder that belong to other destinations."""
    return sum(
        outlet.header.destination != settings.destination for outlet in find_journals(settings.journal_dir)
    )


def _is_forbidden(journal: Path) -> bool:
    try:
        (journal / FILE_NAME).open("rb").close()
    except PermissionError:
        return True
    except OSError:
        return False  # being made, or being removed
    return False


def _look_into(
    outlet: ForeignOutlet, identity: str | None, positions: Mapping[str, int] | None
) -> FoundJournal | None:
    # Takes the locks for a moment only, so that whoever would adopt the journal does so a second later.
    try:
        outlet.refresh()
    except OSError:
        return None  # removed just now, or forbidden
    finally:
        outlet.release()
    begun_in = outlet.header.database_id
    refused = read_counters(outlet.directory).values()
    counts: dict[str, int] = {}
    for lane in refused:
        for reason, count in lane.counts.items():
            counts[reason] = counts.get(reason, 0) + count
    pending, waiting = (None, None) if positions is None else _waiting(outlet, positions)
    return FoundJournal(
        directory=str(outlet.directory),
        process_id=outlet.header.process_id,
        alive=not outlet.is_final(),
        writer=outlet.header.writer,
        stranded=begun_in is not None and identity is not None and begun_in != identity,
        bytes=segment_bytes(outlet.directory),
        pending=pending,
        waiting_seconds=waiting,
        refused=counts,
        refused_at=utc_text(max(lane.last for lane in refused)) if counts else None,
        mirrors={name: _mirror_state(outlet, name) for name in outlet.header.mirrors},
    )


def _mirror_state(outlet: ForeignOutlet, name: str) -> MirrorState:
    progress = Progress(outlet.directory, name)
    positions = {f"{outlet.journal_id}/{number}": lane.position for number, lane in progress.lanes.items()}
    pending, waiting = _waiting(outlet, positions)
    dropped: dict[str, int] = {}
    for lane in progress.lanes.values():
        for reason, count in lane.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + count
    return MirrorState(pending, waiting, dropped, progress.verdict)


def _waiting(outlet: ForeignOutlet, positions: Mapping[str, int]) -> tuple[int, float | None]:
    """Return how many records wait, and for how many seconds the oldest has."""
    pending, made = 0, []
    for lane in outlet.lanes():
        position = positions.get(f"{outlet.journal_id}/{lane}", 0)
        for record in outlet.reader(lane, position).read(1):
            made.append(record.slot[_STARTED] + record.slot[_DURATION])
            pending += _last_stamp(outlet, lane, position) - record.slot[SLOT_STAMP] + 1
    return pending, round(max(time_ns() - min(made), 0) / 1e9, 3) if made else None


def _last_stamp(outlet: ForeignOutlet, lane: int, position: int) -> int:
    """Return the stamp of a lane's last record; stamps count records, so that what lies between need not be read."""
    for number, _ in reversed(outlet.segments(lane)):
        if records := outlet.reader(lane, max(number * CELLS, position)).read(CELLS):
            return records[-1].slot[SLOT_STAMP]
    return -1
