"""A program that records while things go wrong around it, and its account."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

import asp_telemetry as asp


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
        deadline = monotonic() + seconds
        while True:
            asp.flush(timeout=max(0.0, deadline - monotonic()))
            figures = self.account()
            # Behind a flush the writer may append by itself: it notes what has been open for a second.
            if not figures["pending"] or monotonic() >= deadline:
                return figures

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


def until(what: Callable[[], Any], seconds: float = 15.0) -> None:
    """Look again and again until something is so."""
    deadline = monotonic() + seconds
    while not what():
        assert monotonic() < deadline, "it did not happen in time"
        sleep(0.01)
