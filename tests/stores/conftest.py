"""The database of a contract test: SQLite and PostgreSQL in turn, with one face."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import Any

import asyncpg
import pytest

from asp_telemetry.database_url import is_sqlite, sqlite_path
from asp_telemetry.stores import open_store
from postgres import Server


class Database:
    """Be a database of this test's own; the rows read from it are the same whichever it is."""

    def __init__(self, url: str) -> None:
        self.url = url

    def new_store(self) -> Any:
        """Make one more store of it, not yet open."""
        return open_store(self.url, auto_migrate=True)

    async def records(self, record: Any) -> list[Any]:
        """Return all rows of a table as its records, in the order of its key."""
        columns = ", ".join(record.columns())
        rows = await self.rows(f"SELECT {columns} FROM {record.table} ORDER BY 1")
        return [record.model_validate(row) for row in rows]

    async def only(self, record: Any) -> Any:
        """Return the only row of a table."""
        (found,) = await self.records(record)
        return found

    async def rows(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of a query that both databases understand."""
        if is_sqlite(self.url):
            with closing(sqlite3.connect(sqlite_path(self.url))) as reader:
                reader.row_factory = sqlite3.Row
                return [dict(row) for row in reader.execute(query)]
        connection = await asyncpg.connect(self.url)
        try:
            return [dict(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()


@pytest.fixture
def service_url(postgres_server: Server, postgres_url: str) -> Iterator[str]:
    """Let the owner migrate, and give the URL of a login that writes as a member of service_role."""
    asyncio.run(_migrate(postgres_url))
    schema = postgres_url.split("//")[1].split("@", maxsplit=1)[0]
    name = f"app_of_{schema}"
    postgres_server.psql(
        f"CREATE ROLE {name} LOGIN IN ROLE service_role; ALTER ROLE {name} SET search_path = {schema};"
    )
    yield postgres_server.url(user=name)
    postgres_server.psql(f"DROP ROLE {name}")


async def _migrate(url: str) -> None:
    owner = open_store(url, auto_migrate=True)
    await owner.open()
    await owner.close()


@pytest.fixture(params=["sqlite", "postgres", "postgres as service_role"])
def database(request: pytest.FixtureRequest, tmp_path: Any) -> Database:
    """Make an empty database of each kind in turn; the last writes under row security, which forbids COPY."""
    if request.param == "sqlite":
        return Database(f"sqlite:///{tmp_path}/contract.db")
    return Database(request.getfixturevalue("postgres_url" if request.param == "postgres" else "service_url"))


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Any]:
    """Open a store of the test's database."""
    found = database.new_store()
    await found.open()
    yield found
    await found.close()
