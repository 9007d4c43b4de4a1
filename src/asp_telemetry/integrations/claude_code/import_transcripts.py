"""Brings transcripts into a ledger: each execution once, however often it is repeated, and whoever tells of it."""

import os
import time
from collections.abc import AsyncIterator, Callable, Collection
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio.lowlevel import checkpoint

from asp_telemetry.capture.answers.fields import UsageError
from asp_telemetry.capture.content import content
from asp_telemetry.importing import Importer, Item, open_import
from asp_telemetry.integrations.claude_code import parts
from asp_telemetry.integrations.claude_code.conversation import Conversation, Launch
from asp_telemetry.integrations.claude_code.execution import Execution, RowBuilder
from asp_telemetry.integrations.claude_code.identity import prompt_id, tool_id
from asp_telemetry.integrations.claude_code.lines import Line, Lines, Unread, begins_line
from asp_telemetry.integrations.claude_code.summary import TranscriptSummary
from asp_telemetry.integrations.claude_code.transcripts import Session, find_sessions, told_of
from asp_telemetry.settings import Settings

if TYPE_CHECKING:
    from asp_telemetry.writer.money import Value

SOURCE = "claude-code"

OVER_AFTER_SECONDS = 24 * 3600.0
"""A file to which nobody has written for so long gets nothing more: what is unfinished in it was given up."""

_BATCH = 500
_PAUSE_AFTER = 2000

Report = Callable[[TranscriptSummary, str], None]


async def import_transcripts(
    settings: Settings,
    paths: Collection[Path],
    *,
    over: Collection[Path] = (),
    report: Report | None = None,
    now: float | None = None,
) -> TranscriptSummary:
    """Write what transcripts tell into the ledger, as far as it does not hold it.

    Of a file only what is new is read, from the turn on that was not over the last time. Memory does not grow with the
    length of the files.

    Args:
        settings: Name the ledger, and say whose the executions are and whether content is stored.
        paths: Transcripts, or folders of them.
        over: Those of them whose session has ended, so that what is unfinished in them was given up.
        report: Called now and then with what was done so far and the file that is read just now.
        now: The time in seconds since the epoch; the clock's if left out.

    Returns:
        What was done.

    Raises:
        ConfigurationError: If a path does not exist.
        StoreUnavailableError: If the database cannot be used now; repeated, the import goes on.
        PositionMovedError: If another import is at work on the same file.
    """
    async with open_import(settings.database, SOURCE, auto_migrate=settings.auto_migrate) as importer:
        work = _Import(settings, importer, report, time.time() if now is None else now)
        work.over = frozenset(over)
        for path in paths:
            for session in find_sessions(path):
                await work.session(session)
        return work.summary


class _Import:
    """Import sessions one after the other."""

    def __init__(self, settings: Settings, importer: Importer, report: Report | None, now: float) -> None:
        self.summary = TranscriptSummary(written=importer.summary)
        self._importer = importer
        self._report = report
        self._now = now
        self.over: frozenset[Path] = frozenset()
        self._rows = RowBuilder(settings)
        self._keep: Callable[[Any], Any] | None = content if settings.capture_content else None

    async def session(self, session: Session) -> None:
        """Import what is new of a session and its sub-agents."""
        self.summary.sessions += 1
        launches: dict[str, Launch] = {}
        if session.main is not None:
            await self._guarded(session.main, session.name, None, launches)
        if session.main in self.over:
            self.over |= frozenset(session.agents.values())
        waiting = {agent: path for agent, path in session.agents.items() if not self._is_settled(path)}
        if session.main is not None and any(
            _launch(path, agent, launches) is None for agent, path in waiting.items()
        ):
            self._find_launches(session.main, session.name, launches)
        # A sub-agent may have started others: those come once its own transcript has been read.
        while waiting:
            ready = [agent for agent in waiting if agent in launches] or list(waiting)
            for agent in ready:
                await self._guarded(waiting.pop(agent), session.name, agent, launches)

    async def _guarded(
        self, path: Path, session: str, agent: str | None, launches: dict[str, Launch]
    ) -> None:
        self.summary.files += 1
        try:
            await self._file(path, session, agent, launches)
        except OSError as error:
            self.summary.broken.append(f"{path}: {error.strerror or error}")
        if self._report is not None:
            self._report(self.summary, str(path))

    async def _file(self, path: Path, session: str, agent: str | None, launches: dict[str, Launch]) -> None:
        found, part = path.stat(), _part(path)  # noqa: ASYNC240 - as short as a step of the loop
        reached = self._importer.position(part)
        # One that is shorter was replaced; all of it is read, and what is known is known by its ids.
        start = reached if reached <= found.st_size and begins_line(path, reached) else 0
        if start == found.st_size:
            return
        whole = path in self.over or self._now - found.st_mtime >= OVER_AFTER_SECONDS
        launch = _launch(path, agent, launches)
        if agent is not None and launch is None and not whole:
            return  # it has just been started; what has started it will be told soon
        talk = Conversation(session, self._keep, sub_agent=agent, launch=launch)
        lines = Lines(path, start, self.summary.unread)
        written = reached
        batch: list[Execution] = []
        async for line in _paced(lines):
            batch.extend(talk.feed(line))
            if len(batch) >= _BATCH:
                written = await self._write(part, batch, written, talk.begins, lines.position)
                batch.clear()
        begins = talk.begins
        batch.extend(talk.finish(whole=whole))
        await self._write(part, batch, written, None if whole else begins, lines.position)
        launches |= talk.launches
        self.summary.prompts += talk.prompts
        self.summary.unknown.update(talk.unknown)

    async def _write(
        self, part: str, found: list[Execution], reached: int, begins: int | None, position: int
    ) -> int:
        """Write a batch; the position stays before a turn that may go on."""
        items: list[Item] = []
        told: dict[int, tuple[Execution, list[Value]]] = {}
        for execution in found:
            try:
                item, values = self._rows.item(execution)
            except UsageError as error:
                self.summary.written.notes[f"answers whose usage cannot be: {error}"] += 1
                execution.usage = None
                item, values = self._rows.item(execution)
            items.append(item)
            told[id(item)] = execution, values
        absent = await self._importer.ledger.absent(items)
        refused = self.summary.written.rejected.total()
        after = max(reached, position if begins is None else begins)
        await self._importer.write(part, absent, after)
        self.summary.written.skipped["executions"] += len(items) - len(absent)
        if self.summary.written.rejected.total() == refused:
            for item in absent:
                self.summary.add(*told[id(item)])
        return after

    def _is_settled(self, path: Path) -> bool:
        try:
            return path.stat().st_size == self._importer.position(_part(path))
        except OSError:
            return False  # told when it is read

    def _find_launches(self, path: Path, session: str, launches: dict[str, Launch]) -> None:
        """Read all of a transcript for the sub-agents that it has started before what was new."""
        talk = Conversation(session, None)
        try:
            for line in Lines(path, 0, Unread()):
                for _ in talk.feed(line):
                    pass
        except OSError:
            return  # told when it was read before
        for agent, launch in talk.launches.items():
            launches.setdefault(agent, launch)


def _launch(path: Path, agent: str | None, launches: dict[str, Launch]) -> Launch | None:
    """Return how a sub-agent was started: as the transcript of the session says, else the file beside its own."""
    if agent is None:
        return None
    known = launches.get(agent)
    call, role = told_of(path)
    if known is not None:
        return known if known.role is not None else known._replace(role=role)
    prompt = None if call is None else _prompt_of(path)
    if call is None or prompt is None:
        return None
    return Launch(prompt_id(prompt), tool_id(call), role)


def _prompt_of(path: Path) -> str | None:
    """Return the prompt in whose answer a sub-agent was started, if its first line says so."""
    try:
        first = next(iter(Lines(path, 0, Unread())), None)
    except OSError:
        return None  # told when it is read
    return None if first is None else parts.text(first.value, "promptId")


def _part(path: Path) -> str:
    """Name a file among the positions: another one of the same name is another part."""
    found = path.stat()
    place = f"{os.path.realpath(path)} {found.st_dev} {found.st_ino}"
    return f"{path.stem[:60]}-{sha256(place.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"


async def _paced(lines: Lines) -> AsyncIterator[Line]:
    """Let others run now and then: a command shows its progress meanwhile, and can be stopped."""
    for number, line in enumerate(lines):
        yield line
        if number % _PAUSE_AFTER == 0:
            await checkpoint()
