"""Both databases, from the module that the commands' tests share, and the programs of PostgreSQL."""

import os
from collections.abc import Callable

import pytest

from asp_telemetry.database_url import is_sqlite
from keeping import Kept, new_database
from postgres import programs

__all__ = ["new_database"]


@pytest.fixture
def pg_dump_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the pg_dump that is as new as the server first."""
    monkeypatch.setenv("PATH", f"{programs()}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def formats(new_database: Callable[[], Kept], pg_dump_on_path: None) -> dict[str, str]:
    """Give each format that the database can be backed up in, and the kind of file that it makes."""
    if is_sqlite(new_database().url):
        return {"auto": "sqlite"}
    return {"auto": "pg_dump", "copy": "copy"}
