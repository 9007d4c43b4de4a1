"""Brings what Langfuse has stored in a span of time into a ledger: observations first, then scores."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from asp_telemetry.importing.importer import Importer, open_import
from asp_telemetry.importing.item import Item
from asp_telemetry.importing.langfuse.foreign import Foreign
from asp_telemetry.importing.langfuse.lineage import Lineage
from asp_telemetry.importing.langfuse.mirrored import KEYS, is_ours, mirrored_items
from asp_telemetry.importing.langfuse.moments import utc
from asp_telemetry.importing.langfuse.reader import LangfuseReader, Tell, open_reader
from asp_telemetry.importing.langfuse.scores import score_items
from asp_telemetry.importing.summary import ImportSummary

if TYPE_CHECKING:
    from langfuse.api import ObservationV2

    from asp_telemetry.langfuse_project import LangfuseProject

SOURCE = "langfuse"
_MILLISECOND = timedelta(milliseconds=1)
# A position is how many ms of the span of time were come through from its end, plus one; this one is the end of it.
_DONE = 1 << 44
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError)


async def import_langfuse(
    url: str,
    project: "LangfuseProject",
    since: datetime,
    until: datetime,
    *,
    with_content: bool = False,
    tell: Tell = lambda _: None,
) -> ImportSummary:
    """Import what began in a span of time, and the scores of that time; what the ledger holds already is skipped.

    Memory holds a page at a time. What was interrupted goes on where it was when it is repeated with the same dates;
    repeated after it has ended, it begins anew and finds what has arrived late.

    Args:
        url: The ledger.
        project: The project, with its keys.
        since: The first moment, with a zone.
        until: The moment behind the last one.
        with_content: Whether inputs and outputs of other writers are wanted, without their secrets; those that our own
            mirror has sent are restored in any case.
        tell: Called with what is being done.

    Returns:
        What was done.

    Raises:
        ConfigurationError: If the keys or the address are wrong.
        SourceUnavailableError: If Langfuse does not answer; the import goes on when it is repeated.
        StoreUnavailableError: If the database cannot be reached or written now; likewise.
        MigrationError: If its schema is not the current one.
    """
    foreign = Foreign(with_content=with_content, now=datetime.now(UTC))
    async with (
        open_reader(project, tell) as reader,
        open_import(url, SOURCE) as importer,
    ):
        span = _Span(importer, project, since, until, tell)
        await _import_observations(span, reader, foreign)
        await _import_scores(span, reader)
        await span.forget()
        return importer.summary


class _Span:
    """Know how far a span of time was imported, from its end backwards: pages come the latest first.

    Args:
        importer: Writes.
        project: The project: each has positions of its own.
        since: The first moment.
        until: The moment behind the last one.
        tell: Called with how far it is.
    """

    def __init__(
        self, importer: Importer, project: "LangfuseProject", since: datetime, until: datetime, tell: Tell
    ) -> None:
        self.importer, self.since, self.until = importer, since, until
        self._tell = tell
        name = sha256(f"{project.base_url} {project.public_key}".encode()).hexdigest()[:12]
        self._name = f"{name}/{since:%Y-%m-%dT%H:%M:%S}/{until:%Y-%m-%dT%H:%M:%S}"

    def end(self, what: str) -> datetime | None:
        """Return the moment behind what is still to be read; None if all of it was."""
        done = self.importer.position(self._part(what))
        if done == _DONE:
            return None
        # What shares the last moment with what was written may not all have been.
        return min(self.until, self.until - (done - 2) * _MILLISECOND) if done else self.until

    async def write(self, what: str, items: Sequence[Item], earliest: datetime | None) -> None:
        """Write a page.

        Args:
            what: Observations or scores.
            items: What was on it.
            earliest: When its earliest began, if it is known that all later ones are written.
        """
        part = self._part(what)
        position = self.importer.position(part)
        if earliest is not None:
            through = max(timedelta(), self.until - earliest)
            position = max(position, min(through // _MILLISECOND + 1, _DONE - 1))
        await self.importer.write(part, items, position)
        if earliest is not None:
            self._tell(f"{what} back to {earliest:%Y-%m-%d %H:%M}, {self.importer.summary.found} found")

    async def put_aside(self, what: str, noun: str, origin: str, error: Exception) -> None:
        """Put aside what cannot be read."""
        reason = f"cannot be read: {type(error).__name__}: {error}"
        await self.importer.put_aside(self._part(what), noun, origin, reason)

    async def finish(self, what: str) -> None:
        """Write down that all of it was read."""
        await self.importer.write(self._part(what), [], _DONE)

    async def forget(self) -> None:
        """Let the next import of this span begin anew."""
        await self.importer.forget(self._name)

    def _part(self, what: str) -> str:
        return f"{self._name}/{what}"


async def _import_observations(span: _Span, reader: LangfuseReader, foreign: Foreign) -> None:
    lineage = Lineage(reader.surrounding)
    summary = span.importer.summary
    earliest: datetime | None = None
    end = span.end("observations")
    if end is None:
        return
    async for page in reader.observations(span.since, end, whole=KEYS):
        latest_of_each = {
            (one.trace_id, one.id): one
            for one in sorted(page, key=lambda one: utc(one.updated_at or one.start_time))
        }
        summary.notes["observations that Langfuse shows twice"] += len(page) - len(latest_of_each)
        theirs = [one for one in latest_of_each.values() if not is_ours(one)]
        await lineage.learn(theirs)
        items: list[Item] = []
        for one in latest_of_each.values():
            try:
                items += _items_of(one, foreign, lineage, summary)
            except _UNREADABLE as error:
                origin = f"observation {one.id} of trace {one.trace_id}"
                await span.put_aside("observations", "executions", origin, error)
        earliest = _ordered([utc(one.start_time) for one in page], earliest, span)
        await span.write("observations", items, earliest)
    await span.finish("observations")
    summary.notes = +summary.notes


def _items_of(one: "ObservationV2", foreign: Foreign, lineage: Lineage, summary: ImportSummary) -> list[Item]:
    if is_ours(one):
        return mirrored_items(one, foreign.now)
    items = foreign.items(one, lineage.agents(one), lineage.scope(one))
    if not items:
        summary.notes["observations that have not ended yet, left for a later import"] += 1
    return items


async def _import_scores(span: _Span, reader: LangfuseReader) -> None:
    summary = span.importer.summary
    earliest: datetime | None = None
    end = span.end("scores")
    if end is None:
        return
    async for page in reader.scores(span.since, end):
        items: list[Item] = []
        for score in page:
            try:
                found = score_items(score)
            except _UNREADABLE as error:
                await span.put_aside("scores", "defects", f"score {score.id}", error)
                continue
            if found is None:
                summary.notes["scores of other writers, which a ledger has no place for"] += 1
            elif not found:
                summary.notes[
                    "qualities of transformations, which only the ledger that exported has in full"
                ] += 1
            else:
                items += found
        earliest = _ordered([utc(score.timestamp) for score in page], earliest, span)
        await span.write("scores", items, earliest)
    await span.finish("scores")


def _ordered(moments: Sequence[datetime], before: datetime | None, span: _Span) -> datetime | None:
    """Return the earliest moment of a page, if time goes back as it should; else nobody knows what is still to come."""
    bound = span.until if before is None else before
    for moment in moments:
        if moment > bound:
            return before
        bound = moment
    return bound if moments else before
