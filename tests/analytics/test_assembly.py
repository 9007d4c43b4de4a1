"""Traces put together from rows in any order: whole trees, right sums, and a word on what is missing."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from asp_telemetry.analytics.assembly import assemble
from asp_telemetry.analytics.events import Endpoint
from asp_telemetry.analytics.execution import Execution, Figures, Metric
from asp_telemetry.analytics.timeline import timeline
from asp_telemetry.analytics.trace import Trace

BEGIN = datetime(2026, 1, 15, 9, tzinfo=UTC)
ROOT = "0"


def at(milliseconds: float) -> datetime:
    return BEGIN + timedelta(milliseconds=milliseconds)


def execution(number: int, parent: int | None, begin: float, end: float | None, **facts: Any) -> Execution:
    """Make an execution whose id is its number; times in ms behind the trace's begin."""
    values: dict[str, Any] = dict.fromkeys(Execution.__dataclass_fields__)
    values |= {
        "id": str(number), "root_id": ROOT, "parent_id": None if parent is None else str(parent), "name": f"e{number}",
        "kind": "agent", "session_id": ROOT, "source": "user_prompt", "started_at": at(begin),
        "completed_at": None if end is None else at(end), "status": "in_progress" if end is None else "success",
        "duration_ms": None if end is None else end - begin,
    }  # fmt: skip
    return Execution(**{**values, **facts})


def put_together(*executions: Execution, metrics: Any = (), events: Any = ()) -> Trace:
    return assemble(ROOT, None, executions, metrics, events)


def tree(trace: Trace) -> list[tuple[int, str]]:
    return [(depth, found.id) for depth, found in trace.walk()]


def test_a_trace_is_a_tree_in_the_order_of_its_beginnings():
    """Children stand below their parents, sorted by their start, whatever order the rows come in."""
    trace = put_together(
        execution(3, 1, 20, 30), execution(2, 0, 50, 60), execution(0, None, 0, 100), execution(1, 0, 10, 40)
    )
    assert tree(trace) == [(0, "0"), (1, "1"), (2, "3"), (1, "2")]
    assert trace.missing == ()
    assert (trace.duration_ms, trace.completed_at) == (100, at(100))


def test_own_time_is_what_no_child_covers():
    """Parallel children are not counted twice, and a child that outlives its parent only as far as the parent lasts."""
    trace = put_together(
        execution(0, None, 0, 100), execution(1, 0, 10, 40), execution(2, 0, 20, 60), execution(3, 0, 90, 150)
    )
    assert trace.roots[0].own_ms == 40
    assert trace.duration_ms == 150


def test_the_critical_path_is_what_was_waited_for():
    """Of two children at once the one that ended last was waited for, down to the leaves, without gaps."""
    trace = put_together(
        execution(0, None, 0, 100), execution(1, 0, 10, 40), execution(2, 0, 20, 90), execution(3, 2, 30, 80)
    )
    steps = [(step.name, step.duration_ms) for step in trace.critical_path]
    assert steps == [("e0", 10), ("e1", 10), ("e2", 10), ("e3", 50), ("e2", 10), ("e0", 10)]


def test_coordination_is_the_time_in_which_no_leaf_runs():
    """What agents spend on handing work around is told apart from the work at the leaves."""
    trace = put_together(execution(0, None, 0, 100), execution(1, 0, 10, 40), execution(2, 0, 30, 60))
    assert trace.coordination_ms == 50
    assert trace.coordination_share == 0.5


def test_a_half_missing_trace_is_assembled_as_far_as_it_goes():
    """Executions whose parent is not there become roots, and the trace says which parents are missing."""
    trace = put_together(execution(5, 4, 10, 20), execution(6, 5, 12, 15), execution(7, 0, 30, None))
    assert tree(trace) == [(0, "5"), (1, "6"), (0, "7")]
    assert trace.completed_at is None
    assert trace.missing == (
        "execution 4, which called e5 (5), is not in the database",
        "the trace's root, which called e7 (7), is not in the database",
        "e7 (7) has not ended yet",
    )


def test_executions_in_a_circle_are_named_and_left_out():
    """Rows that claim to be called from within themselves cannot keep the rest from being shown."""
    trace = put_together(
        execution(0, None, 0, 9), execution(1, 2, 1, 2), execution(2, 1, 1, 2), execution(3, 3, 4, 5)
    )
    assert tree(trace) == [(0, "0"), (0, "3")]
    assert [sentence.split(" ")[0] for sentence in trace.missing] == ["execution", "e1", "e2"]


def test_an_abandoned_execution_lasts_as_long_as_what_it_called():
    """Where a process has died, its children tell how long it lived at least."""
    trace = put_together(execution(0, None, 0, None, status="abandoned"), execution(1, 0, 10, 40))
    assert (trace.duration_ms, trace.completed_at) == (40, at(40))
    assert trace.missing == ("e0 (0) was never finished: its process has died",)


def test_events_of_unknown_executions_are_kept_apart():
    """An endpoint call whose execution is not there is shown all the same."""
    calls = [
        Endpoint(owner, owner, "api", "GET", "/", 200, True, at(5), at(6), 1.0, 0, None, None)
        for owner in ("0", "9")
    ]
    trace = put_together(execution(0, None, 0, 10), events=calls)
    assert [event.id for event in trace.roots[0].events] == ["0"]
    assert [event.id for event in trace.unattached] == ["9"]
    assert [moment.what for moment in timeline(trace)] == ["started", "endpoint", "endpoint", "ended"]


@st.composite
def forests(draw: st.DrawFn) -> list[tuple[Execution, tuple[Metric, ...]]]:
    """Draw traces of any shape, some parents missing, with metrics."""
    found = []
    for number in range(draw(st.integers(1, 40))):
        parent = draw(st.none() | st.integers(0, number - 1)) if number else None
        begin = draw(st.integers(0, 1000))
        end = draw(st.none() | st.integers(begin, begin + 500))
        cost = Decimal(draw(st.integers(0, 10**12))).scaleb(-10)
        metrics = tuple(
            Metric(str(number), kind, value, "", None, None)
            for kind, value in (
                ("API_Cost", cost),
                ("Tokens_In", Decimal(number)),
                ("Tool_Calls", Decimal(1)),
            )
        )
        found.append((execution(number, parent, begin, end), metrics))
    lost = draw(st.sets(st.integers(1, 40)))
    kept = [pair for pair in found if int(pair[0].id) not in lost]
    return draw(st.permutations(kept))


@given(forests())
def test_nothing_is_counted_twice_or_left_out(rows: list[tuple[Execution, tuple[Metric, ...]]]):
    """Sums of the whole equal sums over the rows, to the last digit, whatever is missing and in whatever order."""
    trace = put_together(*(pair[0] for pair in rows), metrics=[metric for pair in rows for metric in pair[1]])
    walked = [found for _, found in trace.walk()]
    assert sorted(found.id for found in walked) == sorted(pair[0].id for pair in rows)
    expected = Figures(
        executions=len(rows),
        cost_usd=sum((metrics[0].value for _, metrics in rows), Decimal(0)),
        tokens_in=sum(int(metrics[1].value) for _, metrics in rows),
        tool_calls=len(rows),
    )
    assert trace.totals == expected
    assert sum((found.own for found in walked), Figures()) == expected
    for found in walked:
        inside = sum((child.subtree for child in found.children), found.own)
        assert found.subtree == inside
        assert 0 <= found.own_ms <= trace.duration_ms


@given(forests(), st.randoms())
def test_the_order_of_rows_makes_no_difference(rows: list[tuple[Execution, tuple[Metric, ...]]], random: Any):
    """Rows that arrive in another order make the same trace."""
    executions = [pair[0] for pair in rows]
    shuffled = random.sample(executions, len(executions))
    assert put_together(*executions) == put_together(*shuffled)


@given(forests())
def test_the_critical_path_never_overlaps_itself(rows: list[tuple[Execution, tuple[Metric, ...]]]):
    """Its steps follow one another in time, so that together they never exceed the trace."""
    trace = put_together(*(pair[0] for pair in rows))
    for earlier, later in zip(trace.critical_path, trace.critical_path[1:], strict=False):
        assert earlier.completed_at <= later.started_at
    assert sum(step.duration_ms for step in trace.critical_path) <= trace.duration_ms + 1e-6


def test_a_very_deep_trace_is_no_problem():
    """A thousand nested executions are assembled, walked and told without meeting Python's own limits."""
    deep = [
        execution(number, number - 1 if number else None, number, 3000 - number) for number in range(1500)
    ]
    trace = put_together(*deep)
    assert len(list(trace.walk())) == 1500
    assert len(timeline(trace)) == 3000
    assert trace.critical_path[750].name == "e750"
