"""What the schema tests share: both databases with the whole schema in them, and a form in which they compare."""

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from asp_telemetry.resources import schema_directory


@pytest.fixture
def in_sqlite() -> Iterator[sqlite3.Connection]:
    """Open an SQLite database in memory with the whole schema."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript((schema_directory("sqlite") / "schema.sql").read_text())
        yield connection


@pytest.fixture
async def in_postgres(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Open a PostgreSQL schema of this test's own with all tables in it."""
    connection = await asyncpg.connect(postgres_url)
    await connection.execute((schema_directory("postgres") / "schema.sql").read_text())
    yield connection
    await connection.close()


def _plain(value: Any) -> Any:
    match value:
        case bool():
            return int(value)
        case float() | Decimal() | int():
            return float(f"{value:.9g}")
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        case date() | UUID():
            return str(value)
        case str() if value[:1] in "[{":
            return json.loads(value)
        case list():
            return [_plain(part) for part in value]
    return value


@pytest.fixture
def plain() -> Any:
    """Give the function that brings rows of either database into one form, in an order of their own."""
    return lambda rows: sorted(([_plain(value) for value in row] for row in rows), key=repr)
