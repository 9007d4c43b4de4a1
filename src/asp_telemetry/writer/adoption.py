"""Finds the journals that dead processes have left and finishes them: drain, mark the abandoned, delete."""

from collections.abc import Iterable
from pathlib import Path

from asp_telemetry.guard import note
from asp_telemetry.journal.outlet import ForeignOutlet, find_journals
from asp_telemetry.journal.remains import remove_remains
from asp_telemetry.journal.supply import segment_bytes
from asp_telemetry.writer.drainer import Drainer
from asp_telemetry.writer.mirrors import Mirrors
from asp_telemetry.writer.sink import Sink


class Adoption:
    """Keep the foreign journals that this process drains.

    Args:
        bases: The folders to look in.
        destination: Only journals of this destination are touched.
        own: The id of this process's own journal, if it has one.
        copied_from: One more destination whose journals are touched: that of the database which this one is a copy of.
        also_living: Whether to follow living processes that have no writer, as a sidecar does.
        force: Whether to drain also what was begun into another database at the same address.
        use_locks: Whether to respect the locks that spare two drainers the same work.
        log_stranded: Whether to log what was begun into another database; else the caller tells of `elsewhere`.
    """

    def __init__(
        self,
        bases: Iterable[Path],
        destination: str,
        own: str | None,
        *,
        copied_from: str | None = None,
        also_living: bool = False,
        force: bool = False,
        use_locks: bool = True,
        log_stranded: bool = True,
    ) -> None:
        self._bases = list(dict.fromkeys(bases))
        self._destinations = (destination, copied_from)
        self._own = own
        self._also_living = also_living
        self._force = force
        self._use_locks = use_locks
        self._log_stranded = log_stranded
        self.outlets: list[ForeignOutlet] = []
        self.elsewhere: list[ForeignOutlet] = []
        self.finished = 0
        self.abandoned = 0
        self.kept: list[ForeignOutlet] = []
        """Journals of which the database has everything, and which are left to whoever has the mirrors that they owe."""
        self._ended: set[str] = set()

    def look(self, identity: str | None) -> None:
        """Claim what has appeared since the last look.

        Args:
            identity: The database's identity: a journal begun into another one is left alone.
        """
        for outlet in self.outlets:
            outlet.refresh()
        known = {outlet.journal_id for outlet in [*self.outlets, *self.kept]} | {self._own}
        self.elsewhere = []
        for base in self._bases:
            remove_remains(base)
            for found in find_journals(base):
                if found.journal_id in known:
                    continue
                begun_in = found.header.database_id
                if found.header.destination not in self._destinations or (
                    not self._force and begun_in is not None and identity is not None and begun_in != identity
                ):
                    self.elsewhere.append(found)
                elif found.claim(also_living=self._also_living, lock=self._use_locks):
                    self.outlets.append(found)
        for found in self.stranded() if self._log_stranded else ():
            note(
                "a journal belongs to a database that is no longer here",
                remedy=f"{found.directory} waits; `asp-telemetry drain --force` writes it into this one",
            )

    def stranded(self) -> list[ForeignOutlet]:
        """Return those left alone that were begun into another database at this very address."""
        return [found for found in self.elsewhere if found.header.destination == self._destinations[0]]

    async def finish(self, drainer: Drainer, sink: Sink, mirrors: Mirrors) -> None:
        """End the journals of which everything is committed and nothing can come any more."""
        self.kept = [outlet for outlet in self.kept if outlet.is_there()]
        for outlet in list(self.outlets):
            if not outlet.is_final() or not drainer.is_drained(outlet):
                continue
            if outlet.journal_id not in self._ended:
                self.abandoned += await sink.abandon(outlet.journal_id)
                self._ended.add(outlet.journal_id)
            owed = mirrors.owed(outlet)
            if owed:
                if mirrors.are_strange(owed):
                    outlet.release()
                    self._leave(outlet, drainer, mirrors)
                    self.kept.append(outlet)
                continue
            if outlet.delete():
                await sink.forget(outlet.journal_id)
            self._leave(outlet, drainer, mirrors)
            self.finished += 1

    def _leave(self, outlet: ForeignOutlet, drainer: Drainer, mirrors: Mirrors) -> None:
        drainer.forget(outlet.journal_id)
        mirrors.forget(outlet.journal_id)
        self._ended.discard(outlet.journal_id)
        self.outlets.remove(outlet)

    def give_up(self, excess_bytes: int) -> None:
        """Delete the oldest of the journals that are kept for mirrors alone, since there is no room left for records.

        Args:
            excess_bytes: How much room is needed.
        """
        for outlet in list(self.kept):
            if excess_bytes <= 0:
                return
            if not outlet.claim(also_living=False, lock=self._use_locks):
                continue
            excess_bytes -= segment_bytes(outlet.directory)
            note(
                "a journal was given up that was kept for a mirror alone",
                remedy=f"{outlet.directory} was owed to {', '.join(outlet.header.mirrors)}; the database has its records",
            )
            outlet.delete()  # its checkpoints stay in the database, where they do no harm
            self.kept.remove(outlet)

    def release(self) -> None:
        """Leave what is not finished to others."""
        for outlet in self.outlets:
            outlet.release()
        self.outlets = []
