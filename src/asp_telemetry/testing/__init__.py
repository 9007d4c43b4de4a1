"""Helps users test what their programs record: captured records, a fixed clock, counting ids, faults to inject.

    from asp_telemetry.testing import capture

    with capture() as recorded:
        plan("TASK-001", "log in with a passkey")
    assert [execution.name for execution in recorded.executions] == ["plan"]

It needs no test runner; for pytest there are fixtures on top, in `asp_telemetry.testing.pytest_plugin`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asp_telemetry.testing.account import assert_no_loss
    from asp_telemetry.testing.counting_ids import CountingIds
    from asp_telemetry.testing.disk import full_disk, tiny_disk
    from asp_telemetry.testing.faults import dead_writer, locked_database, vanished_database
    from asp_telemetry.testing.fixed_clock import FixedClock
    from asp_telemetry.testing.recording import Recording, capture

_HOMES = {
    "CountingIds": "counting_ids",
    "FixedClock": "fixed_clock",
    "Recording": "recording",
    "assert_no_loss": "account",
    "capture": "recording",
    "dead_writer": "faults",
    "full_disk": "disk",
    "locked_database": "faults",
    "tiny_disk": "disk",
    "vanished_database": "faults",
}

__all__ = [
    "CountingIds",
    "FixedClock",
    "Recording",
    "assert_no_loss",
    "capture",
    "dead_writer",
    "full_disk",
    "locked_database",
    "tiny_disk",
    "vanished_database",
]


def __getattr__(name: str) -> Any:
    """Import a helper when it is asked for: the pytest plugin lies in here, and every run of pytest imports that."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """List the helpers, also those that have not been imported yet."""
    return list(__all__)
