"""What all tests share: a recorder of their own, and a look into its database."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import asp_telemetry as asp
from asp_telemetry import guard

pytest_plugins = ["databases", "postgres"]


class Recorded:
    """Look at what has been recorded, straight from the database, after a flush."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Run a query after everything recorded so far is committed."""
        result = asp.flush(timeout=20)
        assert result.complete, (result, asp.stats())
        connection = sqlite3.connect(self.path)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(query, values)]
        finally:
            connection.close()

    def traces(self) -> list[dict[str, Any]]:
        """Return all executions in the order of their start."""
        return self.rows("SELECT * FROM execution_traces ORDER BY started_at, correlation_id")

    def metrics(self, metric_type: str | None = None) -> list[dict[str, Any]]:
        """Return all metrics, or those of one type."""
        return self.rows(
            "SELECT * FROM agent_cost_vector WHERE ? IN (metric_type, '') ORDER BY id", metric_type or ""
        )


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    """Record into a database of this test's own, with faults raised instead of swallowed."""
    found = Recorded(tmp_path / "telemetry.db")
    asp.configure(found.url, strict=True, replace=True)
    yield found
    asp.shutdown(timeout=20)
    guard.be_strict(False)
    guard.reset()
