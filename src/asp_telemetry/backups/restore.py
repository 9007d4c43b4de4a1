"""Restores a backup: never over rows that somebody may want, and never without comparing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio

from asp_telemetry.backups.files import require_intact
from asp_telemetry.backups.manifest import Manifest, read_manifest
from asp_telemetry.database_url import (
    absolute_database,
    destination_of,
    is_sqlite,
    require_driver,
    sqlite_path,
)
from asp_telemetry.errors import BackupError
from asp_telemetry.migrations import load_migrations

# They fill by themselves when a database is made.
_OWN = frozenset({"schema_migrations", "database_identity"})


@dataclass(frozen=True)
class RestoreSummary:
    """Say what was restored.

    Attributes:
        manifest: What the database holds now.
        database: Where, without user and password.
        set_aside: Where the old file was moved to, if it was none that SQLite could read.
    """

    manifest: Manifest
    database: str
    set_aside: Path | None = None


async def restore(
    url: str, backup: Path, *, replace: bool = False, tell: Callable[[str], None] | None = None
) -> RestoreSummary:
    """Put a backup in the place of a database; its identity and the positions of the journals come along.

    Args:
        url: The database, which is made or brought to the current schema where that is needed.
        backup: The backup, with its manifest beside it.
        replace: Whether a database that holds rows may lose them.
        tell: Called with what is being done just now.

    Returns:
        What was done.

    Raises:
        StoreUnavailableError: If the database is locked, cannot be reached or cannot be written.
        MigrationError: If it holds what is not ours, or is newer than this code.
        BackupError: If the backup is damaged or of another kind of database, the database holds rows, or what was
            restored is not equal to the backup.
    """
    url, say = absolute_database(url), tell or (lambda _: None)
    say("reading the backup")
    manifest = await require_restorable(url, backup)
    held = await held_rows(url)
    if held and not replace:
        told = ", ".join(f"{name} {count}" for name, count in held.items())
        raise BackupError(
            f"{destination_of(url)} holds rows that would be lost ({told}); name another database, or use --yes"
        )
    aside = None
    if is_sqlite(url):
        from asp_telemetry.backups.sqlite_backup import restore_sqlite  # noqa: PLC0415 - imports the driver

        aside = await restore_sqlite(backup, manifest, url, say)
    else:
        from asp_telemetry.backups.postgres_backup import restore_postgres  # noqa: PLC0415 - imports the driver

        await restore_postgres(backup, manifest, url, say)
    return RestoreSummary(manifest, destination_of(url), aside)


async def require_restorable(url: str, backup: Path) -> Manifest:
    """Make sure that a backup is whole and fits into a database, without touching that.

    Args:
        url: The database.
        backup: The backup, with its manifest beside it.

    Returns:
        What the backup holds.

    Raises:
        BackupError: If it is missing, damaged, or of another kind of database.
    """
    manifest = read_manifest(backup)
    _require_fitting(manifest, backup, absolute_database(url))
    await anyio.to_thread.run_sync(require_intact, backup, manifest)
    return manifest


async def held_rows(url: str) -> dict[str, int]:
    """Count what a database would lose if a backup took its place.

    Args:
        url: The database, which need not exist.

    Returns:
        Rows by table, without the tables that have none; empty where there is nothing to lose.

    Raises:
        StoreUnavailableError: If it cannot be reached or read.
        MigrationError: If it holds tables that are not ours.
    """
    url = absolute_database(url)
    if is_sqlite(url):
        from asp_telemetry.backups.sqlite_backup import held_in_sqlite  # noqa: PLC0415 - imports the driver

        counts = await held_in_sqlite(sqlite_path(url))
    else:
        require_driver(url)
        from asp_telemetry.backups.postgres_backup import held_in_postgres  # noqa: PLC0415 - imports the driver

        counts = await held_in_postgres(url)
    return {name: count for name, count in sorted(counts.items()) if count and name not in _OWN}


def _require_fitting(manifest: Manifest, backup: Path, url: str) -> None:
    """Refuse what belongs into the other database, or was made by migrations that this code does not have."""
    if is_sqlite(url) != (manifest.kind == "sqlite"):
        there = "an SQLite" if is_sqlite(url) else "a PostgreSQL"
        raise BackupError(
            f"{backup} is from {manifest.database} and does not fit into {there} database; restore it into one of its "
            "own kind, and use `asp-telemetry copy` from there"
        )
    known = tuple(
        migration.checksum for migration in load_migrations("sqlite" if is_sqlite(url) else "postgres")
    )
    if manifest.migrations != known[: len(manifest.migrations)]:
        raise BackupError(
            f"{backup} was made at schema version {manifest.schema_version} by migrations that this asp-telemetry does "
            f"not have (it knows versions up to {len(known)}); restore it with the version that made it"
        )
