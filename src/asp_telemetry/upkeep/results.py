"""Holds what the upkeep of a database finds out: plain facts, for commands to print."""

from collections.abc import Mapping
from dataclasses import dataclass

from asp_telemetry.migrations import MigrationState, MigrationSummary
from asp_telemetry.stores.legacy import LegacyUpgrade


@dataclass(frozen=True)
class Made:
    """Say what making a database did, or would do.

    Attributes:
        created: Whether there was nothing before.
        summary: What the migrations did.
        upgraded: What became of a database of the original scripts, if it was one.
        would_upgrade: Whether it is one of the original scripts; only where it was rehearsed.
    """

    created: bool
    summary: MigrationSummary
    upgraded: LegacyUpgrade | None = None
    would_upgrade: bool = False


@dataclass(frozen=True)
class SchemaStates:
    """Say where each migration stands, whether there is a database, and whether the original scripts made it."""

    exists: bool
    original: bool
    migrations: tuple[MigrationState, ...]


@dataclass(frozen=True)
class Verification:
    """Say whether a database is sound: its own check, the schema version, a row written and read back.

    Attributes:
        integrity: `"ok"`, or what the database says is wrong with itself.
        schema_version: The last migration that was applied.
        round_trip: Whether a row came back as it was written.
    """

    integrity: str
    schema_version: int
    round_trip: bool

    @property
    def ok(self) -> bool:
        """Return whether everything is as it should be."""
        return self.integrity == "ok" and self.round_trip


@dataclass(frozen=True)
class LaneFigures:
    """Say how far a journal lane has been stored, and what became of its records; times are UTC text.

    Attributes:
        lane: The journal's id, a slash and the lane's number; `retired` for all journals that are gone.
        position: How far it has been stored, in cells.
        stored: How many of its records were stored.
        rejected: How many the database refused.
        dropped: How many were never journalled.
        reasons: Why those were not, by reason.
        updated_at: When it was last moved.
    """

    lane: str
    position: int
    stored: int
    rejected: int
    dropped: int
    reasons: Mapping[str, int]
    updated_at: str


@dataclass(frozen=True)
class Orphans:
    """Say how many rows of a table name a parent that is not there.

    Attributes:
        child: The table and its column, such as `hook_executions.correlation_id`.
        parent: The table and the column that it names.
        rows: How many.
    """

    child: str
    parent: str
    rows: int


@dataclass(frozen=True)
class Rejection:
    """Say why records were refused, how many, and when the last one was, in UTC text."""

    reason: str
    rows: int
    last_at: str
