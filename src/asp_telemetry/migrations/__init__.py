"""Brings a database's schema from one numbered version to another, and keeps the ledger of what was applied."""

from asp_telemetry.migrations.failures import store_errors
from asp_telemetry.migrations.files import Migration, load_migrations
from asp_telemetry.migrations.migrator import MigrationState, MigrationSummary, Migrator
from asp_telemetry.migrations.postgres import PostgresTarget
from asp_telemetry.migrations.sqlite import SqliteTarget
from asp_telemetry.migrations.target import AppliedMigration, Target

__all__ = [
    "AppliedMigration",
    "Migration",
    "MigrationState",
    "MigrationSummary",
    "Migrator",
    "PostgresTarget",
    "SqliteTarget",
    "Target",
    "load_migrations",
    "store_errors",
]
