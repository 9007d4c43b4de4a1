"""What the host tests share: a recorder that keeps its faults to itself, as in production, and its account."""

import logging
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from time import monotonic, sleep
from typing import Any

import pytest

import asp_telemetry as asp
from asp_telemetry import guard


class Host:
    """Be a program that records into a database while things go wrong."""

    def __init__(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        self.folder = folder
        self.database = folder / "telemetry.db"
        self._caplog = caplog

    def configure(self, **settings: Any) -> None:
        """Record into this host's database from now on."""
        asp.configure(f"sqlite:///{self.database}", replace=True, **settings)

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Ask the database."""
        connection = sqlite3.connect(self.database)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def names(self, pattern: str = "%") -> list[tuple[str, int]]:
        """Return name and iteration of all executions."""
        return self.rows(
            "SELECT name, agent_iteration FROM execution_traces WHERE name LIKE ? ORDER BY 1, 2", pattern
        )

    def messages(self) -> list[str]:
        """Return what has been logged."""
        return [record.getMessage() for record in self._caplog.records if record.name == "asp_telemetry"]

    def settled(self, seconds: float = 20.0) -> dict[str, Any]:
        """Wait until nothing is pending, and return the account, which has to add up."""
        asp.flush(timeout=seconds)
        return self.account()

    def account(self) -> dict[str, Any]:
        """Return the account, which has to add up."""
        deadline = monotonic() + 5
        while True:
            figures = asp.stats()
            parts = sum(figures[name] for name in ("stored", "pending", "rejected", "dropped"))
            # The figures are taken one after the other while the writer works: between two of them it may commit.
            if figures["accepted"] == parts or monotonic() > deadline:
                break
            sleep(0.01)
        assert figures["accepted"] == parts, figures
        assert sum(figures["drop_reasons"].values()) == figures["dropped"], figures
        return figures


@pytest.fixture
def host(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Host]:
    guard.reset()
    caplog.set_level(logging.WARNING, "asp_telemetry")
    yield Host(tmp_path, caplog)
    asp.shutdown(timeout=10)
    guard.reset()


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a piece of code as a program of its own."""

    def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "program.py"
        path.write_text(dedent(code))
        command = [sys.executable, str(path), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    return run


def until(what: Callable[[], Any], seconds: float = 15.0) -> None:
    """Look again and again until something is so."""
    deadline = monotonic() + seconds
    while not what():
        assert monotonic() < deadline, "it did not happen in time"
        sleep(0.01)
