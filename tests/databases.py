"""The database of a test that commands or their helpers work on: SQLite and PostgreSQL in turn, with one face."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from asp_telemetry.database_url import is_sqlite, sqlite_path
from asp_telemetry.sample import write_sample_team
from asp_telemetry.upkeep import open_upkeep
from postgres import own_schema


def make_with_example(url: str) -> None:
    """Make a database that holds the worked example alone, whose rows can be counted by hand."""

    async def work() -> None:
        upkeep = open_upkeep(url)
        await upkeep.make()
        await upkeep.add_sample_data()

    asyncio.run(work())


SAMPLE_END = datetime(2026, 11, 20, 17, 40, tzinfo=UTC)
"""When the story of the shared sample ends: a Friday."""


class AnyDatabase:
    """Be a database of this test's own, as yet without tables, that is looked into apart from the code under test."""

    def __init__(self, url: str, journal_dir: Path) -> None:
        self.url = url
        self.journal_dir = journal_dir

    @property
    def is_sqlite(self) -> bool:
        """Tell which it is, for the few tests where that is the question."""
        return is_sqlite(self.url)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query that both databases understand."""
        if self.is_sqlite:
            with closing(sqlite3.connect(sqlite_path(self.url))) as connection:
                return connection.execute(query).fetchall()
        return [tuple(row) for row in self._on_server("fetch", query)]

    def run(self, script: str) -> None:
        """Run statements that both databases understand, and commit them."""
        if self.is_sqlite:
            with closing(sqlite3.connect(sqlite_path(self.url))) as connection:
                connection.executescript(script)
        else:
            self._on_server("execute", script)

    def _on_server(self, verb: str, sql: str) -> Any:
        async def work() -> Any:
            connection = await asyncpg.connect(self.url, server_settings={"timezone": "UTC"})
            try:
                return await getattr(connection, verb)(sql)
            finally:
                await connection.close()

        return asyncio.run(work())


@pytest.fixture(params=["sqlite", "postgres"])
def any_database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AnyDatabase:
    """Make an empty database of each kind in turn, name it in the environment, and keep its journals apart."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/any.db"
    else:
        # The server of the tests trusts everybody; the password is there to be kept secret.
        url = request.getfixturevalue("postgres_url").replace("@", ":s3cret@", 1)
    monkeypatch.setenv("ASP_DATABASE_URL", url)
    monkeypatch.setenv("ASP_JOURNAL_DIR", str(tmp_path / "journals"))
    return AnyDatabase(url, tmp_path / "journals")


@contextmanager
def fresh_database(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """Yield the URL of an empty database that several tests share."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/shared.db"
    else:
        with own_schema(request.getfixturevalue("postgres_server")) as url:
            yield url


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def _kept_sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with fresh_database(request.param, request, tmp_path_factory.mktemp("sample")) as url:
        make_with_example(url)
        asyncio.run(_write_team(url))
        yield url


async def _write_team(url: str) -> None:
    await write_sample_team(url, now=SAMPLE_END)


@pytest.fixture
def sample_database(
    _kept_sample: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AnyDatabase]:
    """Give the worked example and the invented team, on both databases in turn, to tests that only read: all share it."""
    monkeypatch.setenv("ASP_DATABASE_URL", _kept_sample)
    monkeypatch.setenv("ASP_JOURNAL_DIR", str(tmp_path / "journals"))
    database = AnyDatabase(_kept_sample, tmp_path / "journals")
    count = "SELECT (SELECT count(*) FROM execution_traces), (SELECT count(*) FROM bootstrap_metrics)"
    before = database.rows(count)
    yield database
    assert database.rows(count) == before, "this test has written into the sample that all tests share"


@pytest.fixture
def sqlite_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AnyDatabase:
    """Make a database for what concerns SQLite alone."""
    url = f"sqlite:///{tmp_path}/only.db"
    monkeypatch.setenv("ASP_DATABASE_URL", url)
    monkeypatch.setenv("ASP_JOURNAL_DIR", str(tmp_path / "journals"))
    return AnyDatabase(url, tmp_path / "journals")
