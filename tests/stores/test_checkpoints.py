"""Checkpoints of finished journals: the account of what was stored and dropped stays whole, reasons included."""

from pathlib import Path

from asp_telemetry.stores.sqlite import SqliteStore
from asp_telemetry.writer.batch import Batch, Checkpoint, Move


async def test_the_reasons_of_drops_outlive_their_journals(tmp_path: Path) -> None:
    """Finish journals that have dropped records: one row keeps the sums of all of them, also by reason."""
    store = SqliteStore(tmp_path / "telemetry.db")
    await store.open()
    lanes = {
        "a/1": Checkpoint(10, stored=5, dropped={"journal_full": 3, "lost": 1}),
        "a/2": Checkpoint(10, stored=6, rejected=1),
        "b/1": Checkpoint(10, stored=7, dropped={"journal_full": 2}),
        "c/1": Checkpoint(10, stored=8, dropped={"disk_full": 9}),
    }
    await store.write(Batch([], [Move(lane, 0, after) for lane, after in lanes.items()]))
    for journal in ("a", "b", "nothing"):
        await store.forget(journal)
    assert await store.checkpoints("c") == {"c/1": lanes["c/1"]}
    retired = (await store._fetch("all_checkpoints", {}))[-1]
    assert tuple(retired[:6]) == ("retired", 0, 18, 1, 6, '{"journal_full":5,"lost":1}')
    await store.close()
