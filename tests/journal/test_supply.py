"""The supply of segments: within the limit, ahead of need, and from memory when the disk gives none."""

import asyncio
import errno
import threading
from pathlib import Path
from time import monotonic, sleep

import pytest
from lanes import Appender, make_journal, numbers, read_own, segment_files

from asp_telemetry.journal.layout import SEGMENT_BYTES
from asp_telemetry.journal.outlet import OwnOutlet
from asp_telemetry.journal.segment import Segment, is_disk_full, may_map
from asp_telemetry.journal.supply import NoRoomError


def test_the_limit_holds_for_all_journals_of_a_destination(tmp_path: Path) -> None:
    """Share a limit among journals: what one holds the other cannot have, and refusals name the reason."""
    one = make_journal(tmp_path, max_bytes=4 * SEGMENT_BYTES)
    first = Appender(one)
    first.fill(3)
    other = make_journal(tmp_path, max_bytes=4 * SEGMENT_BYTES)
    other.supply.recount()
    second = Appender(other)
    kept = second(10_000)
    assert len(segment_files(one)) + len(segment_files(other)) == 4
    assert other.counters.read(1).counts == {"journal_full": 10_000 - kept}
    assert other.accepted == 10_000
    assert numbers(read_own(other)) == list(range(1, kept + 1))
    one.close(delete=True)
    other.close(delete=True)


def test_room_is_used_as_soon_as_something_is_retired(tmp_path: Path) -> None:
    """Fill a journal to its limit and commit: the next record is kept again, and nothing before it is lost twice."""
    journal = make_journal(tmp_path, max_bytes=2 * SEGMENT_BYTES)
    append = Appender(journal)
    kept = append(10_000)
    outlet = OwnOutlet(journal)
    records = outlet.reader(1, 0).read(100_000)
    assert len(records) == kept
    outlet.retire(1, records[-1].end)
    assert append(1) == 1
    assert numbers(read_own(journal, 1, records[-1].end)) == [10_001]
    assert sum(journal.all_lanes[0].refused) == 10_000 - kept
    journal.close(delete=True)


def test_refusing_costs_next_to_nothing(tmp_path: Path) -> None:
    """Record against a full journal: no call tries the disk again before a tenth of a second is over."""
    journal = make_journal(tmp_path, max_bytes=SEGMENT_BYTES)
    append = Appender(journal)
    append.append(1, 1, 1, _any_span(), None)
    append(5000)
    attempts = 0
    make = journal.supply._make

    def counted() -> Segment:
        nonlocal attempts
        attempts += 1
        return make()

    journal.supply._make = counted  # type: ignore[method-assign]
    begun = monotonic()
    append(2000)
    assert attempts <= (monotonic() - begun) / 0.1 + 1
    journal.close(delete=True)


def _any_span() -> list[object]:
    from lanes import span  # noqa: PLC0415 - only here

    return span(1)


def test_blocking_waits_for_room(tmp_path: Path) -> None:
    """Choose to block: a caller waits until something is committed, and its record is kept."""
    journal = make_journal(tmp_path, max_bytes=SEGMENT_BYTES, block_seconds=20)
    append = Appender(journal)
    append.fill(1)
    lane = journal.all_lanes[0]
    while lane.position + 96 < 96 * (SEGMENT_BYTES // 96):
        append(1)

    def make_room() -> None:
        sleep(0.2)
        journal.supply._used -= SEGMENT_BYTES

    helper = threading.Thread(target=make_room)
    helper.start()
    begun = monotonic()
    while lane.made < 2:
        assert append(1) == 1
    assert monotonic() - begun >= 0.15
    helper.join()
    journal.close(delete=True)


async def test_an_event_loop_is_never_blocked(tmp_path: Path) -> None:
    """Choose to block, and record where an event loop runs: the record is refused at once and counted."""
    journal = make_journal(tmp_path, max_bytes=1, block_seconds=60)
    append = Appender(journal)
    begun = monotonic()
    assert append(100) == 0
    assert monotonic() - begun < 5
    assert journal.counters.read(1).counts == {"journal_full": 100}
    await asyncio.sleep(0)
    journal.close(delete=True)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS])
def test_memory_is_the_last_resort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Take the disk away: records go on into memory, up to a limit, then are refused with the right reason."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    append.fill(2)

    def refuse(path: Path) -> Segment:
        raise OSError(code, "as told", str(path))

    monkeypatch.setattr(Segment, "mapped", refuse)
    kept = append(120_000)
    assert 60_000 < kept < 120_000
    reason = "disk_full" if is_disk_full(OSError(code, "")) else "memory_full"
    assert journal.counters.read(1).counts == {reason: 120_000 - kept}
    assert "records wait in memory" in str(journal.trouble)
    records = read_own(journal)
    assert len(records) == append.number - (120_000 - kept)
    monkeypatch.undo()
    OwnOutlet(journal).retire(1, records[-1].end)
    assert append(5000) == 5000
    assert numbers(read_own(journal, 1, records[-1].end)) == list(
        range(append.number - 4999, append.number + 1)
    )
    OwnOutlet(journal).retire(1, read_own(journal, 1, records[-1].end)[-1].end)
    assert journal.trouble is None
    journal.close(delete=True)


def test_segments_are_laid_in_ahead_and_taken_without_making_any(tmp_path: Path) -> None:
    """Lay in segments: the next ones that callers need are there, and what is not used goes with the journal."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    append(1)
    journal.supply.lay_in(3)
    assert len(journal.supply.spare) == 3
    append.fill(3)
    assert len(journal.supply.spare) == 1
    assert journal.take_rolled() == 2
    assert journal.take_rolled() == 0
    assert numbers(read_own(journal)) == list(range(1, append.number + 1))
    journal.close(delete=False)
    assert len(segment_files(journal)) == 3


def test_nothing_more_can_be_had_than_there_is(tmp_path: Path) -> None:
    """Ask for a segment beyond the limit: the error names the reason."""
    journal = make_journal(tmp_path, max_bytes=1)
    with pytest.raises(NoRoomError, match="journal_full"):
        journal.supply.take(recount=True)
    journal.close(delete=True)


def test_ordinary_folders_may_be_mapped_and_proc_may_not(tmp_path: Path) -> None:
    """Ask whether a place is safe to map: local disks and tmpfs are, what has no blocks of its own is not looked for."""
    assert may_map(tmp_path)
    assert may_map(Path("/dev/shm"))


@pytest.mark.parametrize("name", ["plain", "mit Umlaut ä", "back\\slash"])
def test_a_network_mount_is_recognised_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Lie below a network mount with blanks, backslashes or umlauts in its path: it is not mapped."""
    mount = tmp_path / name
    mount.mkdir()
    written = str(mount).replace("\\", "\\134").replace(" ", "\\040")
    table = f"30 1 0:30 / / rw - ext4 /dev/sda rw\n31 30 0:31 / {written} rw - nfs4 server:/ rw\n"
    monkeypatch.setattr(Path, "read_bytes", lambda _: table.encode())
    assert not may_map(mount)
    assert may_map(tmp_path)
