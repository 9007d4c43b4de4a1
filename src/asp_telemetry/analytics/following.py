"""Follows executions while they begin and end: each is told once when it is seen running and once when it has ended."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import anyio
import orjson

from asp_telemetry.analytics.rows import Milliseconds, Rows, read_rows
from asp_telemetry.analytics.wording import worded
from asp_telemetry.stores.reader import Reader

_PAGE: Final = 1_000
_MOST_RUNNING: Final = 5_000
_NOBODY: Final = "00000000-0000-0000-0000-000000000000"
_FAILURES: Final = frozenset({"error", "timeout", "cancelled", "abandoned"})
# The clocks of machines differ, and what is written is committed a little later, not in the order of its times.
_OVERLAP: Final = timedelta(seconds=10)
_LATE: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class SeenExecution:
    """Be an execution as it was seen.

    Attributes:
        id: Its id, for `Analytics.trace`.
        root_id: Its trace.
        parent_id: The execution that called it; None for a root.
        kind: task, agent, generation, tool, ...
        name: What it is called.
        agent_role: The role of the nearest agent.
        task_id: Its task.
        user_id: Whose it is.
        started_at: When it began, in UTC.
        completed_at: When it ended; None while it runs.
        duration_ms: How long it took, in ms; None while it runs.
        status: in_progress, success, error, timeout, cancelled or abandoned.
        error_type: The type of its error.
        error_message: What the error said.
        usage: Model, tokens and cost of its answer, as the ledger has it.
        context: What has no column of its own.
        updated_at: When the row was written, by the clock of who wrote it.
    """

    id: str
    root_id: str
    parent_id: str | None
    kind: str | None
    name: str
    agent_role: str | None
    task_id: str | None
    user_id: str | None
    started_at: datetime
    completed_at: datetime | None
    duration_ms: Milliseconds | None
    status: str
    error_type: str | None
    error_message: str | None
    usage: Any
    context: Any
    updated_at: datetime

    @property
    def failed(self) -> bool:
        """Tell whether it has ended otherwise than well."""
        return self.status in _FAILURES

    @property
    def project_id(self) -> str | None:
        """Return its project."""
        found = self.context.get("project_id") if isinstance(self.context, dict) else None
        return None if found is None else str(found)


class Follower:
    """Follow the executions of one database; `Analytics.follow()` makes it.

    It reads what was written since it looked last, by the key of the time and the id, and looks back ten seconds for what
    was committed late. An execution that was seen running is awaited however long it takes; what comes more than five
    minutes after its beginning and was never seen running is not told.

    Args:
        reader: The database.
        role: Only executions of this agent role.
        project: Only those of this project.
        user: Only those of this user.
        failures: Only those that have failed.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        role: str | None = None,
        project: str | None = None,
        user: str | None = None,
        failures: bool = False,
    ) -> None:
        self._reader = reader
        self._wanted = {"agent_role": role, "project_id": project, "user_id": user}
        self._failures = failures
        self._since: datetime | None = None
        self._told: dict[str, SeenExecution] = {}
        self._running: dict[str, SeenExecution] = {}

    async def latest(self, number: int) -> Rows[SeenExecution]:
        """Return the executions that have begun last, the oldest first, and tell none of them again.

        Args:
            number: How many to look at; filters may leave fewer.

        Raises:
            StoreUnavailableError: If the database cannot be read now.
        """
        await self._begin()
        found = Rows(reversed(await self._read("latest", {"most": number})))
        self._new(found)
        return Rows(filter(self._is_wanted, found))

    async def poll(self) -> Rows[SeenExecution]:
        """Return what has begun or ended since the last look, in the order in which it was written.

        Raises:
            StoreUnavailableError: If the database cannot be read now; the next look goes on from the same place.
        """
        since = await self._begin()
        found = await self._written(since)
        if self._running:
            ids = orjson.dumps(list(self._running)).decode()
            found.extend(await self._read("finished", {"ids": ids}))
        told = self._new(found)
        # A clock that runs ahead must not make the others invisible.
        newest = max((execution.updated_at for execution in found), default=since)
        self._since = since = max(since, min(newest, datetime.now(UTC)))
        self._forget(since - 2 * _OVERLAP)
        return Rows(filter(self._is_wanted, told))

    async def follow(self, *, every: float = 1.0) -> AsyncIterator[SeenExecution]:
        """Yield executions for ever, as they begin and end.

        Args:
            every: How long to wait between two looks, in s.

        Raises:
            StoreUnavailableError: If the database cannot be read.
        """
        while True:
            for execution in await self.poll():
                yield execution
            await anyio.sleep(every)

    async def _begin(self) -> datetime:
        """Take down what is there already: it is not new, but what runs may end; return from when on it is new."""
        if self._since is None:
            now = datetime.now(UTC)
            self._new(await self._read("running", {"most": _MOST_RUNNING}))
            self._new(await self._written(now))
            self._since = now
        return self._since

    async def _written(self, since: datetime) -> Rows[SeenExecution]:
        """Read what was written since a moment, and a little before, page by page."""
        found = Rows[SeenExecution]()
        begun, start = since - _LATE, since - _OVERLAP
        at, after = start, _NOBODY
        while True:
            values = {"begun": begun, "since": start, "at": at, "id": after, "most": _PAGE}
            page = await self._read("written", values)
            found.extend(page)
            if len(page) < _PAGE:
                return found
            at, after = page[-1].updated_at, page[-1].id

    async def _read(self, statement: str, values: dict[str, Any]) -> Rows[SeenExecution]:
        sql = worded(f"following.{statement}", "sqlite" if self._reader.is_sqlite else "postgres")
        return read_rows(SeenExecution, await self._reader.fetch(sql, values))

    def _new(self, found: Iterable[SeenExecution]) -> list[SeenExecution]:
        """Keep what was not seen in this state yet."""
        new = []
        for execution in found:
            known = self._told.get(execution.id)
            if known is not None and known.status == execution.status:
                continue
            self._told[execution.id] = execution
            if execution.status == "in_progress":
                self._running[execution.id] = execution
            else:
                self._running.pop(execution.id, None)
            new.append(execution)
        return new

    def _is_wanted(self, execution: SeenExecution) -> bool:
        if self._failures and not execution.failed:
            return False
        return all(value is None or getattr(execution, name) == value for name, value in self._wanted.items())

    def _forget(self, before: datetime) -> None:
        """Forget what no look can find again."""
        if len(self._told) > _PAGE + len(self._running):
            self._told = {
                key: execution
                for key, execution in self._told.items()
                if execution.updated_at >= before or key in self._running
            }
