"""Upgrades a database that the original scripts made: every row is kept, a backup is laid beside it first.

That database has up to four of today's tables, no ledger, whole-second timestamps and no STRICT typing. What it holds
and today's schema refuses is repaired, and the value as it was goes into the row's metadata under `legacy_values`.
"""

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiosqlite
import anyio.to_thread

from asp_telemetry.errors import MigrationError
from asp_telemetry.migrations import Migrator, SqliteTarget, store_errors
from asp_telemetry.records import AgentCostVector, BootstrapMetrics, DefectLog, Record, TaskMetadata
from asp_telemetry.stores.legacy_rows import modernised

_MODELS: dict[str, type[Record]] = {
    model.table: model for model in (TaskMetadata, AgentCostVector, DefectLog, BootstrapMetrics)
}
_HAS: dict[str, set[str]] = {
    "task_metadata": {"task_id", "created_at", "semantic_units_json", "status"},
    "agent_cost_vector": {"timestamp", "task_id", "agent_role", "metric_type", "metric_value", "metric_unit"},
    "defect_log": {"defect_id", "created_at", "task_id", "defect_type", "phase_injected", "phase_removed"},
    "bootstrap_metrics": {"capability_name", "capability_mode", "tasks_completed", "primary_metric_name"},
}
_LACKS: dict[str, set[str]] = {
    "task_metadata": {"updated_at"},
    "agent_cost_vector": {"nested", "correlation_id"},
    "defect_log": {"correlation_id"},
    "bootstrap_metrics": {"metric_direction"},
}
_BATCH = 500


@dataclass(frozen=True)
class LegacyUpgrade:
    """Say what an upgrade did: where the backup lies, how many rows each table brought, how many needed repair."""

    backup: Path
    rows: dict[str, int]
    repaired: dict[str, int]


async def is_legacy(connection: aiosqlite.Connection) -> bool:
    """Tell whether the original scripts made this database, by its tables and their columns.

    Args:
        connection: The open database.

    Returns:
        True if it holds some of the four original tables, the cost vector among them, and nothing else.
    """
    rows = await connection.execute_fetchall(
        "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'trigger') "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    names = {str(name) for _, name in rows}
    if "agent_cost_vector" not in names or not names <= _HAS.keys():
        return False
    for name in names:
        columns = set(await _columns(connection, name))
        if not columns >= _HAS[name] or columns & _LACKS[name]:
            return False
    return True


async def upgrade_legacy(connection: aiosqlite.Connection, path: Path) -> LegacyUpgrade | None:
    """Back up and upgrade a database of the original scripts, in one transaction, to the first schema version.

    Args:
        connection: The open database; other processes may try the same at once.
        path: Its file; the backup is laid beside it.

    Returns:
        What was done, or None if another process was faster.

    Raises:
        StoreUnavailableError: If the database is locked, or there is no room for the backup.
        MigrationError: If a row cannot be kept; the database is then unchanged.
    """
    target = SqliteTarget(connection)
    async with _lenient(connection), target.locked():
        if not await is_legacy(connection):
            return None
        backup = await _back_up(path)
        try:
            rows, repaired = await _rebuild(connection, Migrator(target))
        except BaseException:
            # The database is rolled back, so this backup protects nothing; repeated attempts would fill the disk.
            backup.unlink()
            raise
    return LegacyUpgrade(backup, rows, repaired)


async def _rebuild(
    connection: aiosqlite.Connection, migrator: Migrator
) -> tuple[dict[str, int], dict[str, int]]:
    found = await connection.execute_fetchall(
        "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'index') AND sql IS NOT NULL "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    tables = [str(name) for kind, name in found if kind == "table"]
    for kind, name in found:
        # Today's indexes may bear the same names.
        if kind == "index":
            await connection.execute(f"DROP INDEX {_quoted(str(name))}")
    for table in tables:
        await connection.execute(f"ALTER TABLE {table} RENAME TO legacy_{table}")
    await migrator.apply_locked(1)
    counts, repairs = {}, {}
    for table in tables:
        counts[table], repairs[table] = await _copy(connection, _MODELS[table])
        await connection.execute(f"DROP TABLE legacy_{table}")
    return counts, repairs


async def _copy(connection: aiosqlite.Connection, model: type[Record]) -> tuple[int, int]:
    columns = model.columns()
    insert = f"INSERT INTO {model.table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - names from our own models
    names = ["rowid", *await _columns(connection, f"legacy_{model.table}")]
    select = f"SELECT {', '.join(map(_quoted, names))} FROM legacy_{model.table} ORDER BY rowid"  # noqa: S608 - names quoted
    count = repairs = 0
    async with connection.execute(select) as cursor:
        while rows := list(await cursor.fetchmany(_BATCH)):
            batch = [
                modernised(model, int(row[0]), dict(zip(names[1:], row[1:], strict=True))) for row in rows
            ]
            await connection.executemany(insert, [values for values, _ in batch])
            count += len(batch)
            repairs += sum(was_repaired for _, was_repaired in batch)
    stored = await connection.execute_fetchall(f"SELECT count(*) FROM {model.table}")  # noqa: S608 - name from our own model
    if next(iter(stored))[0] != count:
        raise MigrationError(
            f"{model.table}: {count} rows were read but {next(iter(stored))[0]} stored; nothing was changed"
        )
    return count, repairs


async def _back_up(path: Path) -> Path:
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    backup = path.with_name(f"{path.stem}.backup-{moment}{path.suffix}")
    with store_errors(backup):
        await anyio.to_thread.run_sync(_copy_file, path, backup)
    return backup


def _copy_file(path: Path, backup: Path) -> None:
    os.close(os.open(backup, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        # A connection of its own: SQLite would wait forever for the write lock that the upgrading one holds.
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(backup)) as destination,
        ):
            source.backup(destination)
    except BaseException:
        backup.unlink()
        raise


@asynccontextmanager
async def _lenient(connection: aiosqlite.Connection) -> AsyncIterator[None]:
    """Read text that is not UTF-8, and let renamed tables keep the views that name them."""
    connection.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
    await connection.execute("PRAGMA legacy_alter_table = ON")
    try:
        yield
    finally:
        connection.text_factory = str
        with anyio.CancelScope(shield=True):
            await connection.execute("PRAGMA legacy_alter_table = OFF")


async def _columns(connection: aiosqlite.Connection, table: str) -> list[str]:
    rows = await connection.execute_fetchall("SELECT name FROM pragma_table_xinfo(?) ORDER BY cid", (table,))
    return [str(row[0]) for row in rows]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
