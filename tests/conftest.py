"""What all tests share: what they record, captured by the package's own test kit."""

import gc
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.recorder import waiting
from asp_telemetry.recorder.process import has_other_threads
from asp_telemetry.testing import capture
from asp_telemetry.threads import running_threads

pytest_plugins = ["browser", "postgres", "databases"]


def pytest_collection_finish() -> None:
    """Set apart what stays until the end: each full collection in a test would look through all modules and tests again."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Let the collections at the end look at everything again."""
    gc.unfreeze()


class Recorded:
    """Look at what has been recorded as plain rows, the way an application's own SQL would."""

    def __init__(self, path: Path, rows: Callable[..., list[dict[str, Any]]]) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"
        self.rows = rows

    def traces(self) -> list[dict[str, Any]]:
        """Return all executions in the order of their start."""
        return self.rows("SELECT * FROM execution_traces ORDER BY started_at, correlation_id")

    def metrics(self, metric_type: str | None = None) -> list[dict[str, Any]]:
        """Return all metrics, or those of one type."""
        return self.rows(
            "SELECT * FROM agent_cost_vector WHERE ? IN (metric_type, '') ORDER BY id", metric_type or ""
        )


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Leave out the threads of earlier tests and of their libraries: the program that a test plays has not started them."""
    earlier = running_threads()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(waiting, "has_other_threads", lambda known: has_other_threads(known | earlier))
        yield


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """Capture what the test records, with faults raised instead of swallowed."""
    with capture(everywhere=True, strict=True) as recording:
        yield Recorded(recording.path, recording.rows)
    guard.be_strict(False)
    guard.reset()


@pytest.fixture
def configured(tmp_path: Path) -> Iterator[Recorded]:
    """Configure this process as a program does, for what concerns just that; else as `recorded`."""
    path = tmp_path / "telemetry.db"

    def rows(query: str, *values: Any) -> list[dict[str, Any]]:
        result = asp.flush(timeout=20)
        assert result.complete, (result, asp.stats())
        with closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]

    asp.configure(f"sqlite:///{path}", strict=True, replace=True)
    yield Recorded(path, rows)
    asp.shutdown(timeout=20)
    guard.be_strict(False)
    guard.reset()
