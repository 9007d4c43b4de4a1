"""Looks up what is committed of executions and defects; for mirrors, which read the journal again."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import aiosqlite
import orjson

from asp_telemetry.database_url import is_sqlite, require_driver, sqlite_path
from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.forks import database_calls
from asp_telemetry.migrations import store_errors
from asp_telemetry.prices.provenance import money_text
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.sqlite_connection import connect, file_identity
from asp_telemetry.stores.statements import load_statements
from asp_telemetry.writer.committed import (
    Committed,
    CommittedDefect,
    CommittedExecution,
    Cost,
    Observation,
)

Row = dict[str, Any]
_JSON: Final = ("effort_to_fix_json", "metadata")
_BOOLEANS: Final = ("flagged_by_agent", "validated_by_human", "false_positive")
_TABLES: Final = 3


def open_committed(url: str) -> Committed:
    """Return what looks up committed rows of a checked database URL; it connects when it is first asked.

    Args:
        url: The database, as `database_url.absolute_database` returns it.

    Raises:
        ConfigurationError: If the driver is not installed.

    Example:
        >>> import asyncio
        >>> asyncio.run(open_committed("sqlite:////tmp/no-such-file.db").defects(["D-001"]))
        {}
    """
    if is_sqlite(url):
        return _SqliteCommitted(sqlite_path(url))
    require_driver(url)
    from asp_telemetry.stores.postgres_committed import PostgresCommitted  # noqa: PLC0415 - imports the driver

    return PostgresCommitted(url)


class CommittedRows(ABC):
    """Make of rows what a mirror wants to know; databases supply the rows."""

    def __init__(self, dialect: str) -> None:
        self.sql = load_statements(schema_directory(dialect) / "mirroring.sql")

    @abstractmethod
    async def cost_rows(self, names: Sequence[str], since: str, until: str) -> tuple[list[Row], list[Row]]:
        """Return the rows of `costs` and of `usage`, read together."""

    @abstractmethod
    async def defect_rows(self, names: Sequence[str]) -> list[Row]:
        """Return the rows of `defects`."""

    async def executions(self, names: Sequence[str], since: str, until: str) -> dict[str, CommittedExecution]:
        """Return what executions have cost; nothing of those that are not in the ledger."""
        with database_calls:
            rows, traces = await self.cost_rows(names, since, until)
        costs: dict[str, list[Cost]] = {}
        for row in rows:
            found = costs.setdefault(row["correlation_id"], [])
            if row["metric_type"] == "API_Cost":
                value = row["metric_value"]
                # The shortest text of a float is what was meant; its binary value has fifty digits of noise.
                text = money_text(Decimal(repr(value))) if isinstance(value, float) else value
                found.append(Cost(text, *(row[name] for name in Cost._fields[1:])))
        usage = {row["correlation_id"]: (True, row["usage"], row["unpriced"]) for row in traces}
        return {name: CommittedExecution(tuple(found), *usage.get(name, ())) for name, found in costs.items()}

    async def defects(self, names: Sequence[str]) -> dict[str, CommittedDefect]:
        """Return defects as they stand."""
        with database_calls:
            rows = await self.defect_rows(names)
        return {row["defect_id"]: _defect(row) for row in rows}


def _defect(row: Row) -> CommittedDefect:
    injecting = row.pop("injecting_id"), row.pop("injecting_root"), row.pop("injecting_task")
    for name in _JSON:
        row[name] = None if row[name] is None else orjson.loads(row[name])
    for name in _BOOLEANS:
        row[name] = None if row[name] is None else bool(row[name])
    return CommittedDefect(row, None if injecting[0] is None else Observation(*injecting))


class _SqliteCommitted(CommittedRows):
    """Read an SQLite file: always the one that stands at its path now."""

    def __init__(self, path: Path) -> None:
        super().__init__("sqlite")
        self._path = path
        self._connection: aiosqlite.Connection | None = None
        self._opened: tuple[int, int] | None = None

    async def cost_rows(self, names: Sequence[str], since: str, until: str) -> tuple[list[Row], list[Row]]:
        """Return the rows of `costs` and of `usage`."""
        del since, until
        costs, usage = await self._rows(("costs", "usage"), names)
        return costs, usage

    async def defect_rows(self, names: Sequence[str]) -> list[Row]:
        """Return the rows of `defects`."""
        (rows,) = await self._rows(("defects",), names)
        return rows

    async def _rows(self, statements: Sequence[str], names: Sequence[str]) -> list[list[Row]]:
        ids = orjson.dumps(list(names)).decode()
        found: list[list[Row]] = []
        try:
            connection = await self._connected()
            if connection is None:
                return [[] for _ in statements]
            with store_errors(self._path):
                for statement in statements:
                    async with connection.execute(self.sql[statement], (ids,)) as cursor:
                        columns = [column[0] for column in cursor.description or ()]
                        rows = await cursor.fetchall()
                    found.append([dict(zip(columns, row, strict=True)) for row in rows])
        except StoreUnavailableError:
            await self.close()
            raise
        return found

    async def _connected(self) -> aiosqlite.Connection | None:
        """Return a connection to the file that stands there; None if there is none, or none of our tables in it."""
        identity = file_identity(self._path)
        if self._connection is not None and identity != self._opened:
            await self.close()
        if self._connection is None and identity is not None:
            self._connection = await connect(self._path, read_only=True)
            self._opened = identity
            with store_errors(self._path):
                ((tables,),) = await self._connection.execute_fetchall(self.sql["has_ledger"])
            if tables < _TABLES:
                await self.close()
        return self._connection

    async def close(self) -> None:
        """Close the file; closing twice does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def thread_idents(self) -> set[int]:
        """Return the thread that serves the connection."""
        thread = getattr(self._connection, "_thread", None)
        ident = None if thread is None else thread.ident
        return set() if ident is None else {ident}
