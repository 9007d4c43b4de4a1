"""Backs our tables of a PostgreSQL database up, and puts a backup in their place."""

from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from asp_telemetry.backups.copy_archive import read_archive, write_archive
from asp_telemetry.backups.dump import find_programs, read_dump, write_dump
from asp_telemetry.backups.files import private_file, publish
from asp_telemetry.backups.manifest import Manifest, require_equal
from asp_telemetry.backups.origin import Origin, origin_of
from asp_telemetry.backups.postgres import (
    COMMAND_SECONDS,
    Columns,
    Tables,
    Tell,
    columns_of,
    file_sums,
    fill_table,
    quoted,
    replacing,
    server_errors,
    snapshot,
    sql,
    table_sums,
)
from asp_telemetry.database_url import destination_of
from asp_telemetry.errors import BackupError
from asp_telemetry.migrations import Migrator, PostgresTarget
from asp_telemetry.stores.postgres_connection import Connection, connect, disconnect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass(frozen=True)
class _Source:
    """Be a database inside the transaction of its backup."""

    connection: Connection
    origin: Origin
    columns: Columns
    folder: Path
    tell: Tell


async def back_up_postgres(
    url: str, folder: Path, file_format: str, tell: Tell
) -> tuple[Path, Manifest, str | None]:
    """Write our tables into a folder; the arguments and errors are those of `back_up`."""
    async with _connected(url) as connection:
        target = PostgresTarget(connection)
        await Migrator(target).check()
        async with snapshot(connection):
            columns = await columns_of(connection)
            has_identity = "database_identity" in columns
            identity = await connection.fetchval(sql()["identity"]) if has_identity else None
            source = _Source(connection, await origin_of(url, target, identity), columns, folder, tell)
            if file_format != "copy":
                try:
                    return *await _dump(source), None
                except BackupError as error:
                    if file_format == "pg_dump":
                        raise
                    return *await _copy(source), str(error)
            return *await _copy(source), None


async def restore_postgres(backup: Path, manifest: Manifest, url: str, tell: Tell) -> None:
    """Put a backup in the place of our tables, in one transaction together with the comparison.

    Args:
        backup: The intact file.
        manifest: What it holds.
        url: The database; its user has to own the tables, or may make them.
        tell: Called with what is being done.

    Raises:
        StoreUnavailableError: If the server cannot be reached or refuses.
        MigrationError: If the schema cannot be brought to the backup's version.
        BackupError: If the restored tables are not equal to the backup; everything is as before then.
    """
    async with _connected(url) as connection:
        target = PostgresTarget(connection)
        migrator = Migrator(target)
        await migrator.check()
        async with target.locked():
            await connection.execute(sql()["settings"])
            await _reach_version(target, migrator, manifest.schema_version)
            columns = {table: found.columns for table, found in manifest.tables.items()}
            _require_columns(columns, await columns_of(connection))
            async with replacing(connection, list(columns)):
                await _fill(connection, backup, manifest, columns, tell)
            tell("comparing")
            restored = await table_sums(connection, columns, tell)
            require_equal(
                manifest.tables, restored, "what was restored is not equal to the backup, nothing was changed"
            )
            await _reach_version(target, migrator, migrator.newest)
        tell("analyze")
        for table in columns:
            await connection.execute(f"ANALYZE {quoted(table)}")


async def held_in_postgres(url: str) -> dict[str, int]:
    """Count the rows of each table of ours.

    Args:
        url: The database.

    Returns:
        Rows by table; nothing where there are no tables.

    Raises:
        MigrationError: If tables that are not ours stand there: those are never replaced.
    """
    async with _connected(url) as connection:
        await Migrator(PostgresTarget(connection)).check()
        return await _counted(connection)


async def _counted(connection: Connection) -> dict[str, int]:
    async with snapshot(connection):
        return {
            table: await connection.fetchval(f"SELECT count(*) FROM {quoted(table)}")  # noqa: S608 - quoted name
            for table in await columns_of(connection)
        }


async def _dump(source: _Source) -> tuple[Path, Manifest]:
    connection, tables = source.connection, list(source.columns)
    server = connection.get_server_version().major
    programs = await anyio.to_thread.run_sync(find_programs, server)
    if programs is None:
        raise BackupError(
            f"there is no pg_dump of version {server} or newer; install it, or use --format copy"
        )
    if await connection.fetchval(sql()["has_timescaledb"]):
        chunked = [row[0] for row in await connection.fetch(sql()["hypertables"], tables)]
        if chunked:
            raise BackupError(
                f"the rows of {', '.join(chunked)} stand in chunks of TimescaleDB, which pg_dump would leave out; "
                "use --format copy"
            )
    # First, so that from here on nobody can change the tables between this transaction and pg_dump's.
    sums = await table_sums(connection, source.columns, source.tell)
    path = source.folder / source.origin.file_name("pg_dump")
    with private_file(source.folder, path.name) as part:
        source.tell("pg_dump")
        schema, moment = [await connection.fetchval(sql()[name]) for name in ("schema", "snapshot")]
        await write_dump(programs, source.origin.url, moment, schema, tables, part)
        source.tell("verifying")
        written = await file_sums(read_dump(programs, part))
        require_equal(sums, written, "the dump is not equal to the database, repeat it or use --format copy")
        manifest = await source.origin.manifest("pg_dump", sums, part, program=str(programs.major))
        publish(part, path, manifest)
    return path, manifest


async def _copy(source: _Source) -> tuple[Path, Manifest]:
    path = source.folder / source.origin.file_name("copy")
    with private_file(source.folder, path.name) as part:
        sums = await write_archive(source.connection, source.columns, part, source.tell)
        source.tell("verifying")
        written = await file_sums(read_archive(part, source.columns))
        require_equal(sums, written, "the archive is not equal to the database, check the disk and repeat it")
        manifest = await source.origin.manifest("copy", sums, part)
        publish(part, path, manifest)
    return path, manifest


async def _reach_version(target: PostgresTarget, migrator: Migrator, version: int) -> None:
    """Go down or up inside the open transaction: a backup belongs into the schema that it was made in."""
    ledger = await target.applied()
    for row in reversed(ledger[version:]):
        migration = migrator.migrations[row.version - 1]
        await target.run(migration, migration.down)
        await target.forget(migration)
    for migration in migrator.migrations[len(ledger) : version]:
        await migrator.apply_locked(migration.version)


def _require_columns(wanted: Columns, found: Columns) -> None:
    missing = [
        f"{table}.{name}"
        for table, names in wanted.items()
        for name in names
        if name not in found.get(table, ())
    ]
    if missing:
        raise BackupError(
            f"the backup has columns that the database lacks: {', '.join(missing)}; run the optional scripts first that "
            "had been run where the backup is from"
        )


async def _fill(
    connection: Connection, backup: Path, manifest: Manifest, columns: Columns, tell: Tell
) -> None:
    async with AsyncExitStack() as stack:
        tables: Tables
        if manifest.kind == "copy":
            tables = read_archive(backup, columns)
        else:
            needed = int(manifest.program or 0)
            programs = await anyio.to_thread.run_sync(find_programs, needed)
            if programs is None:
                raise BackupError(
                    f"there is no pg_restore of version {needed} or newer, which {backup} needs; install it"
                )
            tables = read_dump(programs, backup)
        async for table, names, lines in await stack.enter_async_context(aclosing(tables)):
            tell(table)
            await fill_table(connection, table, names, lines)


@asynccontextmanager
async def _connected(url: str) -> "AsyncIterator[Connection]":
    connection = await connect(url, command_seconds=COMMAND_SECONDS)
    try:
        with server_errors(destination_of(url)):
            yield connection
    finally:
        with anyio.CancelScope(shield=True):
            await disconnect(connection)
