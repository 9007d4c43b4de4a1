"""Reading lanes: past holes, tears and flipped bits, from any position, with an account of what is lost."""

import random
from pathlib import Path

import pytest
from lanes import SECOND_AGENT, Appender, claim, make_journal, numbers, read_own, segment_files

from asp_telemetry.journal import reader as reader_module
from asp_telemetry.journal.layout import CELL, CELLS, FIRST, LIMIT, Kind
from asp_telemetry.journal.outlet import OwnOutlet


def test_reading_can_begin_behind_any_record(tmp_path: Path) -> None:
    """Stop after any record and go on with a new reader: each record is read once, definitions included."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    append(2000)
    append(2000, site=SECOND_AGENT, payload=lambda number: b"x" * (number % 200))
    whole = read_own(journal)
    for place in [0, 1, 1999, 2000, 2001, 3998, 3999, *random.Random(1).sample(range(4000), 40)]:
        reader = OwnOutlet(journal).reader(1, whole[place].end)
        assert reader.read(10_000) == whole[place + 1 :]
        assert reader.lost == 0
    journal.close(delete=True)


def test_reading_in_pieces_yields_what_reading_at_once_does(tmp_path: Path) -> None:
    """Ask for a few records at a time while more are appended: none is missed, none comes twice."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    append(1)
    reader = OwnOutlet(journal).reader(1, 0)
    found: list[int] = []
    for size in range(1, 120):
        append(size)
        found += numbers(reader.read(64))
    found += numbers(reader.read(100_000))
    assert found == list(range(1, append.number + 1))
    assert reader.read(1) == []
    journal.close(delete=True)


def test_a_hole_of_a_dead_process_is_skipped_at_once(tmp_path: Path) -> None:
    """Kill a process between taking cells and filling them: the reader goes on behind the hole and counts it."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    append(1)
    lane = journal.all_lanes[0]
    lane.position += 5 * CELL
    lane.stamp += 1
    append(1)
    outlet = claim(journal)
    reader = outlet.reader(1, 0)
    assert numbers(reader.read(10)) == [1, 2]
    assert reader.lost == 1
    outlet.release()


def test_a_hole_of_a_living_process_is_waited_for_and_then_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupt an append for good, as KeyboardInterrupt can: the lane does not stop, and the record counts as lost."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    append(1)
    lane = journal.all_lanes[0]
    hole = lane.position
    lane.position += 2 * CELL
    lane.stamp += 1
    append(1)
    now = 1000.0
    monkeypatch.setattr(reader_module, "monotonic", lambda: now)
    reader = OwnOutlet(journal).reader(1, 0)
    assert numbers(reader.read(10)) == [1]
    now += 5
    assert reader.read(10) == []
    assert reader.position == hole // CELL
    now += 6
    assert numbers(reader.read(10)) == [2]
    assert reader.lost == 1
    # Whoever begins behind the hole needs the definitions, wherever they stand, and need not wait again.
    append(3, site=SECOND_AGENT)
    again = OwnOutlet(journal).reader(1, reader.position)
    assert numbers(again.read(10)) == [3, 4, 5]
    assert again.lost == 0
    journal.close(delete=True)


def test_holes_at_the_end_of_a_segment_count_for_whoever_goes_on_behind_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop reading between two segments, behind a hole, and begin anew there: the hole still counts as lost."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    append(3)
    lane = journal.all_lanes[0]
    lane.position = LIMIT
    lane.stamp += 2
    monkeypatch.setattr(reader_module, "_HOLE_SECONDS", 0)
    append(1)
    first = OwnOutlet(journal).reader(1, 0)
    assert numbers(first.read(4)) == [1, 2, 3, 4]
    assert first.lost == 2
    again = OwnOutlet(journal).reader(1, LIMIT // CELL, passed=3)
    assert numbers(again.read(4)) == [4]
    assert again.lost == 2
    journal.close(delete=True)


def test_a_void_record_counts_as_lost(tmp_path: Path) -> None:
    """Mark cells as void: what follows is read, and the void one is counted."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    append(3)
    second = read_own(journal)[0].end * CELL
    journal.all_lanes[0].buffer[second] = Kind.VOID
    reader = OwnOutlet(journal).reader(1, 0)
    assert numbers(reader.read(10)) == [1, 3]
    assert reader.lost == 1
    journal.close(delete=True)


@pytest.mark.parametrize("bit", range(32))
def test_a_damaged_length_costs_one_payload(tmp_path: Path, bit: int) -> None:
    """Flip any bit of a payload's length: that payload is lost, no other record and no other segment is."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    append.fill(2)
    append(5, payload=lambda number: b"x" * 250)
    append(2000, payload=lambda number: b"y" * 150)
    damaged = read_own(journal)[append.number - 2000 - 4]
    slot = damaged.end * CELL - 4 * CELL
    lane = journal.all_lanes[0]
    segment = next(found for found in lane.segments if found.number == slot // LIMIT)
    outlet = claim(journal)
    path = segment.path
    assert path is not None
    data = bytearray(path.read_bytes())
    data[slot % LIMIT + 4 + bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)
    reader = outlet.reader(1, 0)
    records = reader.read(1_000_000)
    assert numbers(records) == list(range(1, append.number + 1))
    assert [record.slot[7] for record in records if record.payload is None][-1] == damaged.slot[7]
    assert reader.lost == 0
    outlet.release()


@pytest.mark.parametrize("copy", [0, 1])
def test_a_damaged_segment_header_costs_nothing(tmp_path: Path, copy: int) -> None:
    """Overwrite either copy of a segment's header: the other one tells."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    append.fill(3)
    outlet = claim(journal)
    for path in segment_files(journal):
        data = bytearray(path.read_bytes())
        data[copy * 40 + 3 : copy * 40 + 30] = b"?" * 27
        path.write_bytes(data)
    outlet.release()
    assert outlet.claim(also_living=False)
    assert numbers(outlet.reader(1, 0).read(100_000)) == list(range(1, append.number + 1))
    outlet.release()


def test_records_of_a_damaged_definition_are_counted_as_lost(tmp_path: Path) -> None:
    """Damage a definition: what needs it in that segment is lost and counted, other segments have their own."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    append.fill(2)
    first = append.number - 1
    outlet = claim(journal)
    path = segment_files(journal)[0]
    data = bytearray(path.read_bytes())
    data[FIRST + CELL] ^= 1
    path.write_bytes(data)
    reader = outlet.reader(1, 0)
    assert numbers(reader.read(100_000)) == [append.number]
    assert reader.lost == first
    outlet.release()


@pytest.mark.parametrize("seed", range(150))
def test_any_damage_leaves_an_exact_account(tmp_path: Path, seed: int) -> None:
    """Truncate a dead journal or flip bits in it anywhere: reading never fails, and every record before the last that
    was read has either come, once and unchanged, or is counted as lost."""  # noqa: D205, D209
    dice = random.Random(seed)
    journal = make_journal(tmp_path)
    append = Appender(journal)
    append(1500, payload=lambda number: b"p" * (number % 5 * 60) or None)
    append(dice.randrange(1500, 4500), site=SECOND_AGENT)
    before = {record.slot[4]: record for record in read_own(journal)}
    outlet = claim(journal)
    path = dice.choice(segment_files(journal))
    data = bytearray(path.read_bytes())
    if seed % 3 == 0:
        cut = dice.randrange(len(data))
        if dice.random() < 0.5:
            del data[cut:]
        else:
            data[cut:] = bytes(len(data) - cut)
    else:
        for _ in range(dice.choice([1, 1, 3, 50])):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    path.write_bytes(data)
    outlet.release()
    assert outlet.claim(also_living=False)
    assert outlet.lanes() == [1]
    reader = outlet.reader(1, 0)
    records = reader.read(1_000_000)
    stamps = [record.slot[4] for record in records]
    assert stamps == sorted(set(stamps))
    first = min(before)
    assert set(stamps) <= set(before)
    assert reader.next_stamp - first == len(records) + reader.lost
    assert len(records) + reader.lost <= len(before)
    damaged = sum(
        record.slot != before[record.slot[4]].slot or record.payload != before[record.slot[4]].payload
        for record in records
    )
    assert damaged <= 50
    outlet.release()


def test_what_disappeared_with_earlier_segments_is_counted(tmp_path: Path) -> None:
    """Delete a segment in the middle: the records in it are lost and counted, those around it come."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    append.fill(4)
    outlet = claim(journal)
    segment_files(journal)[1].unlink()
    reader = outlet.reader(1, 0)
    records = reader.read(100_000)
    assert len(records) + reader.lost == append.number
    assert reader.lost > CELLS // 2
    assert numbers(records)[-1] == append.number
    outlet.release()
