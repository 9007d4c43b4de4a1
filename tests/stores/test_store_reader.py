"""Reading either database: questions that are asked together share what they connect."""

import asyncio
import time
from pathlib import Path

import pytest

from asp_telemetry.database_url import sqlite_path
from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.stores.reader import open_reader
from asp_telemetry.upkeep import open_upkeep
from databases import AnyDatabase, make_with_example


def connections(database: AnyDatabase) -> int:
    """Count the connections to a database, as the system or the server sees them."""
    if database.is_sqlite:
        path = sqlite_path(database.url)
        return sum(_target(link) == path for link in Path("/proc/self/fd").iterdir())
    return (
        database.rows("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")[0][0] - 1
    )


def _target(link: Path) -> Path | None:
    try:
        return link.readlink()
    except FileNotFoundError:
        return None  # that of the folder that is being listed


def test_questions_asked_together_leave_no_connection_behind(any_database: AnyDatabase) -> None:
    """However many questions come before the first connection is there, all that was opened is closed."""
    make_with_example(any_database.url)
    before = connections(any_database)

    async def ask() -> list[int]:
        reader = open_reader(any_database.url)
        found = await asyncio.gather(*(reader.fetch("SELECT 1 AS one", {}) for _ in range(20)))
        await reader.close()
        return [rows[0]["one"] for rows in found]

    assert asyncio.run(ask()) == [1] * 20
    deadline = time.monotonic() + 20
    while (left := connections(any_database)) > before and time.monotonic() < deadline:
        time.sleep(0.05)  # a server notices a moment later that it was left
    assert left == before


def test_a_file_that_is_replaced_is_read_anew(sqlite_database: AnyDatabase) -> None:
    """What was deleted is not read on for ever, though it is still open; what stands in its place is."""
    count = "SELECT count(*) AS tasks FROM task_metadata"
    path = sqlite_path(sqlite_database.url)

    async def ask() -> list[int]:
        reader = open_reader(sqlite_database.url)
        found = [(await reader.fetch(count, {}))[0]["tasks"]]
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
        with pytest.raises(StoreUnavailableError, match="does not exist"):
            await reader.fetch(count, {})
        await open_upkeep(sqlite_database.url).make()
        found.append((await reader.fetch(count, {}))[0]["tasks"])
        await reader.close()
        return found

    make_with_example(sqlite_database.url)
    before, after = asyncio.run(ask())
    assert (before > 0, after) == (True, 0)
    assert connections(sqlite_database) == 0
