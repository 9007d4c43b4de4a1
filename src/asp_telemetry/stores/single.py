"""Writes a few facts that no journal holds, in one transaction: what a command or a question has found out."""

from collections.abc import Sequence
from typing import Any

from asp_telemetry.stores import open_store
from asp_telemetry.writer.batch import Batch, Change, Entry
from asp_telemetry.writer.definitions import ScopeFacts

NO_SCOPE = ScopeFacts(None, None, None, None, None, None, None, (), None)
"""The scope of a fact that was found out outside of any execution."""

_LANE = "single"


async def write_facts(url: str, change: Change, rows: Sequence[dict[str, Any]]) -> None:
    """Write facts at once.

    Args:
        url: The database, as `database_url.absolute_database` returns it.
        change: What the facts are: TASK or BOOTSTRAP.
        rows: Their columns, as `writer.facts` makes them.

    Raises:
        StoreUnavailableError: If the database cannot be written now.
        RowRefusedError: If it refuses a row; then none is written.
    """
    entries = [Entry(_LANE, number, 0, change, row) for number, row in enumerate(rows)]
    store = open_store(url)
    try:
        await store.open()
        await store.write(Batch(entries, []))
    finally:
        await store.close()
