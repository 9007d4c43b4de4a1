"""A Langfuse of this test's own, and what to do with it."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import anyio
import pytest
from langfuse_feeding import START

from asp_telemetry.importing import ImportSummary
from asp_telemetry.importing.langfuse import Comparison, compare_langfuse, import_langfuse, reader
from asp_telemetry.langfuse_project import langfuse_project
from asp_telemetry.stores import open_store
from asp_telemetry.writer import follower
from databases import AnyDatabase
from langfuse_double import LangfuseDouble

SINCE, UNTIL = START - timedelta(hours=1), START + timedelta(days=5)
_numbers = count(1)


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[LangfuseDouble]:
    """Listen, and be named in the environment; waits are short."""
    monkeypatch.delenv("LANGFUSE_HOST", raising=False)
    monkeypatch.setattr(reader, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(follower, "_INTERVAL_SECONDS", 0.05)
    # The Langfuse SDK keeps one client for each public key, with the address that it met first.
    with LangfuseDouble(f"pk-lf-{next(_numbers)}") as found:
        for name, value in found.variables.items():
            monkeypatch.setenv(name, value)
        yield found


@pytest.fixture
def ledger(any_database: AnyDatabase) -> AnyDatabase:
    """Make an empty ledger, on each kind of database in turn."""

    async def make() -> None:
        store = open_store(any_database.url, auto_migrate=True)
        await store.open()
        await store.close()

    anyio.run(make)
    return any_database


@pytest.fixture
def bring(double: LangfuseDouble, ledger: AnyDatabase) -> Callable[..., ImportSummary]:
    """Import what the double has."""

    def work(since: datetime = SINCE, until: datetime = UNTIL, **options: Any) -> ImportSummary:
        async def run() -> ImportSummary:
            return await import_langfuse(
                ledger.url, langfuse_project(double.variables), since, until, **options
            )

        return anyio.run(run)

    return work


@pytest.fixture
def compare(double: LangfuseDouble, ledger: AnyDatabase) -> Callable[..., Comparison]:
    """Compare the ledger with the double."""

    def work(since: datetime = SINCE, until: datetime = UNTIL) -> Comparison:
        async def run() -> Comparison:
            return await compare_langfuse(ledger.url, langfuse_project(double.variables), since, until)

        return anyio.run(run)

    return work
