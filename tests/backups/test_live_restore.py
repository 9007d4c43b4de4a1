"""A restore under a program that goes on recording: the journal finds its place again by itself."""

import asp_telemetry as asp
from asp_telemetry.backups import back_up, restore


async def test_a_program_records_on_through_a_restore(new_database, tmp_path):
    """What the journal still holds is stored again after a restore, once; what comes later, too; nothing is refused."""
    database = await new_database().migrate()
    asp.configure(database.url, journal_dir=tmp_path / "journal", replace=True)
    try:

        def record(times):
            for _ in range(times):
                with asp.span("work"):
                    pass
            return asp.flush(timeout=20)

        assert record(10).complete
        summary = await back_up(database.url, tmp_path / "backups")
        assert summary.manifest.tables["execution_traces"].rows == 10
        assert record(5).complete
        await restore(database.url, summary.path, replace=True)
        found = record(3)
        assert (found.complete, found.rejected, found.dropped) == (True, 0, 0)
        assert await database.count("execution_traces") == 18
    finally:
        asp.shutdown(timeout=20)
