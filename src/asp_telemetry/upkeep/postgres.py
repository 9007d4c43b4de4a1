"""Looks after a PostgreSQL database on a person's behalf: the schema that the search path names first."""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any, Literal
from uuid import uuid4

from asp_telemetry.database_url import destination_of
from asp_telemetry.errors import ConfigurationError, MigrationError
from asp_telemetry.migrations import MigrationSummary, Migrator, PostgresTarget, load_migrations
from asp_telemetry.records import RECORDS, TaskMetadata
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.postgres_connection import COMMAND_SECONDS, Connection, connect, disconnect, reading
from asp_telemetry.stores.postgres_failures import TROUBLE, unavailable
from asp_telemetry.stores.statements import load_statements
from asp_telemetry.upkeep.maintenance import Compression, IndexSize, Maintenance, TableSize
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

_OURS = tuple(record.table for record in RECORDS)
# Counting or rebuilding months of records takes its time.
_PATIENCE_SECONDS = 3600.0
# A smaller index is not worth a word, nor a rebuild.
_LARGE_INDEX_BYTES = 1 << 20
# What an interrupted REINDEX CONCURRENTLY leaves behind: https://www.postgresql.org/docs/current/sql-reindex.html
_LEFT_BY_REBUILD = re.compile(r"_cc(new|old)\d*$")
# The scripts bring their own transactions, and must run in one; what comes behind may run in none.
_BRACKETS = re.compile(r"^(BEGIN|COMMIT);$", re.MULTILINE)
_CALLS = re.compile(r"^CALL .*?;$", re.MULTILINE | re.DOTALL)
_TIMESCALEDB = ("hypertable_access.sql", "timescaledb.sql")


class PostgresUpkeep:
    """Look after one PostgreSQL database; `upkeep.database.Upkeep` says what each method does.

    Args:
        url: `postgresql://user:password@host/database`.
    """

    dialect: Literal["sqlite", "postgres"] = "postgres"

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = destination_of(url)
        self._sql = load_statements(schema_directory("postgres") / "upkeep.sql")

    async def exists(self) -> bool:
        """Tell whether tables stand where ours would."""
        async with self._open() as connection:
            return await _is_there(PostgresTarget(connection))

    async def make(self, *, to: int | None = None) -> Made:
        """Make the tables or bring them up to date."""
        async with self._open(seconds=_PATIENCE_SECONDS) as connection:
            target = PostgresTarget(connection)
            created = not await _is_there(target)
            return Made(created, await Migrator(target).up(to=to))

    async def rehearse(self, *, to: int | None = None) -> Made:
        """Run what `make` would in one transaction, and roll it back."""
        async with self._open(seconds=_PATIENCE_SECONDS) as connection:
            target = PostgresTarget(connection)
            created = not await _is_there(target)
            return Made(created, await Migrator(target).up(to=to, dry_run=True))

    async def states(self) -> SchemaStates:
        """Tell for every migration where it stands."""
        async with self._open() as connection:
            target = PostgresTarget(connection)
            exists, migrator = await _is_there(target), Migrator(target)
            states = await migrator.status()
            if exists and all(state.state == "pending" for state in states):
                await migrator.check()
            return SchemaStates(exists=exists, original=False, migrations=states)

    async def check(self) -> int:
        """Make sure that the tables are ours."""
        async with self._open() as connection:
            return await Migrator(PostgresTarget(connection)).check()

    async def down(self, *, to: int, dry_run: bool = False) -> MigrationSummary:
        """Take migrations back."""
        async with self._open(seconds=_PATIENCE_SECONDS) as connection:
            return await Migrator(PostgresTarget(connection)).down(to=to, dry_run=dry_run)

    async def row_counts(self) -> dict[str, int]:
        """Count the rows of our tables, as far as this user may see them."""
        async with self._open(seconds=_PATIENCE_SECONDS) as connection, reading(connection):
            return {
                name: int(await connection.fetchval(f"SELECT count(*) FROM {name}"))  # noqa: S608 - our own tables
                for (name,) in await connection.fetch(self._sql["tables"], _OURS)
            }

    async def verify(self) -> Verification:
        """Look for what the server knows to be broken, then write a row, read it back and roll it back."""
        now = datetime.now(UTC)
        row = {"task_id": f"verification-{uuid4()}", "created_at": now, "updated_at": now}
        columns = ", ".join(TaskMetadata.columns())
        async with self._current() as connection:
            ledger = await PostgresTarget(connection).applied()
            transaction = connection.transaction()
            await transaction.start()
            try:
                insert = "INSERT INTO task_metadata (task_id, created_at, updated_at) VALUES ($1, $2, $3)"
                await connection.execute(insert, *row.values())
                select = f"SELECT {columns} FROM task_metadata WHERE task_id = $1"  # noqa: S608 - our own columns
                rows = await connection.fetch(select, row["task_id"])
                invalid = [name for (name,) in await connection.fetch(self._sql["invalid_indexes"], _OURS)]
                failures = await connection.fetchval(self._sql["checksum_failures"])
            finally:
                await transaction.rollback()
        faults = [f"index {name} is invalid" for name in invalid]
        if failures:
            faults.append(f"{failures} pages of the database have failed their checksums")
        return Verification(
            integrity="; ".join(faults) or "ok",
            schema_version=ledger[-1].version if ledger else 0,
            round_trip=[TaskMetadata.model_validate(dict(read)) for read in rows]
            == [TaskMetadata.model_validate(row)],
        )

    async def add_sample_data(self) -> None:
        """Insert the sample."""
        sql = (schema_directory("postgres") / "sample_data.sql").read_text(encoding="utf-8")
        async with (
            self._current(seconds=_PATIENCE_SECONDS) as connection,
            PostgresTarget(connection).locked(),
        ):
            await connection.execute(sql)

    async def add_timescaledb(self) -> bool:
        """Turn costs and bootstrap metrics into hypertables, and two views into continuous aggregates."""
        async with self._open(seconds=_PATIENCE_SECONDS) as connection:
            found = (await self._look(connection, "timescaledb"))[0]
            if not found["available"]:
                raise ConfigurationError(
                    f"{self.name}: the server (PostgreSQL {found['version']}) does not have the extension timescaledb; "
                    "install TimescaleDB there and add it to shared_preload_libraries, or leave --timescaledb out"
                )
            if found["installed"] and await self._look(connection, "hypertables", _OURS):
                await self._sum_up(connection)
                return False
        await self.make()
        async with self._open(seconds=_PATIENCE_SECONDS) as connection:
            # Alone and first: the extension wants a session that has done nothing yet.
            await connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
        async with (
            self._current(seconds=_PATIENCE_SECONDS) as connection,
            PostgresTarget(connection).locked(),
        ):
            for script in _TIMESCALEDB:
                await connection.execute(_script(script)[0])
        async with self._open(seconds=_PATIENCE_SECONDS) as connection:
            await self._sum_up(connection)
        return True

    async def erase(self) -> None:
        """Delete every record, and what continuous aggregates have summed up of them."""
        async with self._current(seconds=_PATIENCE_SECONDS) as connection:
            sums = []
            if (await self._look(connection, "timescaledb"))[0]["installed"]:
                sums = [name for (name,) in await self._look(connection, "aggregates")]
            async with PostgresTarget(connection).locked():
                # Writers take this lock first: behind it no batch is under way that could wait in a circle.
                await connection.execute("LOCK TABLE journal_checkpoints IN SHARE ROW EXCLUSIVE MODE")
                tables = ", ".join(sorted(set(_OURS) - KEPT))
                await connection.execute(f"TRUNCATE {tables} RESTART IDENTITY")
                await connection.execute(FORGET_IMPORTS)
                for name in sums:
                    await connection.execute(f"TRUNCATE {name}")

    async def checkpoints(self) -> tuple[LaneFigures, ...]:
        """Return what became of the records of every journal lane."""
        async with self._begun() as connection:
            rows = await self._look(connection, "checkpoints")
        return tuple(LaneFigures.of(*row) for row in rows)

    async def identity(self) -> str | None:
        """Return the id of the database."""
        async with self._open() as connection:
            if not await Migrator(PostgresTarget(connection)).check():
                return None
            rows = await self._look(connection, "identity")
        return str(rows[0][0]) if rows else None

    async def size_bytes(self) -> int:
        """Measure the whole database, other schemas included."""
        async with self._open() as connection:
            return int((await self._look(connection, "size"))[0][0])

    async def table_sizes(self) -> tuple[TableSize, ...]:
        """Measure our tables; their rows are the server's estimate."""
        async with self._open() as connection:
            rows = await self._look(connection, "sizes", _OURS)
            chunks = {}
            if (await self._look(connection, "timescaledb"))[0]["installed"]:
                chunks = {
                    row["table"]: row for row in await self._look(connection, "hypertable_sizes", _OURS)
                }
        sizes = [TableSize(**{**row, **chunks.get(row["table"], {})}) for row in rows]
        return tuple(sorted(sizes, key=lambda size: -(size.table_bytes or 0) - (size.index_bytes or 0)))

    async def unused_indexes(self) -> tuple[IndexSize, ...] | None:
        """Name the large indexes that nothing has used since the server counts."""
        async with self._open() as connection:
            rows = await self._look(connection, "unused_indexes", _OURS, _LARGE_INDEX_BYTES)
        return tuple(IndexSize(*row) for row in rows)

    async def maintain(self, report: Callable[[str], None]) -> Maintenance:
        """Vacuum and analyse each table, then rebuild invalid and bloated indexes; writers go on meanwhile."""
        started, before, warnings = perf_counter(), await self.size_bytes(), list[str]()
        async with self._begun(seconds=_PATIENCE_SECONDS) as connection:
            # PostgreSQL only warns of a table that this user may not vacuum.
            connection.add_log_listener(lambda _, message: warnings.append(str(message.message)))
            for (table,) in await self._look(connection, "tables", _OURS):
                report(f"vacuuming and analysing {table}")
                await connection.execute(f"VACUUM (ANALYZE) {table}")
            rebuilt = await self._reindex(connection, report)
            compression = None
            if (await self._look(connection, "timescaledb"))[0]["installed"]:
                rows = await self._look(connection, "compression", _OURS)
                compression = tuple(Compression(*row) for row in rows)
        return Maintenance(
            bytes_before=before,
            bytes_after=await self.size_bytes(),
            milliseconds=round((perf_counter() - started) * 1000, 3),
            reindexed=rebuilt,
            compression=compression,
            warnings=_gathered(warnings),
        )

    async def orphans(self) -> tuple[Orphans, ...]:
        """Count the rows whose parent is not there."""
        settled = datetime.now(UTC) - timedelta(seconds=SETTLED_SECONDS)
        async with self._current(seconds=_PATIENCE_SECONDS) as connection, reading(connection):
            found = [
                Orphans.of(relation, int(await connection.fetchval(relation.orphans("$1"), settled)))
                for relation in RELATIONS
            ]
        return tuple(orphans for orphans in found if orphans.rows)

    async def unlogged_defects(self, *, limit: int = 5) -> UnloggedDefects:
        """Return the defects that were never logged."""
        settled = datetime.now(UTC) - timedelta(seconds=SETTLED_SECONDS)
        async with self._current(seconds=_PATIENCE_SECONDS) as connection:
            rows = await self._look(connection, "unlogged_defects", settled, limit)
        return UnloggedDefects(rows[0][1] if rows else 0, tuple(str(row[0]) for row in rows))

    async def rejections(self, *, limit: int = 3) -> tuple[Rejection, ...]:
        """Return why records were refused."""
        async with self._begun() as connection:
            rows = await self._look(connection, "rejections", limit)
        return tuple(Rejection(*row) for row in rows)

    async def _reindex(self, connection: Connection, report: Callable[[str], None]) -> tuple[str, ...]:
        invalid = [name for (name,) in await self._look(connection, "invalid_indexes", _OURS)]
        for name in invalid:
            if _LEFT_BY_REBUILD.search(name):
                report(f"dropping {name}, which an interrupted rebuild has left")
                await connection.execute(f"DROP INDEX CONCURRENTLY {_quoted(name)}")
        rows = await self._look(connection, "bloated_indexes", _OURS, _LARGE_INDEX_BYTES)
        worn = dict.fromkeys([*invalid, *(name for (name,) in rows)])
        rebuilt = tuple(name for name in worn if not _LEFT_BY_REBUILD.search(name))
        for name in rebuilt:
            report(f"rebuilding index {name}")
            await connection.execute(f"REINDEX INDEX CONCURRENTLY {_quoted(name)}")
        return rebuilt

    async def _sum_up(self, connection: Connection) -> None:
        for script in _TIMESCALEDB:
            for call in _script(script)[1]:
                # One by one: several in one message would be a transaction.
                await connection.execute(call)

    async def _look(self, connection: Connection, name: str, *values: object) -> list[Any]:
        async with reading(connection):
            return list(await connection.fetch(self._sql[name], *values))

    @asynccontextmanager
    async def _open(self, *, seconds: float = COMMAND_SECONDS) -> AsyncIterator[Connection]:
        connection = await connect(self.url, command_seconds=seconds)
        try:
            with self._explaining():
                yield connection
        finally:
            await disconnect(connection)

    @asynccontextmanager
    async def _begun(self, *, seconds: float = COMMAND_SECONDS, least: int = 1) -> AsyncIterator[Connection]:
        async with self._open(seconds=seconds) as connection:
            version = await Migrator(PostgresTarget(connection)).check()
            if version < least:
                raise MigrationError(behind(self.name, self.url, version))
            yield connection

    @asynccontextmanager
    async def _current(self, *, seconds: float = COMMAND_SECONDS) -> AsyncIterator[Connection]:
        newest = load_migrations("postgres")[-1].version
        async with self._begun(seconds=seconds, least=newest) as connection:
            yield connection

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except TROUBLE as error:
            raise unavailable(error, self.name) from error


async def _is_there(target: PostgresTarget) -> bool:
    return bool(await target.applied() or await target.unknown_tables())


def _script(name: str) -> tuple[str, list[str]]:
    """Return what of an optional script runs in a transaction, and the statements that may not."""
    sql = (schema_directory("postgres") / "optional" / name).read_text(encoding="utf-8")
    inside, _, behind_it = sql.partition("\nCOMMIT;\n")
    return _BRACKETS.sub("", inside), _CALLS.findall(behind_it)


def _gathered(warnings: Iterable[str]) -> tuple[str, ...]:
    """Say once, with all names, what the server says of each table alike."""
    names: dict[tuple[str, str], list[str]] = {}
    for warning in warnings:
        before, quote, rest = warning.partition('"')
        name, _, after = rest.partition('"')
        names.setdefault((before, after), []).append(f"{quote}{name}{quote}")
    return tuple(
        f"{before}{', '.join(dict.fromkeys(found))}{after}" for (before, after), found in names.items()
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
