"""Drains journals from outside the processes that fill them: what `asp-telemetry drain` does."""

import gc
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import anyio

from asp_telemetry.database_url import (
    absolute_database,
    default_journal_dir,
    destination_of,
    is_sqlite,
    sqlite_path,
)
from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.guard import note
from asp_telemetry.journal.outlet import find_journals
from asp_telemetry.journal.supply import excess_bytes, segment_bytes
from asp_telemetry.settings import Settings
from asp_telemetry.sinks.database import DatabaseSink
from asp_telemetry.sinks.mirrors import make_mirrors
from asp_telemetry.stores import open_store
from asp_telemetry.stores.committed import open_committed
from asp_telemetry.writer.adoption import Adoption
from asp_telemetry.writer.drainer import Drainer
from asp_telemetry.writer.mirrors import Mirrors

_INTERVAL_SECONDS = 0.25
_LOOK_SECONDS = 1.0
# The rows of a batch hold no cycles and die with it; to look for some among them costs a tenth of the drain.
_COLLECT_GARBAGE_AFTER = 100_000


class DrainSummary(NamedTuple):
    """Tell what a drain has done.

    Attributes:
        records: How many records were committed, those put aside as rejected included.
        journals: How many journals were finished and deleted.
        abandoned: How many executions were marked as abandoned.
        living: How many journals of living processes were drained as far as they went.
        elsewhere: Folders of journals that belong to another database, and were left alone.
        stranded: Those of them that were begun into another database at this very address, and wait for `force`.
        kept: Folders of journals of which the database has everything, each with the mirrors that it is kept for.
        forgotten: Of how many journals a mirror was forgotten.
    """

    records: int
    journals: int
    abandoned: int
    living: int
    elsewhere: tuple[str, ...]
    stranded: tuple[str, ...]
    kept: dict[str, tuple[str, ...]]
    forgotten: int = 0


async def drain_all(
    settings: Settings,
    *,
    follow: bool = False,
    force: bool = False,
    copied_from: str | None = None,
    forget: str | None = None,
    use_locks: bool = True,
    report: Callable[[DrainSummary], None] | None = None,
) -> DrainSummary:
    """Drain what dead processes, and living ones without a writer, have journalled for a destination.

    Args:
        settings: Names the destination and the folder of its journals.
        follow: Whether to go on until cancelled, as a sidecar does; an unavailable database is waited for.
        force: Whether to drain also what was begun into another database at the same address.
        copied_from: The URL of a database that this one is a copy of: its journals are drained, too, from the positions
            that were copied with its rows.
        forget: A mirror that journals of dead processes, and those of processes without a writer, owe nothing any more.
        use_locks: Whether to leave alone what another drainer has locked.
        report: Called whenever records have been committed.

    Returns:
        What was done.

    Raises:
        StoreUnavailableError: If the database cannot be written, unless it is followed; or if there is neither a
            database nor a journal for it.
        MigrationError: If the database cannot be used as it is.
        ConfigurationError: If the URL in `copied_from` cannot be used.
    """
    places = _places(settings, copied_from)
    if not follow:
        _require_something(settings, places)
    sink = DatabaseSink(open_store(settings.database, auto_migrate=settings.auto_migrate))
    drainer = Drainer(sink, considerate=False, prices=settings.prices)
    mirrors = Mirrors(
        make_mirrors(settings),
        drainer,
        considerate=False,
        prices=settings.prices,
        committed=open_committed(settings.database),
    )
    adoption = Adoption(
        [folder for folder, _ in places],
        settings.destination,
        None,
        copied_from=places[-1][1],
        also_living=True,
        force=force,
        use_locks=use_locks,
        # Whoever gets the summary is told there.
        log_stranded=follow,
    )
    records, forgotten, look_at = 0, 0, 0.0
    collect_as_before = _collect_garbage_rarely()
    mirrors.start(lambda: adoption.outlets)
    try:
        while True:
            try:
                looks = monotonic() >= look_at
                if looks:
                    adoption.look(await sink.open())
                    forgotten += _forget(forget, adoption)
                    _make_room(settings if follow else None, adoption, mirrors)
                    look_at = monotonic() + _LOOK_SECONDS
                count = await drainer.drain(list(adoption.outlets))
                records += count
                # Under a steady load no pass ever finds nothing.
                if looks or count == 0:
                    await adoption.finish(drainer, sink, mirrors)
                if count:
                    if report is not None:
                        report(_summary(records, forgotten, adoption, mirrors))
                    continue
            except StoreUnavailableError as error:
                if not follow:
                    raise
                note("the database cannot be written just now", error, "it is tried again until it can")
            if not follow:
                await mirrors.settle(adoption.outlets)
                await adoption.finish(drainer, sink, mirrors)
                return _summary(records, forgotten, adoption, mirrors)
            await anyio.sleep(_INTERVAL_SECONDS)
    finally:
        collect_as_before()
        await mirrors.stop()
        adoption.release()
        await sink.close()


def _forget(mirror: str | None, adoption: Adoption) -> int:
    """Let journals owe nothing more to a mirror; return how many did."""
    owing = [outlet for outlet in adoption.outlets if mirror is not None and mirror in outlet.header.mirrors]
    for outlet in owing:
        outlet.forget_sink(str(mirror))
    return len(owing)


def _make_room(settings: Settings | None, adoption: Adoption, mirrors: Mirrors) -> None:
    """Do for processes without a writer what a writer does for its own: mirrors give way before records are refused."""
    if settings is None:
        return
    excess = excess_bytes(segment_bytes(settings.journal_dir), settings.journal_max_bytes)
    if excess:
        mirrors.relieve(adoption.outlets, excess)
        adoption.give_up(excess)


def _summary(records: int, forgotten: int, adoption: Adoption, mirrors: Mirrors) -> DrainSummary:
    return DrainSummary(
        records,
        adoption.finished,
        adoption.abandoned,
        living=sum(not outlet.is_final() for outlet in adoption.outlets),
        elsewhere=tuple(str(outlet.directory) for outlet in adoption.elsewhere),
        stranded=tuple(str(outlet.directory) for outlet in adoption.stranded()),
        kept={str(outlet.directory): outlet.header.mirrors for outlet in adoption.kept}
        | {str(outlet.directory): owed for outlet in adoption.outlets if (owed := mirrors.owed(outlet))},
        forgotten=forgotten,
    )


def _places(settings: Settings, copied_from: str | None) -> list[tuple[Path, str]]:
    """Return the folders to look in, each with the destination of the journals that belong here."""
    places = [(settings.journal_dir, settings.destination)]
    if copied_from is not None:
        before = absolute_database(copied_from)
        places.append((default_journal_dir(before, os.environ), destination_of(before)))
    return places


def _require_something(settings: Settings, places: list[tuple[Path, str]]) -> None:
    """Refuse to make an empty database where somebody has only mistaken the folder."""
    if not is_sqlite(settings.database) or sqlite_path(settings.database).exists():
        return
    destinations = {destination for _, destination in places}
    if not any(
        found.header.destination in destinations for base, _ in places for found in find_journals(base)
    ):
        raise StoreUnavailableError(
            f"{sqlite_path(settings.database)} does not exist, and no journal waits for it in "
            f"{settings.journal_dir}; check the folder and --database, or run asp-telemetry init"
        )


def _collect_garbage_rarely() -> Callable[[], None]:
    often, *less_often = gc.get_threshold()
    if often:
        gc.set_threshold(max(often, _COLLECT_GARBAGE_AFTER), *less_often)
    return partial(gc.set_threshold, often, *less_often)
