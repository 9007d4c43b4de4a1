"""What the tests of budgets share: no spending of one test counts in another."""

from collections.abc import Iterator

import pytest
import spending

from asp_telemetry.budgets import accounts, shared_account
from asp_telemetry.capture import definition


@pytest.fixture(autouse=True)
def nothing_spent() -> Iterator[None]:
    """Begin with empty accounts, and with sites that have no history."""
    spending.calls.clear()
    definition._sites.clear()
    accounts._accounts.clear()
    shared_account._away.clear()
    yield
    accounts._accounts.clear()
