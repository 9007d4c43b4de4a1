"""What the tests of events share: a recorder into each database in turn."""

from uuid import UUID

import pytest

import asp_telemetry as asp
from asp_telemetry import guard


@pytest.fixture
def found(any_database):
    """Record into each database in turn, and return the rows of a query, ids as text."""
    asp.configure(any_database.url, strict=True, replace=True, auto_migrate=True)

    def rows(query):
        result = asp.flush(timeout=20)
        assert result.complete, asp.stats()
        assert result.rejected == 0
        rows = any_database.rows(query)
        return [tuple(str(value) if isinstance(value, UUID) else value for value in row) for row in rows]

    yield rows
    asp.shutdown(timeout=20)
    guard.be_strict(False)
    guard.reset()
