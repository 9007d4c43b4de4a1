"""Backs an SQLite database up, and puts a backup in its place."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import anyio

from asp_telemetry.backups.files import private_file, publish
from asp_telemetry.backups.manifest import Manifest, require_equal
from asp_telemetry.backups.origin import origin_of
from asp_telemetry.backups.sqlite import copy_in, copy_out, move_away, read_sums, row_counts, size_of
from asp_telemetry.database_url import sqlite_path
from asp_telemetry.errors import MigrationError, StoreUnavailableError
from asp_telemetry.migrations import Migrator, SqliteTarget
from asp_telemetry.stores.legacy import is_legacy
from asp_telemetry.stores.sqlite_connection import connect, create_private, open_database

Tell = Callable[[str], None]


async def back_up_sqlite(url: str, folder: Path, tell: Tell) -> tuple[Path, Manifest]:
    """Copy a database into a folder; the arguments and errors are those of `back_up`."""
    source = sqlite_path(url)
    if not size_of(source):
        raise StoreUnavailableError(
            f"{source} does not exist or is empty, so there is nothing to back up; check --database"
        )
    await _require_ours(source)
    with private_file(folder, f"{source.stem}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}") as part:
        tell("copying and comparing")
        tables = await anyio.to_thread.run_sync(copy_out, source, part)
        # Told from the copy: the database may have moved on.
        connection = await connect(part, read_only=True)
        try:
            rows = list(await connection.execute_fetchall("SELECT id FROM database_identity"))
            origin = await origin_of(url, SqliteTarget(connection), str(rows[0][0]) if rows else None)
        finally:
            await connection.close()
        path = folder / origin.file_name("sqlite")
        manifest = await origin.manifest("sqlite", tables, part)
        publish(part, path, manifest)
    return path, manifest


async def restore_sqlite(backup: Path, manifest: Manifest, url: str, tell: Tell) -> Path | None:
    """Put a backup in the place of a database.

    Args:
        backup: The intact file.
        manifest: What it holds.
        url: The database, which may hold nothing, or what its owner gives up.
        tell: Called with what is being done.

    Returns:
        Where the old file was moved to, if it was none that SQLite can read.

    Raises:
        StoreUnavailableError: If the database is locked or cannot be written.
        MigrationError: If it holds tables that are not ours.
        BackupError: If the backup is damaged, or the restored database is not equal to it.
    """
    tell("checking the backup")
    found = await anyio.to_thread.run_sync(read_sums, backup)
    require_equal(manifest.tables, found, f"{backup} is not what it was; take another backup")
    path = sqlite_path(url)
    aside = await _set_aside(path)
    create_private(path)
    tell("copying")
    await anyio.to_thread.run_sync(copy_in, backup, path)
    tell("comparing")
    found = await anyio.to_thread.run_sync(read_sums, path)
    require_equal(manifest.tables, found, f"{path} is not equal to {backup}, restore it again")
    opened = await open_database(path)
    await opened.connection.close()
    return aside


async def held_in_sqlite(path: Path) -> dict[str, int]:
    """Count the rows of each table of a file.

    Args:
        path: The file, which may be missing.

    Returns:
        Rows by table; of a file that SQLite cannot read its size, as `"unreadable bytes"`.

    Raises:
        MigrationError: If it holds tables that are not ours: those are never replaced.
    """
    size = size_of(path)
    if not size:
        return {}
    counts = await anyio.to_thread.run_sync(row_counts, path)
    if counts is None:
        return {"unreadable bytes": size}
    await _require_ours(path)
    return counts


async def _set_aside(path: Path) -> Path | None:
    """Rename what is no database, with the files that SQLite keeps beside it; refuse what is not ours."""
    if not size_of(path):
        return None
    if await anyio.to_thread.run_sync(row_counts, path) is not None:
        await _require_ours(path)
        return None
    aside = path.with_name(f"{path.name}.unreadable-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    await anyio.to_thread.run_sync(move_away, path, aside)
    return aside


async def _require_ours(path: Path) -> None:
    connection = await connect(path, read_only=True)
    try:
        if await is_legacy(connection):
            raise MigrationError(
                f"{path} was made by the original scripts; run `asp-telemetry migrate up` first, which keeps a backup of it"
            )
        await Migrator(SqliteTarget(connection)).check()
    finally:
        await connection.close()
