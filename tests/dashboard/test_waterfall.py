"""The layout of a trace: every bar within the picture, every mark at a round time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from asp_telemetry.analytics.assembly import assemble
from asp_telemetry.analytics.events import Endpoint
from asp_telemetry.analytics.execution import Execution
from asp_telemetry.dashboard.formatting import duration
from asp_telemetry.dashboard.waterfall import scale, waterfall

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
SPANS = st.tuples(st.integers(-5, 10**11), st.none() | st.integers(0, 10**11))
"""When something begins after the trace and how long it takes, in microseconds."""


def execution(number: int, after: int, length: int | None) -> Execution:
    begin = BEGIN + timedelta(microseconds=after)
    end = None if length is None else begin + timedelta(microseconds=length)
    status = "in_progress" if end is None else "success"
    return Execution(
        f"e-{number}", "e-0", "e-0" if number else None, "agent", "run", None, None, None, None, "s", None, None, None, "x",
        begin, end, None if length is None else length / 1000, status, None, None, None, None, None, None, None, None,
    )  # fmt: skip


def endpoint(after: int, length: int | None) -> Endpoint:
    begin = BEGIN + timedelta(microseconds=after)
    return Endpoint(
        "p", "e-0", "rag", "GET", "/", None, False, begin, None, None if length is None else length / 1000, 0, "timeout", None,
    )  # fmt: skip


@given(st.lists(SPANS, min_size=1, max_size=6), st.lists(SPANS, max_size=3))
def test_every_bar_is_within_the_picture(spans: list, events: list) -> None:
    """However long things took, and whatever the clocks of other machines say, bars are seen and stay inside."""
    trace = assemble(
        "e-0",
        None,
        [execution(number, *span) for number, span in enumerate(spans)],
        [],
        [endpoint(*event) for event in events],
    )
    lines = waterfall(trace)
    assert len(lines) == len(spans) + len(events)
    for line in lines:
        left, width = float(line.left.rstrip("%")), float(line.width.rstrip("%"))
        assert 0 <= left < 100
        assert width > 0
        assert left + width <= 100.002


@given(st.integers(1, 10**13))
def test_marks_stand_at_round_times(length: int) -> None:
    """A waterfall of any length has one to six marks, evenly apart, at times that take few digits to write."""
    trace = assemble("e-0", None, [execution(0, 0, length)], [], [])
    marks = [at for _, at in scale(trace)]
    assert marks[0] == 0
    assert 1 <= len(marks) <= 6
    steps = {round(later - earlier, 6) for earlier, later in pairwise(marks)}
    assert len(steps) <= 1
    assert all(len(duration(at)) <= 8 for at in marks)


def test_what_failed_and_what_runs_is_told_apart() -> None:
    """A bar of what still runs reaches to the end, and a call without an answer is one that failed."""
    trace = assemble("e-0", None, [execution(0, 0, None), execution(1, 0, 10**6)], [], [endpoint(10, 20)])
    lines = {line.kind + str(line.depth): line for line in waterfall(trace)}
    assert (lines["agent0"].look, lines["agent0"].width) == ("running", "100.000%")
    assert lines["agent1"].look == "good"
    assert (lines["endpoint1"].look, lines["endpoint1"].status) == ("bad", "timeout")
