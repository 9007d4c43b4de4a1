"""Counts, verifies, fills and empties a SQLite database on a person's behalf."""

from dataclasses import dataclass
from uuid import uuid4

import aiosqlite

from asp_telemetry.clock import now_text
from asp_telemetry.errors import MigrationError
from asp_telemetry.migrations import SqliteTarget
from asp_telemetry.migrations.sqlite import split_statements
from asp_telemetry.records import RECORDS, TaskMetadata
from asp_telemetry.resources import schema_directory

_OBJECTS = (
    "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') "
    "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type DESC, name"
)


@dataclass(frozen=True)
class Verification:
    """Say whether a database is sound: SQLite's own check, the schema version, a written and re-read row."""

    integrity: str
    schema_version: int
    round_trip: bool

    @property
    def ok(self) -> bool:
        """Return whether everything is as it should be."""
        return self.integrity == "ok" and self.round_trip


async def row_counts(connection: aiosqlite.Connection) -> dict[str, int]:
    """Count the rows of every table.

    Args:
        connection: The open database.

    Returns:
        The number of rows by table name, in the order of the names.

    Example:
        >>> import asyncio
        >>> async def counts():
        ...     async with aiosqlite.connect(":memory:") as connection:
        ...         await connection.execute("CREATE TABLE pairs (x)")
        ...         return await row_counts(connection)
        >>> asyncio.run(counts())
        {'pairs': 0}
    """
    counts = {}
    for kind, name in await connection.execute_fetchall(_OBJECTS):
        if kind == "table":
            rows = await connection.execute_fetchall(f"SELECT count(*) FROM {_quoted(name)}")  # noqa: S608 - quoted name
            counts[str(name)] = int(next(iter(rows))[0])
    return dict(sorted(counts.items()))


async def verify(connection: aiosqlite.Connection) -> Verification:
    """Check that the database is sound, and that a row comes back as it was written; keeps nothing.

    Args:
        connection: The open database, at a current schema.

    Returns:
        What was found.

    Raises:
        StoreUnavailableError: If the database is locked by another process.
    """
    integrity = await connection.execute_fetchall("PRAGMA integrity_check")
    target = SqliteTarget(connection)
    ledger = await target.applied()
    now = now_text()
    row = {"task_id": f"verification-{uuid4()}", "created_at": now, "updated_at": now}
    async with target.locked(keep=False):
        await connection.execute(
            "INSERT INTO task_metadata (task_id, created_at, updated_at) VALUES (?, ?, ?)",
            tuple(row.values()),
        )
        async with connection.execute(
            "SELECT * FROM task_metadata WHERE task_id = ?", (row["task_id"],)
        ) as cursor:
            rows = list(await cursor.fetchall())
    read = [TaskMetadata.model_validate(dict(zip(TaskMetadata.columns(), row, strict=True))) for row in rows]
    return Verification(
        integrity=str(next(iter(integrity))[0]),
        schema_version=ledger[-1].version if ledger else 0,
        round_trip=read == [TaskMetadata.model_validate(row)],
    )


async def add_sample_data(connection: aiosqlite.Connection) -> None:
    """Insert the rows of `schema/sqlite/sample_data.sql` that are not there yet, in one transaction.

    Args:
        connection: The open database, at a current schema.

    Raises:
        StoreUnavailableError: If the database is locked by another process.
    """
    sql = (schema_directory("sqlite") / "sample_data.sql").read_text(encoding="utf-8")
    async with SqliteTarget(connection).locked():
        for statement in split_statements(sql):
            await connection.execute(statement)


def foreign_tables(names: list[str]) -> list[str]:
    """Name those tables that asp-telemetry never makes.

    Args:
        names: The tables that a database has.

    Returns:
        The foreign ones, in the same order.

    Example:
        >>> foreign_tables(["task_metadata", "orders"])
        ['orders']
    """
    ours = {record.table for record in RECORDS}
    return [name for name in names if name not in ours]


async def erase(connection: aiosqlite.Connection) -> None:
    """Drop everything in a database of ours, in one transaction: other processes may have the file open.

    Args:
        connection: The open database.

    Raises:
        MigrationError: If it holds tables that are not ours; nothing is dropped then.
        StoreUnavailableError: If the database is locked by another process.
    """
    target = SqliteTarget(connection)
    async with target.locked():
        objects = [(str(kind), str(name)) for kind, name in await connection.execute_fetchall(_OBJECTS)]
        foreign = foreign_tables([name for kind, name in objects if kind == "table"])
        if foreign:
            raise MigrationError(
                f"{await target.describe()} also holds tables that are not asp-telemetry's: {', '.join(foreign)}; "
                "nothing was deleted, move them elsewhere or choose another database"
            )
        for kind, name in objects:
            await connection.execute(f"DROP {'VIEW' if kind == 'view' else 'TABLE'} {_quoted(name)}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
