"""What the tests of retention, backups and their commands share: databases of either kind, full of sample rows."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from asp_telemetry.database_url import is_sqlite, sqlite_path
from asp_telemetry.migrations import Migrator, PostgresTarget
from asp_telemetry.migrations.sqlite import split_statements
from asp_telemetry.records import RECORDS, SchemaMigration
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.postgres_connection import connect, disconnect
from asp_telemetry.stores.sqlite_connection import open_database

HELD = [record for record in RECORDS if record is not SchemaMigration]
_numbers = count(1)


class Kept:
    """Be a database of this test's own; it is asked and changed in the same words whichever it is."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def dialect(self) -> str:
        """Name the folder of its schema."""
        return "sqlite" if is_sqlite(self.url) else "postgres"

    async def migrate(self, to: int | None = None) -> "Kept":
        """Bring it to the current schema, or to an older one."""
        if is_sqlite(self.url):
            await (await open_database(sqlite_path(self.url), to=to)).connection.close()
            return self
        connection = await connect(self.url)
        await Migrator(PostgresTarget(connection)).up(to=to)
        await disconnect(connection)
        return self

    async def fill(self) -> "Kept":
        """Bring it to the current schema and put the sample rows in, and the kinds of values that are easily lost."""
        await self.migrate()
        text = (schema_directory(self.dialect) / "sample_data.sql").read_text()
        await self.run(*(split_statements(text) if self.dialect == "sqlite" else [text]))
        await self.run(
            "INSERT INTO agent_cost_vector (timestamp, task_id, agent_role, metric_type, metric_value, metric_unit) "
            "VALUES ('2026-01-15 09:00:00.000001', 'T', 'Code', 'API_Cost', 0.00003, 'USD')",
            "INSERT INTO task_metadata (task_id, created_at, updated_at, task_description, project_id) VALUES "
            "('tab\t', '2026-01-15 09:00:00.000000', '2026-01-15 09:00:00.000000', "
            "'line\n\\.\nback\\slash \\N tab\t quote \" 雪 \r end', '')",
            "INSERT INTO journal_checkpoints (journal_id, position, updated_at) "
            "VALUES ('lane-1', 4096, '2026-01-15 09:00:00.000000')",
        )
        return self

    async def run(self, *statements: str) -> None:
        """Run statements; times in them are UTC."""
        if is_sqlite(self.url):
            with closing(sqlite3.connect(sqlite_path(self.url), isolation_level=None)) as connection:
                for statement in statements:
                    connection.execute(statement)
            return
        connection = await asyncpg.connect(self.url, server_settings={"timezone": "UTC"})
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def rows(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        if is_sqlite(self.url):
            with closing(sqlite3.connect(sqlite_path(self.url))) as reader:
                reader.row_factory = sqlite3.Row
                return [dict(row) for row in reader.execute(query)]
        connection = await asyncpg.connect(self.url)
        try:
            return [dict(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    async def count(self, table: str) -> int:
        """Count the rows of a table."""
        (row,) = await self.rows(f"SELECT count(*) AS number FROM {table}")
        return int(row["number"])

    async def records(self, record: Any) -> list[Any]:
        """Return the rows of a table as its records, in the order of the key."""
        rows = await self.rows(f"SELECT {', '.join(record.columns())} FROM {record.table} ORDER BY 1")
        return [record.model_validate(row) for row in rows]

    async def everything(self) -> dict[str, list[Any]]:
        """Return all rows of all tables, but for the ledger of migrations."""
        return {record.table: await self.records(record) for record in HELD}


def ago(**time: float) -> str:
    """Return a moment in the past as the text that both databases take."""
    return (datetime.now(UTC) - timedelta(**time)).strftime("%Y-%m-%d %H:%M:%S.%f")


def key(number: int) -> str:
    """Return an id that no sample row has."""
    return str(UUID(int=number))


@pytest.fixture(params=["sqlite", "postgres"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Kept]]:
    """Give a function that makes one more empty database, of each kind in turn."""
    names: list[str] = []
    server = request.getfixturevalue("postgres_server") if request.param == "postgres" else None

    def make() -> Kept:
        names.append(f"kept_{next(_numbers)}")
        if server is None:
            return Kept(f"sqlite:///{tmp_path}/{names[-1]}.db")
        server.psql(
            f"CREATE ROLE {names[-1]} LOGIN CREATEROLE; CREATE SCHEMA {names[-1]} AUTHORIZATION {names[-1]}; "
            f"ALTER ROLE {names[-1]} SET search_path = {names[-1]};"
        )
        return Kept(server.url(user=names[-1]))

    yield make
    if server is not None:
        for name in names:
            server.psql(f"SET client_min_messages = error; DROP SCHEMA {name} CASCADE;")
