"""Gives pytest the fixtures; every run of pytest imports this module, so it imports the rest only in a test that asks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from asp_telemetry.testing import CountingIds, FixedClock, Recording


@pytest.fixture
def asp_capture(request: pytest.FixtureRequest) -> "Iterator[Recording]":
    """Capture what the test records, from whatever thread; the program's configuration and data stay as they are."""
    from asp_telemetry.testing import capture  # noqa: PLC0415

    if "asp_strict" in request.fixturenames:
        request.getfixturevalue("asp_strict")  # a recording is as strict as what is around it
    # An asynchronous test may run in another context than its fixtures.
    with capture(everywhere=True) as recorded:
        yield recorded


@pytest.fixture
def asp_strict() -> Iterator[None]:
    """Raise the faults that asp-telemetry otherwise keeps away from the program."""
    from asp_telemetry import guard  # noqa: PLC0415

    before = guard.strict
    guard.be_strict(True)
    yield
    guard.be_strict(before)


@pytest.fixture
def asp_clock() -> "Iterator[FixedClock]":
    """Stop the time of executions at 2026-01-01 00:00:00 UTC; `asp_clock.advance(seconds)` moves it on."""
    from asp_telemetry.testing import FixedClock  # noqa: PLC0415

    with FixedClock() as clock:
        yield clock


@pytest.fixture
def asp_ids() -> "Iterator[CountingIds]":
    """Number executions and defects 1, 2, 3, ..."""
    from asp_telemetry.testing import CountingIds  # noqa: PLC0415

    with CountingIds() as ids:
        yield ids
