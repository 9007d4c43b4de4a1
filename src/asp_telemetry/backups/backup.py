"""Makes a backup: one verified file with its manifest, while others go on writing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from asp_telemetry.backups.files import forget_old
from asp_telemetry.backups.manifest import Manifest
from asp_telemetry.database_url import absolute_database, is_sqlite, require_driver
from asp_telemetry.errors import ConfigurationError

Format = Literal["auto", "pg_dump", "copy"]


@dataclass(frozen=True)
class BackupSummary:
    """Say what was backed up.

    Attributes:
        path: The backup; its manifest is beside it, as `NAME.json`.
        manifest: What it holds.
        deleted: The old backups that went.
        note: Why pg_dump was not used where it might have been, if so.
    """

    path: Path
    manifest: Manifest
    deleted: tuple[Path, ...]
    note: str | None = None


async def back_up(
    url: str,
    folder: Path,
    *,
    keep: int | None = None,
    file_format: Format = "auto",
    tell: Callable[[str], None] | None = None,
) -> BackupSummary:
    """Back a database up; others may go on writing into it.

    Args:
        url: The database.
        folder: Where the backup shall lie; made if missing, for this user alone.
        keep: How many backups of this database shall remain there, this one included; all if left out.
        file_format: For PostgreSQL: `"pg_dump"` in its custom format, `"copy"` for a ZIP of COPY texts, `"auto"` for
            the first where pg_dump is there and not older than the server. An SQLite backup is an SQLite file.
        tell: Called with what is being done just now.

    Returns:
        What was done.

    Raises:
        StoreUnavailableError: If the database does not exist or cannot be read.
        MigrationError: If it is not one of ours.
        BackupError: If the backup cannot be written, or is not equal to the database; nothing is kept of it then.
        ConfigurationError: If an argument makes no sense.
    """
    if keep is not None and keep < 1:
        raise ConfigurationError(f"keep={keep} would delete the backup itself; give a number from 1")
    url, say = absolute_database(url), tell or (lambda _: None)
    note = None
    if is_sqlite(url):
        from asp_telemetry.backups.sqlite_backup import back_up_sqlite  # noqa: PLC0415 - imports the driver

        if file_format != "auto":
            raise ConfigurationError(
                f"the format {file_format!r} is for PostgreSQL; leave --format out for SQLite"
            )
        path, manifest = await back_up_sqlite(url, folder, say)
    else:
        require_driver(url)
        from asp_telemetry.backups.postgres_backup import back_up_postgres  # noqa: PLC0415 - imports the driver

        path, manifest, note = await back_up_postgres(url, folder, file_format, say)
    deleted = [] if keep is None else forget_old(folder, path, manifest, keep)
    return BackupSummary(path, manifest, tuple(deleted), note)
