"""Brings what hooks have taken down into the database, each once, and after it the transcripts that they name."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import anyio
import orjson

from asp_telemetry.clock import now_text
from asp_telemetry.errors import AspTelemetryError, PositionMovedError, RowRefusedError, StoreUnavailableError
from asp_telemetry.importing import Item, open_import
from asp_telemetry.integrations.claude_code import parts
from asp_telemetry.integrations.claude_code.execution import RowBuilder
from asp_telemetry.integrations.claude_code.hook_row import hook_row
from asp_telemetry.integrations.claude_code.import_transcripts import SOURCE, import_transcripts
from asp_telemetry.integrations.claude_code.seen_by_hooks import SeenByHooks
from asp_telemetry.integrations.claude_code.spool import Header, Spool
from asp_telemetry.integrations.claude_code.summary import TranscriptSummary
from asp_telemetry.settings import Settings
from asp_telemetry.sinks.database import Store
from asp_telemetry.stores import open_store
from asp_telemetry.writer.batch import Batch, Change, Checkpoint, Entry, Move, Rejection

_BATCH = 500
_PART = "hooks"
_WAIT_SECONDS = 60.0
_LOOK_SECONDS = 0.1
# Claude Code writes the last lines of a transcript about when it tells its hooks that the session ends.
_WRITTEN_SECONDS = 1.0


@dataclass
class HookSummary:
    """Tell what a drain of hooks has done.

    Attributes:
        stored: How many hooks were written.
        rejected: How many were put aside into rejected_records: what was no JSON, or the database refused.
        dropped: How many had been refused for want of room, by reason.
        left: Files that were left alone, and why.
        transcripts: What was read of the transcripts that the hooks named; None if they named none.
    """

    stored: int = 0
    rejected: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    transcripts: TranscriptSummary | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        told = None if self.transcripts is None else self.transcripts.as_dict()
        return {**vars(self), "transcripts": told}


class _Record(NamedTuple):
    start: int
    end: int
    data: bytes


def spool_of(settings: Settings) -> Spool:
    """Return the spool of a destination."""
    return Spool(settings.journal_dir, settings.destination)


async def drain_hooks(settings: Settings) -> HookSummary:
    """Write what hooks have taken down.

    Args:
        settings: Name the database and the folder of its journals.

    Returns:
        What was done.

    Raises:
        StoreUnavailableError: If the database cannot be used now; everything waits where it is.
        MigrationError: If its schema is not the current one and may not be changed.
    """
    summary, spool = HookSummary(), spool_of(settings)
    if not spool.is_waiting():
        return summary
    deadline = monotonic() + _WAIT_SECONDS
    while True:
        with spool.draining() as alone:
            # Whoever waited for too long goes on all the same: the positions in the database keep everything exact.
            if alone or monotonic() >= deadline:
                paths = await _drain(settings, spool, summary)
                break
        await anyio.sleep(_LOOK_SECONDS)
    if paths:
        over = [path for path, is_over in paths.items() if is_over]
        if over:
            await anyio.sleep(_WRITTEN_SECONDS)
        try:
            summary.transcripts = await import_transcripts(settings, paths, over=over)
        except StoreUnavailableError:
            raise
        except AspTelemetryError as error:
            summary.left.append(str(error))
    return summary


async def _drain(settings: Settings, spool: Spool, summary: HookSummary) -> dict[Path, bool]:
    """Work off all files; return the transcripts that were named, and whether their session has ended."""
    store = open_store(settings.database, auto_migrate=settings.auto_migrate)
    await store.open()
    named: dict[Path, bool] = {}
    try:
        spool.seal()
        for path in spool.sealed():
            try:
                with path.open("rb") as file:
                    header = Header(file.readline(), file.readline())
            except (OSError, ValueError) as error:
                summary.left.append(f"{path}: {error}")
                continue
            if header.destination != settings.destination:
                summary.left.append(f"{path}: it belongs to {header.destination}")
                continue
            if not await _File(path, header, store, summary).drain():
                continue
            named |= await _executions(settings, path, header)
            path.unlink(missing_ok=True)
            await store.forget(_journal(header))
    finally:
        with anyio.CancelScope(shield=True):
            await store.close()
    return named


class _File:
    """Write one sealed file."""

    def __init__(self, path: Path, header: Header, store: Store, summary: HookSummary) -> None:
        self._path = path
        self._header = header
        self._store = store
        self._summary = summary
        self._lane = f"{_journal(header)}/0"
        self._now = now_text()

    async def drain(self) -> bool:
        """Write what the database does not have of it; return whether it has everything."""
        reached = await self._store.checkpoints(_journal(self._header))
        before = reached.get(self._lane, Checkpoint())
        try:
            batch: list[_Record] = []
            for record in _records(self._path, max(before.position, self._header.length)):
                batch.append(record)
                if len(batch) >= _BATCH:
                    before = await self._write(batch, before)
                    batch = []
            if batch:
                before = await self._write(batch, before)
            if self._header.refused and not before.dropped:
                after = Checkpoint(before.position + 1, before.stored, before.rejected, self._header.refused)
                await self._store.write(Batch([], [self._move(before, after)]))
                for reason, count in self._header.refused.items():
                    self._summary.dropped[reason] = self._summary.dropped.get(reason, 0) + count
        except PositionMovedError:
            return False  # another drain is at it, or has finished it
        return True

    async def _write(self, records: list[_Record], before: Checkpoint) -> Checkpoint:
        entries: list[Entry] = []
        rejections: list[Rejection] = []
        for record in records:
            found = self._entry(record)
            if isinstance(found, Entry):
                entries.append(found)
            else:
                rejections.append(found)
        try:
            return await self._commit(entries, rejections, records[-1].end, before)
        except RowRefusedError as refusal:
            if len(records) > 1:
                half = len(records) // 2
                return await self._write(records[half:], await self._write(records[:half], before))
            told = {"bytes": len(records[0].data)}
            refused = self._rejection(records[0], told, str(refusal))
            return await self._commit([], [refused], records[-1].end, before)

    async def _commit(
        self, entries: list[Entry], rejections: list[Rejection], end: int, before: Checkpoint
    ) -> Checkpoint:
        after = Checkpoint(
            end, before.stored + len(entries), before.rejected + len(rejections), before.dropped
        )
        await self._store.write(Batch(entries, [self._move(before, after)], rejections))
        self._summary.stored += len(entries)
        self._summary.rejected += len(rejections)
        return after

    def _move(self, before: Checkpoint, after: Checkpoint) -> Move:
        return Move(self._lane, before.position, after, self._path.exists)

    def _entry(self, record: _Record) -> Entry | Rejection:
        told = _parsed(record.data)
        if told is None:
            return self._rejection(record, {"bytes": len(record.data)}, "the line of a hook was cut off")
        if "event" not in told:
            known = {"at": told["at"], "size": told.get("size")}
            return self._rejection(
                record, known, f"the input of a hook was left out: {told.get('unreadable')}"
            )
        name = f"{self._header.identity} {record.start}"
        row = hook_row(told, name, self._now)
        return Entry(self._lane, record.start, record.end, Change.HOOK, row)

    def _rejection(self, record: _Record, told: dict[str, Any], reason: str) -> Rejection:
        return Rejection(self._lane, record.start, orjson.dumps(told).decode(), reason)


async def _executions(settings: Settings, path: Path, header: Header) -> dict[Path, bool]:
    """Write the executions of sessions whose transcript cannot be read; return those of the others, and which have ended."""
    seen, rows = SeenByHooks(), RowBuilder(settings)
    readable: dict[Path, bool] = {}
    named: dict[Path, bool] = {}
    items: list[Item] = []
    async with open_import(settings.database, SOURCE, auto_migrate=settings.auto_migrate) as importer:
        for record in _records(path, header.length):
            told = _parsed(record.data)
            if told is None or "event" not in told:
                continue
            written = parts.text(told["event"], "transcript_path")
            if written is not None and written.endswith(".jsonl"):
                transcript = Path(written)
                if transcript not in readable:
                    readable[transcript] = _is_readable(transcript)
                if readable[transcript]:
                    named[transcript] = told["event"]["hook_event_name"] == "SessionEnd"
                    continue
            items.extend(rows.item(found)[0] for found in seen.feed(told["event"], told["at"]))
            if len(items) >= _BATCH:
                await importer.write(_PART, items, importer.position(_PART))
                items.clear()
        if items:
            await importer.write(_PART, items, importer.position(_PART))
    return named


def _records(path: Path, start: int) -> Iterator[_Record]:
    with path.open("rb") as file:
        file.seek(start)
        for data in file:
            end = start + len(data)
            if data.strip():
                yield _Record(start, end, data)
            start = end


def _parsed(data: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("at"), int):
        return None
    event = found.get("event")
    whole = isinstance(event, dict) and isinstance(found.get("took"), int)
    return found if whole or "unreadable" in found else None


def _is_readable(path: Path) -> bool:
    try:
        if not path.is_file():
            return False  # a pipe would be waited for
        with path.open("rb") as file:
            return bool(file.read(1))
    except OSError:
        return False


def _journal(header: Header) -> str:
    return f"hooks-{header.identity}"
