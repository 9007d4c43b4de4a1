"""Asks a ledger which of the things that an import has found it holds already, in the same statements on either database."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson

from asp_telemetry.database_url import is_sqlite, sqlite_path
from asp_telemetry.importing.item import Item
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.statements import load_statements
from asp_telemetry.writer.batch import Change

Row = dict[str, Any]


class Ledger(ABC):
    """Be an open database that is only read."""

    def __init__(self, dialect: str) -> None:
        self.sql = load_statements(schema_directory(dialect) / "importing.sql")

    @abstractmethod
    async def rows(self, statement: str, *values: object) -> list[Row]:
        """Run a statement of `importing.sql` by its name."""

    @staticmethod
    def json(value: object) -> str:
        """Write what the statements take a set of."""
        return orjson.dumps(value).decode()

    async def executions(self, ids: Sequence[str]) -> set[str]:
        """Return which executions the ledger holds, in whatever state, archived or with their costs alone."""
        return {row["id"] for row in await self._asked("executions", ids)}

    async def tasks(self, ids: Sequence[str]) -> set[str]:
        """Return which tasks it holds."""
        return {row["id"] for row in await self._asked("tasks", ids)}

    async def defects(self, ids: Sequence[str]) -> dict[str, str]:
        """Return which defects it holds, and when they were resolved: UTC text, empty for those that are not."""
        return {row["id"]: row["resolved_at"] for row in await self._asked("defects", ids)}

    async def bootstrap_metrics(self, keys: Sequence[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
        """Return which bootstrap metrics it holds, by capability, time and metric."""
        return {
            (row["capability_name"], row["measured_at"], row["primary_metric_name"])
            for row in await self._asked("bootstrap_metrics", keys)
        }

    async def refusals(self, lane: str, sequences: Sequence[int]) -> set[int]:
        """Return which records of a lane were refused before."""
        return {row["sequence"] for row in await self.rows("refusals", lane, self.json(sequences))}

    async def absent(self, items: Sequence[Item]) -> list[Item]:
        """Return those items that the ledger does not hold, each once.

        What became of a defect is held if the ledger says that it is resolved, at that time or later.
        """
        executions = await self.executions(_keys(items, Change.INSERT_TRACE))
        tasks = await self.tasks(_keys(items, Change.TASK))
        defects = await self.defects(_keys(items, Change.DEFECT, Change.RESOLVE_DEFECT))
        metrics = await self.bootstrap_metrics(_keys(items, Change.BOOTSTRAP))
        held = {
            Change.INSERT_TRACE: executions,
            Change.TASK: tasks,
            Change.DEFECT: defects.keys(),
            Change.BOOTSTRAP: metrics,
        }
        seen: set[tuple[Change, Any]] = set()
        absent = []
        for item in items:
            key = item.key
            if item.change is Change.RESOLVE_DEFECT:
                is_held = defects.get(key, "") >= item.row["moment"]
            else:
                is_held = key in held[item.change]
            # A task may be told of in parts; of all else the first holds.
            if is_held or ((item.change, key) in seen and item.change is not Change.TASK):
                continue
            seen.add((item.change, key))
            absent.append(item)
        return absent

    async def _asked(self, statement: str, keys: Sequence[Any]) -> list[Row]:
        return await self.rows(statement, self.json(keys)) if keys else []


@asynccontextmanager
async def open_ledger(url: str) -> AsyncIterator[Ledger]:
    """Open a database that exists and is at the current schema, to read.

    Args:
        url: The database, as `database_url.absolute_database` returns it.

    Yields:
        The ledger.

    Raises:
        StoreUnavailableError: If it does not exist or cannot be reached.
        MigrationError: If its schema is not the current one.
    """
    if is_sqlite(url):
        from asp_telemetry.importing.sqlite import open_sqlite  # noqa: PLC0415 - imports the driver

        async with open_sqlite(sqlite_path(url)) as ledger:
            yield ledger
        return
    from asp_telemetry.importing.postgres import open_postgres  # noqa: PLC0415 - imports the driver

    async with open_postgres(url) as found:
        yield found


def _keys(items: Sequence[Item], *changes: Change) -> list[Any]:
    return list(dict.fromkeys(item.key for item in items if item.change in changes))
