"""Says which database a backup is from, at which moment."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import anyio

from asp_telemetry.backups.files import digest_of
from asp_telemetry.backups.manifest import Kind, Manifest, TableSum
from asp_telemetry.database_url import destination_of
from asp_telemetry.errors import MigrationError
from asp_telemetry.migrations.target import Target

_ENDINGS: dict[Kind, str] = {"sqlite": ".db", "pg_dump": ".dump", "copy": ".copy.zip"}


@dataclass(frozen=True)
class Origin:
    """Be a database at the moment of its backup.

    Attributes:
        url: The database, credentials included.
        moment: When the backup was begun.
        database_id: Which database it is.
        migrations: The checksums of its migrations, in order.
    """

    url: str
    moment: datetime
    database_id: str
    migrations: tuple[str, ...]

    def file_name(self, kind: Kind) -> str:
        """Return what the backup is called.

        Example:
            >>> Origin("sqlite:////tmp/a.db", datetime(2026, 1, 15, 9, tzinfo=UTC), "", ()).file_name("sqlite")
            'a-20260115T090000.000000Z.db'
        """
        name = unquote(urlsplit(self.url).path).rstrip("/").rpartition("/")[2].removesuffix(".db")
        return f"{name}-{self.moment:%Y%m%dT%H%M%S.%fZ}{_ENDINGS[kind]}"

    async def manifest(
        self, kind: Kind, tables: dict[str, TableSum], file: Path, program: str | None = None
    ) -> Manifest:
        """Describe a complete backup file.

        Args:
            kind: What it is.
            tables: What it was verified to hold.
            file: The file.
            program: The version of the program that wrote it.

        Returns:
            Its manifest.
        """
        size, digest = await anyio.to_thread.run_sync(digest_of, file)
        return Manifest(
            kind=kind,
            created_at=self.moment.isoformat(),
            database=destination_of(self.url),
            database_id=self.database_id,
            schema_version=len(self.migrations),
            migrations=self.migrations,
            tables=tables,
            file_bytes=size,
            file_sha256=digest,
            program=program,
        )


async def origin_of(url: str, target: Target, database_id: str | None) -> Origin:
    """Say which database this is.

    Args:
        url: Its URL.
        target: The database, which the migrator has found to be one of ours.
        database_id: Its identity, as far as it has one.

    Returns:
        The origin, as of now.

    Raises:
        MigrationError: If it has no ledger of migrations.
    """
    ledger = await target.applied()
    if not ledger or database_id is None:
        raise MigrationError(
            f"{destination_of(url)} has no schema of asp-telemetry, or no ledger of it; check --database, or run "
            "`asp-telemetry migrate up`"
        )
    return Origin(url, datetime.now(UTC), database_id, tuple(row.checksum for row in ledger))
