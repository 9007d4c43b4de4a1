"""Says what stands in the way of a copy: a row that the target refuses, or somebody else who writes there."""

from collections.abc import Sequence

from asp_telemetry.copying.columns import Table
from asp_telemetry.errors import RowRefusedError, StoreUnavailableError


def refused(name: str, table: Table, key: str, reason: str) -> RowRefusedError:
    """Say which row a target does not take.

    Args:
        name: The target without credentials.
        table: The row's table.
        key: The row's key.
        reason: What the target said.

    Returns:
        The error to raise.
    """
    return RowRefusedError(
        f"{name} refuses the row {key!r} of {table.name}: {reason}; correct or delete it in the source and repeat the copy"
    )


def interfered(name: str, others: Sequence[str]) -> StoreUnavailableError:
    """Say who else writes to the target of a copy.

    Args:
        name: The target without credentials.
        others: The checkpoints that a writer has left there; none if it is another copy.

    Returns:
        The error to raise.
    """
    if others:
        return StoreUnavailableError(
            f"a writer has committed to {name} while it holds an unfinished copy (journal {others[0]}); stop what "
            "writes there, and copy into an empty database"
        )
    return StoreUnavailableError(
        f"another copy into {name} is running or has just ended; wait for it or end it, then repeat the command"
    )
