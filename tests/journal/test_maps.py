"""The memory that a journal maps is bounded, whoever has the time to let go of it."""

import sys
from pathlib import Path
from threading import get_ident

import pytest

from asp_telemetry.journal.header import JournalHeader
from asp_telemetry.journal.journal import Journal, new_journal_id


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the maps of a process")
def test_a_writer_that_is_held_up_does_not_let_the_process_grow(tmp_path):
    """A host that fills segments faster than its writer lets go of them keeps a few dozen of them mapped, not all."""
    header = JournalHeader(journal_id=new_journal_id(), destination="sqlite:////x")
    journal = Journal(tmp_path, header, max_bytes=1 << 30)
    if journal.supply.take(recount=False).is_written:
        pytest.skip("files are not mapped on this file system, so nothing was tested")
    lane = journal.lane(get_ident())
    for _ in range(100):
        journal.left(lane, journal.supply.take(recount=False))
    mapped = [line for line in Path("/proc/self/maps").read_text().splitlines() if str(tmp_path) in line]
    assert 1 < len(mapped) < 50
    journal.close(delete=True)
