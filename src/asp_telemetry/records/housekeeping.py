"""Holds the records of the house-keeping: the ledger of migrations, identity, checkpoints, refused records."""

from collections.abc import Mapping
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import BeforeValidator, StringConstraints

from asp_telemetry.records.base import (
    BigCount,
    Int64,
    Json,
    Milliseconds,
    Record,
    Timestamp,
    parsed_json,
)


class SchemaMigration(Record):
    """Say which migration was applied, when, from which text.

    Example:
        >>> SchemaMigration(version=1, name="spine", checksum="0" * 64, applied_at="2026-01-15 09:00:00",
        ...                 duration_ms=4).version
        1
    """

    table: ClassVar[str] = "schema_migrations"

    version: BigCount
    name: str
    checksum: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    applied_at: Timestamp
    duration_ms: Milliseconds


class DatabaseIdentity(Record):
    """Say who a database is, so that a journal never lands in another one.

    Example:
        >>> DatabaseIdentity(id="019bc0de-0000-7000-8000-000000000001", created_at="2026-01-15 09:00:00").id.version
        7
    """

    table: ClassVar[str] = "database_identity"

    id: UUID
    created_at: Timestamp


class JournalCheckpoint(Record):
    """Say how far one journal lane has been stored, and what became of its records.

    Example:
        >>> JournalCheckpoint(journal_id="lane-1", position=4096, updated_at="2026-01-15 09:00:00").dropped
        0
    """

    table: ClassVar[str] = "journal_checkpoints"

    journal_id: str
    position: BigCount
    stored: BigCount = 0
    rejected: BigCount = 0
    dropped: BigCount = 0
    drop_reasons: Annotated[Mapping[str, int], BeforeValidator(parsed_json)] | None = None
    updated_at: Timestamp


class RejectedRecord(Record):
    """Keep what the database refused, and why.

    Example:
        >>> RejectedRecord(journal_id="lane-1", sequence=7, record={"name": "plan"}, reason="status is unknown",
        ...                rejected_at="2026-01-15 09:00:00").sequence
        7
    """

    table: ClassVar[str] = "rejected_records"

    id: Int64 | None = None
    journal_id: str
    sequence: Int64
    record: Json
    reason: str
    rejected_at: Timestamp
