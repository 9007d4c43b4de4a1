"""Says what the migrator asks of a database, whichever it is."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from asp_telemetry.migrations.files import Migration


@dataclass(frozen=True)
class AppliedMigration:
    """Be one row of the ledger: what was applied, when (UTC text), from which text."""

    version: int
    name: str
    checksum: str
    applied_at: str
    duration_ms: float


class Target(Protocol):
    """Be a database whose schema can be migrated; one implementation per dialect."""

    dialect: str

    async def describe(self) -> str:
        """Name the database for messages, without a password."""

    def locked(self, *, keep: bool = True) -> AbstractAsyncContextManager[None]:
        """Hold the write lock for one transaction: commit at the end, roll back on an error or without `keep`."""

    async def applied(self) -> tuple[AppliedMigration, ...]:
        """Read the ledger in order; empty where there is none."""

    async def unknown_tables(self) -> tuple[str, ...]:
        """Name the tables of a database that has no ledger."""

    async def matches(self, migrations: tuple[Migration, ...]) -> bool:
        """Tell whether the tables are just what these migrations make, though the ledger does not say so."""

    async def run(self, migration: Migration, sql: str) -> None:
        """Run one direction of a migration, statement by statement, inside the open transaction."""

    async def record(self, migration: Migration, duration_ms: float) -> None:
        """Write the ledger row, and the database's identity where it has none."""

    async def forget(self, migration: Migration) -> None:
        """Remove the ledger row, if the ledger is still there."""

    async def size_bytes(self) -> int:
        """Measure the database."""
