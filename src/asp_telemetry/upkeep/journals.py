"""Looks into the journals that wait for a database: whose they are, and since when their records wait."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import time_ns

from asp_telemetry.clock import utc_text
from asp_telemetry.journal.counters import read_counters
from asp_telemetry.journal.outlet import ForeignOutlet, find_journals
from asp_telemetry.journal.supply import segment_bytes
from asp_telemetry.settings import Settings
from asp_telemetry.upkeep.results import LaneFigures

# The places of a record's start and duration in its slot, in ns: `journal.layout.SLOT`.
_STARTED, _DURATION = 9, 10


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
        waiting_seconds: For how long its oldest record has been waiting; None if nothing waits, or nobody can tell.
        refused: How many records it could not take, by reason.
        refused_at: When it last could not take one.
    """

    directory: str
    process_id: int
    alive: bool
    writer: bool
    stranded: bool
    bytes: int
    waiting_seconds: float | None
    refused: Mapping[str, int]
    refused_at: str | None


def look_into_journals(
    settings: Settings, identity: str | None, lanes: Sequence[LaneFigures] | None
) -> tuple[FoundJournal, ...]:
    """Look into all journals of a destination; reads them, and leaves them to whoever drains them.

    Args:
        settings: Name the destination and the folder.
        identity: The id of the database, if it has one.
        lanes: How far the lanes have been stored; None where the database does not tell.

    Returns:
        One entry per journal, the oldest first.
    """
    positions = None if lanes is None else {lane.lane: lane.position for lane in lanes}
    return tuple(
        _look_into(outlet, identity, positions)
        for outlet in find_journals(settings.journal_dir)
        if outlet.header.destination == settings.destination
    )


def count_elsewhere(settings: Settings) -> int:
    """Count the journals in the same folder that belong to other destinations."""
    return sum(
        outlet.header.destination != settings.destination for outlet in find_journals(settings.journal_dir)
    )


def _look_into(
    outlet: ForeignOutlet, identity: str | None, positions: Mapping[str, int] | None
) -> FoundJournal:
    # Takes the locks for a moment only, so that whoever would adopt the journal does so a second later.
    outlet.refresh()
    outlet.release()
    begun_in = outlet.header.database_id
    refused = read_counters(outlet.directory).values()
    counts: dict[str, int] = {}
    for lane in refused:
        for reason, count in lane.counts.items():
            counts[reason] = counts.get(reason, 0) + count
    return FoundJournal(
        directory=str(outlet.directory),
        process_id=outlet.header.process_id,
        alive=not outlet.is_final(),
        writer=outlet.header.writer,
        stranded=begun_in is not None and identity is not None and begun_in != identity,
        bytes=segment_bytes(outlet.directory),
        waiting_seconds=None if positions is None else _waiting_seconds(outlet, positions),
        refused=counts,
        refused_at=utc_text(max(lane.last for lane in refused)) if counts else None,
    )


def _waiting_seconds(outlet: ForeignOutlet, positions: Mapping[str, int]) -> float | None:
    made = []
    for lane in outlet.lanes():
        reader = outlet.reader(lane, positions.get(f"{outlet.journal_id}/{lane}", 0))
        made += [record.slot[_STARTED] + record.slot[_DURATION] for record in reader.read(1)]
    return round(max(time_ns() - min(made), 0) / 1e9, 3) if made else None
