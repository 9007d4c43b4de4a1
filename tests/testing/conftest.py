"""What the tests of the test kit share: a configured program, with records of its own, around the code under test."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import asp_telemetry as asp
from asp_telemetry import guard


class Program:
    """Be a program that has been configured and has recorded one execution, `started`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "program.db"
        self.url = f"sqlite:///{self.path}"

    def configure(self, **settings: Any) -> None:
        """Record into this program's database from now on."""
        asp.configure(self.url, replace=True, **settings)

    def rows(self) -> list[dict[str, Any]]:
        """Return the executions in the program's database, but for the first."""
        assert asp.flush(timeout=20).complete
        with closing(sqlite3.connect(self.path)) as connection:
            connection.row_factory = sqlite3.Row
            found = [dict(row) for row in connection.execute("SELECT * FROM execution_traces ORDER BY rowid")]
        assert found.pop(0)["name"] == "started"
        return found

    def names(self) -> list[str]:
        """Return the names of the executions in the program's database, but for the first."""
        return [row["name"] for row in self.rows()]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    found = Program(tmp_path)
    guard.reset()
    found.configure(strict=True)
    with asp.span("started"):
        pass
    assert found.names() == []
    yield found
    asp.shutdown(timeout=20)
    guard.be_strict(False)
    guard.reset()
