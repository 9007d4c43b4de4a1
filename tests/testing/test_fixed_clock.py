"""`FixedClock` and `CountingIds`: the same times, durations and ids in every run, and nothing left when they end."""

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

import asp_telemetry as asp
from asp_telemetry.capture import facts, lifecycle, state, stream
from asp_telemetry.errors import AspTelemetryError
from asp_telemetry.testing import CountingIds, FixedClock, capture

READERS = (lifecycle, facts, stream)


def readers() -> list[object]:
    """Return what the modules of the hot path have for clocks just now."""
    return [
        value
        for module in READERS
        for name, value in vars(module).items()
        if name.endswith(("time_ns", "counter_ns"))
    ]


@asp.track_agent("Planning", version="1.2.3")
def plan(task_id: str, clock: FixedClock) -> str:
    clock.advance(1.5)
    return task_id


def test_the_complete_record_is_the_same_in_every_run():
    """With both in force every field of an execution, of its metrics and of its task can be asserted."""
    runs = []
    for _ in range(2):
        with capture() as recorded, FixedClock("2026-01-15T09:00:00Z") as clock, CountingIds():
            with asp.task("T-1", project_id="P"):
                plan("T-1", clock)
            asp.log_defect(
                defect_type="6_Conventional_Code_Bug", phase_injected="Code", phase_removed="Test", task_id="T-1",
                description="off by one",
            )  # fmt: skip
            runs.append(
                [
                    record.model_dump()
                    for records in (recorded.executions, recorded.metrics, recorded.tasks, recorded.defects)
                    for record in records
                ]
            )
    assert runs[0] == runs[1]
    task, planned = recorded.executions
    began, ended = datetime(2026, 1, 15, 9, tzinfo=UTC), datetime(2026, 1, 15, 9, 0, 1, 500_000, tzinfo=UTC)
    root = UUID("188adbe9-96c9-a000-0000-000000000001")
    assert (task.correlation_id, task.root_id, task.parent_id) == (root, UUID(int=root.int), None)
    assert planned.model_dump(exclude_none=True) == {
        "correlation_id": UUID("188adbe9-96c9-a000-0000-000000000002"),
        "root_id": root,
        "parent_id": root,
        "session_id": str(root),
        "agent_iteration": 1,
        "source": "agent_delegation",
        "kind": "agent",
        "name": "plan",
        "agent_role": "Planning",
        "task_id": "T-1",
        "started_at": began,
        "completed_at": ended,
        "duration_ms": Decimal("1500.000000"),
        "status": "success",
        "success": True,
        "context": {"project_id": "P", "version": "1.2.3"},
        "created_at": ended,
        "updated_at": ended,
    }
    assert [row.defect_id for row in recorded.defects] == ["D-0000000000000003"]
    [latency] = [
        row
        for row in recorded.metrics
        if row.metric_type == "Latency" and row.correlation_id == planned.correlation_id
    ]
    assert latency.metric_value == 1500


@given(
    start=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis wants bounds without time zone
    steps=st.lists(st.integers(0, 10**9), max_size=5),
)
def test_durations_are_exact(start, steps):
    """An execution lasts exactly as long as the clock was advanced in it, to the nanosecond of the sum."""
    clock = FixedClock(start)
    with clock:
        begun = lifecycle.time_ns(), lifecycle.perf_counter_ns()
        for step in steps:
            clock.advance(step / 1e9)
        ended = lifecycle.time_ns(), lifecycle.perf_counter_ns()
    assert ended[0] - begun[0] == ended[1] - begun[1] == sum(steps)
    assert clock.now == start + timedelta(microseconds=sum(steps) // 1000)


def test_a_ticking_clock_tells_calls_apart():
    """With a tick each execution starts later than the one before, by the same step in every run, in all threads."""
    found = []
    for _ in range(2):
        with capture(everywhere=True) as recorded, FixedClock(tick=0.5):
            for _ in range(2):
                with asp.span("x"):
                    pass
            thread = threading.Thread(target=asp.track(lambda: None))
            thread.start()
            thread.join()
        found.append([(row.started_at.timestamp(), row.duration_ms) for row in recorded.executions])
    assert found[0] == found[1]
    starts = [start for start, _ in found[0]]
    assert starts == sorted(set(starts))
    assert all(duration >= 500 for _, duration in found[0])


def test_executions_open_for_long_are_told_by_the_fixed_time():
    """An execution that is open for more than a second of the fixed time shows as in progress, and not before."""
    with capture() as recorded, FixedClock() as clock, asp.span("long"):
        assert recorded.executions == []
        clock.advance(1.1)
        deadline = time.monotonic() + 10
        while not recorded.executions:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert [row.status for row in recorded.executions] == ["in_progress"]


def test_nothing_is_left_of_the_clock():
    """Outside of its block the hot path reads the true clocks, as it did before: it costs nothing there."""
    before = readers()
    assert len(before) >= 4
    assert set(before) == {time.time_ns, time.perf_counter_ns}
    with FixedClock():
        assert not set(readers()) & set(before)
    assert readers() == before
    with pytest.raises(ValueError, match="as told"), FixedClock():
        raise ValueError("as told")
    assert readers() == before


def test_wrong_times_are_refused():
    """A start without time zone, a step back, and a second clock at once are refused with the remedy."""
    with pytest.raises(ValueError, match="has no time zone; write 2026-01-15T09:00:00Z"):
        FixedClock("2026-01-15T09:00:00")
    with pytest.raises(ValueError, match=r"tick=-1 would turn the time back; use 0 or more"):
        FixedClock(tick=-1)
    with FixedClock() as clock:
        with pytest.raises(ValueError, match="seconds=nan"):
            clock.advance(float("nan"))
        with (
            pytest.raises(AspTelemetryError, match=r"another FixedClock is in force; advance\(\) that one"),
            FixedClock(),
        ):
            pass
        assert clock.now == datetime(2026, 1, 1, tzinfo=UTC)


def test_ids_count_and_go_on_as_before():
    """Ids count inside the block, nested blocks included, and afterwards they go on from where they were."""

    def number() -> int:
        with asp.span("x") as span:
            return int(span.id.replace("-", "")[16:], 16)

    with capture():
        before = number()
        with CountingIds(start=7):
            first = number()
            with CountingIds():
                nested = number()
            second = number()
        after = number()
    assert (first, nested, second) == (7, 1, 8)
    assert after == before + 1 > 1000
    with pytest.raises(ValueError, match="start=0 is no id; use 1 or more"):
        CountingIds(0)


@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
def test_forked_children_never_share_ids():
    """A child that was forked inside the block leaves it with ids of its own."""
    state.next_id()
    reader, writer = os.pipe()
    ids = CountingIds()
    ids.__enter__()
    child = os.fork()
    if not child:
        ids.__exit__(None, None, None)
        os.write(writer, str(state.next_id()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    ids.__exit__(None, None, None)
    theirs = int(os.read(reader, 100))
    os.close(reader)
    os.close(writer)
    assert abs(theirs - state.next_id()) > 1000
