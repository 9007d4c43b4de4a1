"""A trace goes on in other services and processes, whatever their headers look like."""

import asyncio
import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.capture.trace_context import parse_traceparent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ROOT, PARENT = "0af76519-16cd-43dd-8448-eb211c80319c", "0af76519-16cd-43dd-b7ad-6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
MALFORMED = [
    "", "00", TRACEPARENT[:-1], f"{TRACEPARENT}0", f"{TRACEPARENT}-x", f"ff-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}",
    f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", TRACEPARENT.upper(), f"00-{TRACE}-{SPAN}-0x",
    f"0 -{TRACE}-{SPAN}-01", f"00-{TRACE[:-1]} -{SPAN}-01", f"00_{TRACE}_{SPAN}_01", "ü" * 55, "00-" * 100_000,
]  # fmt: skip


def test_a_request_carries_the_trace(recorded):
    """Headers name the trace, the calling span and the root, in the format that all tracing systems read."""
    with asp.span("root") as root, asp.span("call") as call:
        headers = asp.inject()
    version, trace, span, flags = headers["traceparent"].split("-")
    assert (version, flags) == ("00", "01")
    assert trace == root.root_id.replace("-", "")
    assert call.id.replace("-", "") == trace[:16] + span
    assert headers["X-Correlation-ID"] == root.id
    assert "tracestate" not in headers


def test_headers_are_written_where_the_user_says():
    """The given headers are changed and returned; headers of these names are replaced, whatever their case."""
    given = {"Accept": "a", "TraceParent": "old", "x-correlation-id": "old", "Tracestate": "old"}
    with asp.span("root") as root:
        assert asp.inject(given) is given
    assert sorted(given) == ["Accept", "X-Correlation-ID", "traceparent"]
    assert given["X-Correlation-ID"] == root.id


def test_nothing_is_written_where_nothing_is_tracked():
    """Outside of any span headers stay as they are, also within a context."""
    assert asp.inject() == {}
    with asp.context(user_id="ana"):
        assert asp.inject({"Accept": "a"}) == {"Accept": "a"}


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": TRACEPARENT},
        {"Traceparent": f" {TRACEPARENT} "},
        {b"TRACEPARENT": TRACEPARENT.encode()},
        {"HTTP_TRACEPARENT": TRACEPARENT, "wsgi.input": None, "REQUEST_METHOD": "GET"},
        [(b"accept", b"a"), (b"traceparent", TRACEPARENT.encode())],
        {"traceparent": f"01-{TRACE}-{SPAN}-01-and-what-else-comes"},
        {"traceparent": f"00-{TRACE}-{SPAN}-03"},
    ],
)
def test_the_callers_trace_goes_on(recorded, headers):
    """What is tracked under `extract` belongs to the caller's trace, in whatever form the headers come."""
    with asp.extract(headers):
        with asp.task("T"), asp.span("inner"):
            pass
        assert not asp.current_span().is_recording
        asp.current_span().record_metric(
            "Quality", 1, "score"
        )  # the caller's span is the caller's to record on
    rows = {row["name"]: row for row in recorded.traces()}
    assert {row["root_id"] for row in rows.values()} == {ROOT}
    assert rows["task"]["parent_id"] == PARENT
    assert rows["inner"]["parent_id"] == rows["task"]["correlation_id"]
    assert rows["task"]["session_id"] == ROOT
    assert rows["task"]["source"] == "agent_delegation"
    assert recorded.metrics("Quality") == []


def test_a_trace_passes_through(recorded):
    """What calls on hands the trace on: its id, what other systems sent along, and the own span, or the caller's."""
    received = [("traceparent", TRACEPARENT), ("tracestate", "a=1"), ("tracestate", "b=2")]
    with asp.extract(received):
        assert asp.inject() == {
            "traceparent": TRACEPARENT, "tracestate": "a=1,b=2", "X-Correlation-ID": ROOT
        }  # fmt: skip
        with asp.span("outer"), asp.context(user_id="ana"), asp.span("inner") as inner:
            sent = asp.inject()
    assert sent["tracestate"] == "a=1,b=2"
    assert sent["traceparent"].startswith(f"00-{TRACE}-")
    assert sent["traceparent"].split("-")[2] == inner.id.replace("-", "")[16:]


def test_facts_belong_to_the_callers_span(recorded):
    """Defects and endpoint calls outside of any own span name the caller's span."""
    with asp.extract({"traceparent": TRACEPARENT}):
        asp.log_defect(defect_type="x", phase_injected="Code", phase_removed="Test", description="d")
        with asp.endpoint_call("s", "GET", "/"):
            pass
    assert [row["correlation_id"] for row in recorded.rows("SELECT correlation_id FROM defect_log")] == [
        PARENT
    ]
    assert [row["correlation_id"] for row in recorded.rows("SELECT * FROM endpoint_calls")] == [PARENT]


@pytest.mark.parametrize("value", MALFORMED)
def test_malformed_headers_begin_a_trace_of_their_own(recorded, value):
    """A malformed header is counted and raises nothing, even in strict tests: strangers send it."""
    with asp.extract({"traceparent": value, "tracestate": "a=1"}), asp.span("root") as root:
        assert root.id == root.root_id
        assert "tracestate" not in asp.inject()
    assert guard.counts() == {"a traceparent header was malformed": 1}


@pytest.mark.parametrize("headers", [{}, [], {"tracestate": "a=1"}, {"x": None}])
def test_without_a_header_a_trace_of_its_own_begins(recorded, headers):
    """A request without `traceparent` is nothing unusual."""
    with asp.extract(headers), asp.span("root") as root:
        assert root.id == root.root_id
    assert guard.counts() == {}


def test_what_is_no_headers_is_counted(recorded):
    """Anything else than headers is counted, and the block runs."""
    for headers in (None, 5, [1, 2], object()):
        with asp.extract(headers), asp.span("root") as root:
            assert root.id == root.root_id
    assert sum(guard.counts().values()) == 4


def test_two_parents_are_none(recorded):
    """Of two `traceparent` headers neither is believed."""
    with asp.extract([("traceparent", TRACEPARENT)] * 2), asp.span("root") as root:
        assert root.root_id != ROOT
    assert guard.counts() == {"a traceparent header was malformed": 1}


@given(st.text(alphabet="0123456789abcdef-ABg", max_size=60) | st.text(max_size=60))
def test_reading_never_raises(value):
    """Whatever a header holds, it is read or refused."""
    parent = parse_traceparent(value)
    assert parent is None or (0 < parent[0] < 1 << 128 and 0 < parent[1] < 1 << 64)


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
def test_any_id_goes_round(trace, span, sampled):
    """Ids of any tracing system come out of the headers as they went in."""
    with asp.extract({"traceparent": f"00-{trace:032x}-{span:016x}-0{sampled:d}"}):
        assert parse_traceparent(asp.inject()["traceparent"]) == (trace, span, sampled)


@pytest.mark.parametrize(("rate", "flags", "kept"), [(0.0, "01", True), (1.0, "00", False)])
def test_the_caller_decides_what_is_sampled(recorded, rate, flags, kept):
    """A tree is kept or left out as a whole: as its first service decided, whatever the rate here."""
    asp.configure(recorded.url, replace=True, strict=True, sample_rate=rate)
    with asp.extract({"traceparent": f"00-{TRACE}-{SPAN}-{flags}"}):
        with asp.span("code", kind="agent"):
            assert asp.inject()["traceparent"].endswith(flags)
        assert asp.inject()["traceparent"].endswith(flags)
    assert [row["name"] for row in recorded.traces()] == ["code"] * kept
    assert len(recorded.metrics("Latency")) == 1


def test_the_callers_decision_can_be_overruled(recorded):
    """Where callers sample for themselves, `sampled=True` records all the same."""
    with asp.extract({"traceparent": f"00-{TRACE}-{SPAN}-00"}, sampled=True), asp.span("code"):
        pass
    assert [row["root_id"] for row in recorded.traces()] == [ROOT]


@pytest.mark.parametrize(("task_id", "tokens"), [("T", 12), (None, None)])
def test_a_task_goes_along_as_an_argument(recorded, task_id, tokens):
    """What is spent on the other side counts for the task if that is named there; headers do not name it."""

    @asp.track_agent("Remote")
    def serve(task_id):
        asp.current_span().record_usage(input_tokens=9, output_tokens=3, model="gpt-4o-mini")

    def take(headers):
        with asp.extract(headers):
            serve(task_id)

    with asp.task("T"):
        other = threading.Thread(target=take, args=(asp.inject(),))  # carries nothing by itself, as a process
        other.start()
        other.join()
    asp.flush()
    [task] = recorded.rows("SELECT actual_cost_vector_json FROM task_metadata")
    assert json.loads(task["actual_cost_vector_json"])["tokens"] == tokens


async def test_extract_works_in_async_code(recorded):
    """`async with` carries the trace into tasks, and leaves others alone."""

    async def serve(number):
        async with asp.extract({"traceparent": f"00-{number:032x}-{SPAN}-01"}):
            await asyncio.sleep(0)
            with asp.span("served") as span:
                await asyncio.sleep(0)
                return span.root_id

    found = await asyncio.gather(*(serve(number) for number in range(1, 6)))
    assert [int(root.replace("-", ""), 16) for root in found] == [1, 2, 3, 4, 5]
    assert asp.inject() == {}


def test_leaving_restores_what_was_there(recorded):
    """Behind the block the surrounding span is current again."""
    with asp.span("outer") as outer:
        with asp.extract({"traceparent": TRACEPARENT}), asp.span("inner") as inner:
            assert inner.root_id == ROOT
        assert asp.current_span().id == outer.id
        with asp.span("after") as after:
            assert after.root_id == outer.id
