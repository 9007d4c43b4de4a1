"""Appending to lanes: in order, across segments, through interruptions, in every mode."""

import gc
import signal
import threading
from pathlib import Path
from types import FrameType

import pytest
from lanes import (
    FIRST_AGENT,
    SCOPE,
    SECOND_AGENT,
    Appender,
    claim,
    make_journal,
    numbers,
    read_own,
    segment_files,
    span,
)

from asp_telemetry.capture.definition import Scope, Site
from asp_telemetry.journal.journal import Journal
from asp_telemetry.journal.lane import MAX_PAYLOAD, make_append
from asp_telemetry.journal.layout import CELL, LIMIT, Kind
from asp_telemetry.journal.segment import Segment
from garbage import collect_garbage


@pytest.mark.parametrize("mode", ["mapped", "written", "memory"])
def test_records_come_back_in_order_in_every_mode(tmp_path: Path, mode: str) -> None:
    """Append across segments, with and without payloads: all comes back as it went in, whatever backs the segments."""
    base = tmp_path / "file" / "base"
    if mode == "memory":
        (tmp_path / "file").write_text("a file where a folder should be")
    journal = make_journal(base, mapped=mode == "mapped")
    append = Appender(journal)
    append(100)
    append(3000, payload=lambda number: b"%d" % number * (number % 60))
    records = read_own(journal)
    assert numbers(records) == list(range(1, 3101))
    assert [record.sequence for record in records] == list(range(3100))
    assert all(
        record.payload == (b"%d" % record.slot[7] * (record.slot[7] % 60) or None) for record in records[100:]
    )
    assert {record.site for record in records} == {FIRST_AGENT.encoded}
    assert {record.scope for record in records} == {SCOPE.encoded}
    assert journal.all_lanes[0].made > 2
    if mode == "memory":
        assert journal.directory is None
        assert "make it writable or set ASP_JOURNAL_DIR" in str(journal.trouble)
    else:
        assert journal.trouble is None
        assert all(segment.is_written == (mode == "written") for segment in journal.all_lanes[0].segments)
    journal.close(delete=True)


@pytest.mark.parametrize("mapped", [True, False])
def test_what_was_appended_is_in_the_files_at_once(tmp_path: Path, mapped: bool) -> None:
    """Read the files of a process that has just appended: everything is there before anybody flushes."""
    journal = make_journal(tmp_path, mapped=mapped)
    append = Appender(journal)
    for site in (FIRST_AGENT, SECOND_AGENT):
        append(2000, site=site, payload=lambda number: b"x" * (number % 300))
    outlet = claim(journal)
    records = outlet.reader(1, 0).read(10_000)
    assert numbers(records) == list(range(1, 4001))
    assert [record.site for record in records[1999:2001]] == [FIRST_AGENT.encoded, SECOND_AGENT.encoded]
    outlet.release()


def test_each_segment_defines_what_its_records_use(tmp_path: Path) -> None:
    """Lose all segments but the last: its records still know what they are executions of."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    tool = Site("look up", "tool")
    while len(segment_files(journal)) < 3:
        append(10, site=tool, agent=SECOND_AGENT, scope=Scope({"task_id": "T"}).with_task("T"))
    append(10, site=tool, agent=SECOND_AGENT)
    for path in segment_files(journal)[:-1]:
        path.unlink()
    outlet = claim(journal)
    reader = outlet.reader(1, 0)
    records = reader.read(10_000)
    assert {(record.site, record.agent) for record in records} == {(tool.encoded, SECOND_AGENT.encoded)}
    assert len(records) + reader.lost == append.number
    outlet.release()


def test_a_full_segment_ends_with_a_mark(tmp_path: Path) -> None:
    """Leave room at the end of a segment that the next record does not fit into: the reader goes on behind the mark."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    append(1)
    lane = journal.all_lanes[0]
    while lane.position + 100 * CELL < LIMIT:
        append(1)
    rest = lane.position
    append(1, payload=lambda _: b"x" * 101 * CELL)
    assert lane.made == 2
    assert segment_files(journal)[0].read_bytes()[rest] == Kind.END
    assert numbers(read_own(journal)) == list(range(1, append.number + 1))
    journal.close(delete=True)


def test_a_payload_that_no_segment_holds_is_refused_with_a_reason(tmp_path: Path) -> None:
    """Append a payload beyond the limit: it is refused and counted, and what follows is kept."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    assert append(1, payload=lambda _: b"x" * (MAX_PAYLOAD + 1)) == 0
    assert append(1, payload=lambda _: b"x" * (MAX_PAYLOAD - 2 * CELL)) == 1
    assert journal.counters.read(1).counts == {"unencodable": 1}
    assert journal.accepted == 2
    assert numbers(read_own(journal)) == [2]
    journal.close(delete=True)


def test_an_append_that_fails_leaves_no_hole(tmp_path: Path) -> None:
    """Append what cannot be packed: the error comes back, its cells are marked void, and the rest is readable."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    append(1)
    broken = span(2)
    broken[8] = "no number"
    with pytest.raises(Exception, match="int"):
        append.append(int(Kind.EXECUTION), 1, 5, broken, b"payload")
    append.number = 2
    append(1)
    reader_lost = _lost(journal)
    assert numbers(read_own(journal)) == [1, 3]
    assert reader_lost == 1
    journal.close(delete=True)


def _lost(journal: Journal) -> int:
    from asp_telemetry.journal.outlet import OwnOutlet  # noqa: PLC0415 - only here

    reader = OwnOutlet(journal).reader(1, 0)
    reader.read(100_000)
    return reader.lost


def test_an_append_inside_a_roll_goes_to_a_side_lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupt a lane while it takes its next segment: the inner record lands in another lane, both are kept."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    inner: list[bool] = []
    assign = Segment.assign

    def interrupted(segment: Segment, header: object) -> None:
        if not inner and journal.all_lanes[0].rolling:
            inner.append(True)
            inner[0] = append.append(int(Kind.EXECUTION), 1, 5, span(999_999), b"from within")
        assign(segment, header)  # type: ignore[arg-type]

    monkeypatch.setattr(Segment, "assign", interrupted)
    append(1)
    assert inner == [True]
    assert len(journal.all_lanes) == 2
    assert numbers(read_own(journal, 1)) == [1]
    assert numbers(read_own(journal, 2)) == [999_999]
    append.fill(3)
    assert len(journal.all_lanes) == 2
    journal.close(delete=True)


def test_signal_handlers_may_append_at_any_moment(tmp_path: Path) -> None:
    """Append from a handler that interrupts appends a thousand times a second: every record is there, once, whole."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    handled = 0
    done = False

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal handled
        handled += 1
        append.append(int(Kind.EXECUTION), 1, 5, span(10_000_000 + handled), b"h" * (handled % 500))
        if not done:
            signal.setitimer(signal.ITIMER_REAL, 0.0003)

    old = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0003)
    try:
        while handled < 1000:
            append(10, payload=lambda number: b"m" * (number % 500))
    finally:
        done = True  # a signal that has come, and is not handled yet, must not set the timer again
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    found = sorted(number for lane in journal.all_lanes for number in numbers(read_own(journal, lane.number)))
    assert found == [*range(1, append.number + 1), *range(10_000_001, 10_000_001 + handled)]
    assert journal.accepted == append.number + handled
    journal.close(delete=True)


def test_finalisers_may_append_at_any_moment(tmp_path: Path) -> None:
    """Let the garbage collector run code that appends: every record is there, once."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    finalised = 0

    class Cycle:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            nonlocal finalised
            finalised += 1
            append.append(int(Kind.EXECUTION), 1, 5, span(10_000_000 + finalised), b"f" * 300)

    old = gc.get_threshold()
    gc.set_threshold(3, 2, 2)
    try:
        for _ in range(3000):
            Cycle()
            append(1, payload=lambda number: b"m" * (number % 500))
        collect_garbage()
    finally:
        gc.set_threshold(*old)
    found = sorted(number for lane in journal.all_lanes for number in numbers(read_own(journal, lane.number)))
    assert finalised == 3000
    assert found == [*range(1, append.number + 1), *range(10_000_001, 10_003_001)]
    journal.close(delete=True)


def test_threads_have_lanes_of_their_own_and_hand_them_on(tmp_path: Path) -> None:
    """Start a hundred threads one after the other: they share a lane; at once, each has its own, none loses a record."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    append(1)
    for _ in range(100):
        thread = threading.Thread(target=append)
        thread.start()
        thread.join()
    assert len(journal.all_lanes) <= 3
    barrier = threading.Barrier(8)

    def append_some(first: int) -> None:
        barrier.wait()
        for number in range(first, first + 3000):
            append.append(int(Kind.EXECUTION), 1, 5, span(number), None)
        barrier.wait()

    threads = [threading.Thread(target=append_some, args=(1_000_000 * place,)) for place in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 9 <= len(journal.all_lanes) <= 11
    found = [numbers(read_own(journal, lane.number)) for lane in journal.all_lanes]
    assert sorted(number for lane in found for number in lane if number >= 1_000_000) == [
        number for place in range(1, 9) for number in range(1_000_000 * place, 1_000_000 * place + 3000)
    ]
    assert sum(map(len, found)) == 101 + 8 * 3000 == journal.accepted
    journal.close(delete=True)


def test_a_clock_that_was_set_back_costs_no_record(tmp_path: Path) -> None:
    """Measure a negative duration, as some virtual machines let one do: the record is kept, and took no time."""
    journal = make_journal(tmp_path)
    append = make_append(journal)
    assert append(int(Kind.EXECUTION), 1, -5, span(1), b"payload")
    [record] = read_own(journal)
    assert (record.slot[10], record.payload) == (0, b"payload")
    journal.close(delete=True)
