"""Looks after an SQLite file on a person's behalf."""

import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter, time_ns
from typing import Any, Literal
from urllib.parse import quote
from uuid import uuid4

import aiosqlite

from asp_telemetry.clock import now_text, utc_text
from asp_telemetry.errors import ConfigurationError, MigrationError, StoreUnavailableError
from asp_telemetry.migrations import (
    MigrationState,
    MigrationSummary,
    Migrator,
    SqliteTarget,
    load_migrations,
    store_errors,
)
from asp_telemetry.migrations.sqlite import split_statements
from asp_telemetry.records import RECORDS, TaskMetadata
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.legacy import is_legacy
from asp_telemetry.stores.sqlite_connection import connect, open_database
from asp_telemetry.stores.statements import load_statements
from asp_telemetry.upkeep.maintenance import IndexSize, Maintenance, TableSize
from asp_telemetry.upkeep.relations import RELATIONS
from asp_telemetry.upkeep.results import (
    FORGET_IMPORTS,
    KEPT,
    SETTLED_SECONDS,
    LaneFigures,
    Made,
    Orphans,
    Rejection,
    SchemaStates,
    UnloggedDefects,
    Verification,
    behind,
)

_OURS = frozenset(record.table for record in RECORDS)
# Below this share of empty pages a rewrite of the whole file wins nothing.
_WORTH_VACUUMING = 0.05
# "row 3 missing from index x", "wrong # of entries in index x": https://www.sqlite.org/pragma.html#pragma_integrity_check
_DAMAGED_INDEX = re.compile(r"\bindex (\w+)$")


class SqliteUpkeep:
    """Look after one SQLite file; `upkeep.database.Upkeep` says what each method does.

    Args:
        path: The file, which need not exist.
    """

    dialect: Literal["sqlite", "postgres"] = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        self.url = f"sqlite:///{quote(str(path))}"
        self._sql = load_statements(schema_directory("sqlite") / "upkeep.sql")
        self._writer_sql = load_statements(schema_directory("sqlite") / "statements.sql")

    async def exists(self) -> bool:
        """Tell whether the file is there and not empty."""
        return self._is_there()

    async def make(self, *, to: int | None = None) -> Made:
        """Make the file or bring it up to date; one of the original scripts is backed up and upgraded."""
        created = not self._is_there()
        opened = await open_database(self.path, to=to)
        await opened.connection.close()
        return Made(created, opened.summary, opened.legacy)

    async def rehearse(self, *, to: int | None = None) -> Made:
        """Tell what `make` would do."""
        states = await self.states()
        if states.original or not states.exists:
            # Nothing to run it on without making or upgrading the file.
            to = len(states.migrations) if to is None else to
            pending = tuple(state.version for state in states.migrations if state.state == "pending")
            due = tuple(version for version in pending if version <= to)
            summary = MigrationSummary("up", due, 0, 0, 0.0, 0, 0, dry_run=True)
            return Made(not states.exists, summary, would_upgrade=states.original)
        await self.check()
        async with self._open() as connection:
            return Made(created=False, summary=await _migrator(connection).up(to=to, dry_run=True))

    async def states(self) -> SchemaStates:
        """Tell for every migration where it stands."""
        if not self._is_there():
            pending = (MigrationState(each.version, each.name, "pending") for each in load_migrations())
            return SchemaStates(exists=False, original=False, migrations=tuple(pending))
        async with self._open(read_only=True) as connection:
            original, migrator = await is_legacy(connection), _migrator(connection)
            states = await migrator.status()
            if not original and all(state.state == "pending" for state in states):
                await migrator.check()
            return SchemaStates(exists=True, original=original, migrations=states)

    async def check(self) -> int:
        """Make sure that the file is ours."""
        if not self._is_there():
            return 0
        async with self._open(read_only=True) as connection:
            return await _migrator(connection).check()

    async def down(self, *, to: int, dry_run: bool = False) -> MigrationSummary:
        """Take migrations back."""
        await self.check()
        async with self._open() as connection:
            return await _migrator(connection).down(to=to, dry_run=dry_run)

    async def row_counts(self) -> dict[str, int]:
        """Count the rows of our tables."""
        if not self._is_there():
            return {}
        async with self._open(read_only=True) as connection:
            return await self._counts(connection)

    async def verify(self) -> Verification:
        """Let SQLite check the file, then write a row, read it back and roll it back."""
        if not self._may_write():
            async with self._current(read_only=True) as connection:
                faults = await _faults(connection)
                ledger = await SqliteTarget(connection).applied()
            return Verification("; ".join(faults) or "ok", ledger[-1].version, round_trip=None)
        row = {"task_id": f"verification-{uuid4()}", "created_at": now_text(), "updated_at": now_text()}
        async with self._current() as connection:
            faults = await _faults(connection)
            target = SqliteTarget(connection)
            ledger = await target.applied()
            async with target.locked(keep=False):
                insert = "INSERT INTO task_metadata (task_id, created_at, updated_at) VALUES (:task_id, :created_at, :updated_at)"
                await connection.execute(insert, row)
                select = f"SELECT {', '.join(TaskMetadata.columns())} FROM task_metadata WHERE task_id = ?"  # noqa: S608 - our own columns
                rows = await _rows(connection, select, (row["task_id"],))
        read = [TaskMetadata.model_validate(dict(zip(TaskMetadata.columns(), each, strict=True))) for each in rows]  # fmt: skip
        return Verification(
            integrity="; ".join(faults) or "ok",
            schema_version=ledger[-1].version if ledger else 0,
            round_trip=read == [TaskMetadata.model_validate(row)],
        )

    async def add_sample_data(self) -> None:
        """Insert the sample."""
        sql = (schema_directory("sqlite") / "sample_data.sql").read_text(encoding="utf-8")
        async with self._current() as connection, SqliteTarget(connection).locked():
            for statement in split_statements(sql):
                await connection.execute(statement)

    async def add_timescaledb(self) -> bool:
        """Refuse: SQLite has no extensions of this kind."""
        raise ConfigurationError(
            f"{self.name} is an SQLite file, and TimescaleDB is an extension of PostgreSQL; leave --timescaledb out, "
            "or name a PostgreSQL database"
        )

    async def erase(self) -> None:
        """Delete every record."""
        async with self._current() as connection, SqliteTarget(connection).locked():
            for table in sorted(_OURS - KEPT):
                await connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own tables
            await connection.execute(FORGET_IMPORTS)

    async def checkpoints(self) -> tuple[LaneFigures, ...]:
        """Return what became of the records of every journal lane."""
        async with self._begun(read_only=True) as connection:
            rows = await _rows(connection, self._writer_sql["all_checkpoints"])
        return tuple(LaneFigures.of(*row) for row in rows)

    async def identity(self) -> str | None:
        """Return the id of the database."""
        if not await self.check():
            return None
        async with self._open(read_only=True) as connection:
            rows = await _rows(connection, self._writer_sql["identity"])
        return str(rows[0][0]) if rows else None

    async def size_bytes(self) -> int:
        """Measure the pages of the file, those still in the write-ahead log included."""
        if not self._is_there():
            return 0
        async with self._open(read_only=True) as connection:
            return int((await _rows(connection, self._sql["size"]))[0][0])

    async def table_sizes(self) -> tuple[TableSize, ...]:
        """Measure our tables; without page statistics in this build of SQLite only their rows are known."""
        if not self._is_there():
            return ()
        async with self._open(read_only=True) as connection:
            counts = await self._counts(connection)
            measured: dict[str, tuple[int, int]] = {}
            if (await _rows(connection, self._sql["has_page_statistics"]))[0][0]:
                measured = {row[0]: (row[1], row[2]) for row in await _rows(connection, self._sql["sizes"])}
        sizes = [TableSize(table, rows, *measured.get(table, (None, None))) for table, rows in counts.items()]
        return tuple(sorted(sizes, key=lambda size: -(size.table_bytes or 0) - (size.index_bytes or 0)))

    async def unused_indexes(self) -> tuple[IndexSize, ...] | None:
        """Return None: SQLite does not count what its indexes are used for."""
        return None

    async def maintain(self, report: Callable[[str], None]) -> Maintenance:
        """Rebuild damaged indexes, analyse, rewrite the file where much of it is empty, and empty the log."""
        started, before = perf_counter(), await self.size_bytes()
        async with self._begun() as connection:
            report("checking the file")
            faults = await _faults(connection)
            found = [match[1] for fault in faults if (match := _DAMAGED_INDEX.search(fault))]
            damaged = tuple(dict.fromkeys(found))
            for index in damaged:
                report(f"rebuilding index {index}")
                await connection.execute(f'REINDEX "{index}"')
            if damaged:
                faults = await _faults(connection)
            report("counting what the query planner asks for")
            await connection.execute("ANALYZE")
            if (await _rows(connection, self._sql["free_share"]))[0][0] > _WORTH_VACUUMING:
                report("giving empty pages back")
                await connection.execute("VACUUM")
            await _rows(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
        return Maintenance(
            bytes_before=before,
            bytes_after=await self.size_bytes(),
            milliseconds=round((perf_counter() - started) * 1000, 3),
            reindexed=damaged,
            compression=None,
            warnings=tuple(f"{fault}; restore a backup" for fault in faults),
        )

    async def orphans(self) -> tuple[Orphans, ...]:
        """Count the rows whose parent is not there."""
        settled = utc_text(time_ns() - SETTLED_SECONDS * 10**9)
        found = []
        async with self._current(read_only=True) as connection:
            for relation in RELATIONS:
                rows = (await _rows(connection, relation.orphans("?"), (settled,)))[0][0]
                found.append(Orphans.of(relation, rows))
        return tuple(orphans for orphans in found if orphans.rows)

    async def unlogged_defects(self, *, limit: int = 5) -> UnloggedDefects:
        """Return the defects that were never logged."""
        settled = utc_text(time_ns() - SETTLED_SECONDS * 10**9)
        async with self._current(read_only=True) as connection:
            values = {"before": settled, "limit": limit}
            rows = await _rows(connection, self._sql["unlogged_defects"], values)
        return UnloggedDefects(rows[0][1] if rows else 0, tuple(str(row[0]) for row in rows))

    async def rejections(self, *, limit: int = 3) -> tuple[Rejection, ...]:
        """Return why records were refused."""
        async with self._begun(read_only=True) as connection:
            rows = await _rows(connection, self._sql["rejections"], {"limit": limit})
        return tuple(Rejection(*row) for row in rows)

    def _is_there(self) -> bool:
        try:
            return self.path.exists() and self.path.stat().st_size > 0
        except PermissionError as error:
            raise StoreUnavailableError(
                f"{self.name}: this user may not enter its folder; give it that permission, or name another database "
                "with --database"
            ) from error

    def _may_write(self) -> bool:
        # SQLite puts the log of what is not committed yet beside the file.
        return all(os.access(path, os.W_OK) for path in (self.path, self.path.parent))

    async def _counts(self, connection: aiosqlite.Connection) -> dict[str, int]:
        tables = [name for (name,) in await _rows(connection, self._sql["tables"]) if name in _OURS]
        return {
            name: int((await _rows(connection, f"SELECT count(*) FROM {name}"))[0][0])  # noqa: S608 - our own tables
            for name in tables
        }

    @asynccontextmanager
    async def _open(self, *, read_only: bool = False) -> AsyncIterator[aiosqlite.Connection]:
        self._need_file()
        connection = await connect(self.path, read_only=read_only)
        try:
            with store_errors(self.path):
                yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def _begun(self, *, read_only: bool = False, least: int = 1) -> AsyncIterator[aiosqlite.Connection]:
        self._need_file()
        # Before it is opened for writing, which would switch somebody else's database to WAL mode.
        version = await self.check()
        if version < least:
            raise MigrationError(behind(self.name, self.url, version))
        async with self._open(read_only=read_only) as connection:
            yield connection

    @asynccontextmanager
    async def _current(self, *, read_only: bool = False) -> AsyncIterator[aiosqlite.Connection]:
        async with self._begun(read_only=read_only, least=load_migrations()[-1].version) as connection:
            yield connection

    def _need_file(self) -> None:
        if not self._is_there():
            raise StoreUnavailableError(
                f"{self.name} does not exist; run asp-telemetry init, or record something"
            )


def _migrator(connection: aiosqlite.Connection) -> Migrator:
    return Migrator(SqliteTarget(connection))


async def _rows(connection: aiosqlite.Connection, sql: str, values: Any = ()) -> list[Any]:
    return list(await connection.execute_fetchall(sql, values))


async def _faults(connection: aiosqlite.Connection) -> list[str]:
    lines = [str(line) for (line,) in await _rows(connection, "PRAGMA integrity_check")]
    return [] if lines == ["ok"] else lines
