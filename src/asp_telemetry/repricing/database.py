"""Reads executions out of a ledger and writes their new costs into it, in the same statements on either database."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from typing import Any

import orjson

from asp_telemetry.database_url import is_sqlite, require_driver, sqlite_path
from asp_telemetry.repricing.plan import Execution, Plan
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.statements import load_statements

Row = dict[str, Any]
Place = tuple[str, str]
"""Where a page ends: the time and the id of its last execution."""

START: Place = ("0001-01-01 00:00:00.000000", "00000000-0000-0000-0000-000000000000")


class RepricingDatabase(ABC):
    """Be an open database at the current schema; times, ids and JSON are text on both."""

    def __init__(self, dialect: str) -> None:
        self.sql = load_statements(schema_directory(dialect) / "repricing.sql")

    @abstractmethod
    async def rows(self, statement: str, *values: object) -> list[Row]:
        """Run a statement of `repricing.sql` by its name."""

    @abstractmethod
    def reading(self) -> AbstractAsyncContextManager[None]:
        """Read without keeping anybody from writing."""

    @abstractmethod
    def writing(self) -> AbstractAsyncContextManager[None]:
        """Be the only one who reprices; commit at the end, roll back on an error."""

    @abstractmethod
    async def before_roll_up(self, tasks: Sequence[str]) -> None:
        """Take what has to be locked before defects and tasks are."""

    @abstractmethod
    async def roll_up(self, tasks: Sequence[str]) -> None:
        """Sum up finished tasks anew, so that no writer at work on the same tasks misses anything or is missed."""

    async def page(self, since: str, until: str, after: Place, size: int) -> list[Place]:
        """Return where the next executions with tokens or costs stand, in the order of their time."""
        rows = await self.rows("page", since, until, *after, size)
        return [(row["timestamp"], row["correlation_id"]) for row in rows]

    async def without_execution(self, since: str, until: str) -> int:
        """Count the costs that belong to no execution."""
        (row,) = await self.rows("without_execution", since, until)
        return int(row["number"])

    async def executions(self, ids: Sequence[str]) -> list[Execution]:
        """Read executions by their ids."""
        names = _json(ids)
        rows: dict[str, list[Row]] = {}
        for row in await self.rows("ledger_rows", names):
            row["metric_value"] = _decimal(row["metric_value"])
            row["metadata"] = None if row["metadata"] is None else orjson.loads(row["metadata"])
            rows.setdefault(row["correlation_id"], []).append(row)
        # Archived ones come first, so that a live row of the same execution holds.
        traces = {row["correlation_id"]: row for row in await self.rows("traces", names)}
        return [
            Execution(name, tuple(found), *_trace(traces.get(name))) for name, found in sorted(rows.items())
        ]

    async def apply(self, plans: Sequence[Plan], now: str) -> None:
        """Write what is planned; the caller holds `writing`.

        Traces come first, then costs, defects and tasks: the order in which writers lock, so that nobody waits in a circle.
        """
        traces = [
            {
                "id": plan.execution_id, "usage": plan.usage, "now": now, "changed": plan.context,
                "unpriced": plan.unpriced,
            }
            for plan in plans if plan.usage is not None or plan.context
        ]  # fmt: skip
        if traces:
            await self.rows("update_traces", _json(traces))
            await self.rows("update_archived_traces", _json(traces))
        changed = [
            {"id": change.row["id"], "amount": f"{change.new:f}", "metadata": change.facts}
            for plan in plans
            for change in plan.changes
        ]
        if changed:
            await self.rows("update_costs", _json(changed))
        added = [
            {"like": change.row["id"], "amount": f"{change.new:f}", "metadata": change.facts}
            for plan in plans
            for change in plan.added
        ]
        if added:
            await self.rows("insert_costs", _json(added))
        defects: dict[str, Decimal] = {}
        for plan in plans:
            for name, difference in plan.defects.items():
                defects[name] = defects.get(name, Decimal(0)) + difference
        tasks = sorted({task for plan in plans for task in plan.tasks})
        if tasks:
            await self.before_roll_up(tasks)
        if defects:
            efforts = [{"id": name, "difference": f"{defects[name]:f}"} for name in sorted(defects)]
            await self.rows("correct_efforts", _json(efforts))
        if tasks:
            await self.roll_up(tasks)


@asynccontextmanager
async def open_repricing(url: str, *, read_only: bool) -> AsyncIterator[RepricingDatabase]:
    """Open a database for repricing.

    Args:
        url: The database, as `database_url.absolute_database` returns it.
        read_only: Whether nothing shall be changed.

    Yields:
        The database.

    Raises:
        StoreUnavailableError: If it does not exist or cannot be reached.
        MigrationError: If its schema is not the current one.
        ConfigurationError: If the driver is not installed.
    """
    if is_sqlite(url):
        from asp_telemetry.repricing.sqlite import open_sqlite  # noqa: PLC0415 - imports the driver

        async with open_sqlite(sqlite_path(url), read_only=read_only) as database:
            yield database
        return
    require_driver(url)
    from asp_telemetry.repricing.postgres import open_postgres  # noqa: PLC0415 - imports the driver

    async with open_postgres(url) as found:
        yield found


def _trace(row: Row | None) -> tuple[str | None, dict[str, Any] | None, str | None]:
    if row is None:
        return None, None, None
    return row["started_at"], None if row["usage"] is None else orjson.loads(row["usage"]), row["unpriced"]


def _decimal(value: Any) -> Decimal:
    """Take an amount as it was meant: the shortest text of a float is that, its binary value has fifty digits of noise."""
    return value if isinstance(value, Decimal) else Decimal(repr(value))


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
