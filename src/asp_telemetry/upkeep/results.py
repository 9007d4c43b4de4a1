"""Holds what the upkeep of a database finds out: plain facts, for commands to print."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from asp_telemetry.database_url import pasteable
from asp_telemetry.migrations import MigrationState, MigrationSummary
from asp_telemetry.records import DatabaseIdentity, JournalCheckpoint, SchemaMigration
from asp_telemetry.stores.legacy import LegacyUpgrade
from asp_telemetry.upkeep.relations import Relation

KEPT = frozenset(record.table for record in (SchemaMigration, DatabaseIdentity, JournalCheckpoint))
"""The tables that stay when every record goes: without them journals that wait would be stranded, or come twice."""

# What is imported can be imported again: unlike a journal, its source still has it.
FORGET_IMPORTS = "DELETE FROM journal_checkpoints WHERE journal_id >= 'import/' AND journal_id < 'import0'"

SETTLED_SECONDS = 60
"""How old a row is before its parent should be there: a parent that still runs is stored after its children."""


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
        round_trip: Whether a row came back as it was written; None where this user may not write.
    """

    integrity: str
    schema_version: int
    round_trip: bool | None

    @property
    def ok(self) -> bool:
        """Return whether nothing is wrong."""
        return self.integrity == "ok" and self.round_trip is not False


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

    @classmethod
    def of(
        cls,
        lane: str,
        position: int,
        stored: int,
        rejected: int,
        dropped: int,
        reasons: str | None,
        updated_at: str,
    ) -> "LaneFigures":
        """Return the figures of a row of journal_checkpoints, whose reasons are JSON.

        Example:
            >>> LaneFigures.of("j/1", 9, 4, 0, 1, '{"disk_full": 1}', "2026-01-15 09:00:00.000000").reasons
            {'disk_full': 1}
        """
        return cls(lane, position, stored, rejected, dropped, json.loads(reasons or "{}"), updated_at)


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

    @classmethod
    def of(cls, relation: Relation, rows: int) -> "Orphans":
        """Return how many rows of a relation are orphans.

        Example:
            >>> Orphans.of(Relation("a", "b_id", ("b", "old_b"), "id", "made_at"), 2)
            Orphans(child='a.b_id', parent='b.id', rows=2)
        """
        return cls(f"{relation.child}.{relation.column}", f"{relation.parents[0]}.{relation.key}", rows)


@dataclass(frozen=True)
class Rejection:
    """Say why records were refused, how many, and when the last one was, in UTC text."""

    reason: str
    rows: int
    last_at: str


@dataclass(frozen=True)
class UnloggedDefects:
    """Say how many defects are known only by what became of them, and the ids of some."""

    rows: int
    ids: tuple[str, ...]


def behind(name: str, url: str, version: int) -> str:
    """Say that a database is not at the schema version that a command needs, and what to do.

    Args:
        name: What people call the database.
        url: Its URL.
        version: The version it is at.

    Returns:
        The message; credentials do not appear in it.

    Example:
        >>> behind("/tmp/a.db", "sqlite:////tmp/a.db", 0)
        '/tmp/a.db is at schema version 0; run `asp-telemetry migrate up --database sqlite:////tmp/a.db` first'
    """
    return f"{name} is at schema version {version}; run `asp-telemetry migrate up --database {pasteable(url)}` first"
