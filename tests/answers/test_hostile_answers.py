"""Nothing that an answer may hold makes the caller fail, or brings a number into the ledger that cannot be."""

import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recordings import PLAIN, STREAMED, as_objects

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.capture.answers.fields import UsageError
from asp_telemetry.capture.answers.stream_usage import StreamUsage
from asp_telemetry.capture.answers.table import read_answers
from asp_telemetry.usage import Usage

TEXTS = {"model", "provider", "response_id", "cost", "service_tier", "speed"}


class Raises:
    """Raise whatever is asked of it."""

    def __getattribute__(self, name: str) -> object:
        raise RuntimeError(name)


class RaisesOnUsage:
    """Raise where the usage should be, as a lazily loaded object whose connection is gone does."""

    @property
    def usage(self) -> object:
        raise OSError("connection lost")

    usage_metadata = usage


class Callables:
    """Have methods where others have values; calling them would do something."""

    def usage(self) -> object:
        raise AssertionError("a stranger's method was called")

    usage_metadata = model = id = usage


def leaves() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.none(),
        st.integers(),
        st.integers(min_value=2**62, max_value=2**80),
        st.integers(max_value=-1),
        st.booleans(),
        st.floats(),
        st.decimals(),
        st.text(max_size=6),
        st.binary(max_size=4),
        st.builds(Raises),
        st.builds(RaisesOnUsage),
        st.builds(Callables),
        st.just(10**4000),
        st.just({"cached_tokens": -1, "audio_tokens": math.nan}),
    )


def parts() -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves(),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.text(max_size=6), inner, max_size=3),
            st.dictionaries(st.text(max_size=6), inner, max_size=3).map(lambda d: SimpleNamespace(**d)),
        ),
        max_leaves=6,
    )


def spoil(draw: st.DrawFn, whole: Any) -> Any:
    """Put something else into some places of an answer, at any depth."""
    if type(whole) is dict:
        return {name: spoil(draw, part) for name, part in whole.items() if draw(st.integers(0, 30))}
    if type(whole) is list:
        return [spoil(draw, part) for part in whole]
    return whole if draw(st.integers(0, 7)) else draw(parts())


@st.composite
def answers(draw: st.DrawFn) -> Any:
    spoiled = spoil(draw, draw(st.sampled_from(PLAIN)).plain)
    return draw(st.sampled_from([spoiled, as_objects(spoiled)]))


@st.composite
def streams(draw: st.DrawFn) -> list[Any]:
    chunks = [spoil(draw, chunk) for chunk in draw(st.sampled_from(STREAMED)).stream]
    return draw(st.sampled_from([chunks, [as_objects(chunk) for chunk in chunks]]))


def is_possible(usage: Usage) -> None:
    for name, value in usage._asdict().items():
        if value is None:
            continue
        if name in TEXTS:
            assert type(value) is str
        else:
            assert type(value) is int
            assert 0 <= value <= 10**13
    assert (usage.cache_read_tokens or 0) <= (usage.input_tokens if usage.input_tokens is not None else 2**63)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(parts(), answers()))
def test_an_answer_is_read_refused_or_none(answer: Any) -> None:
    """What comes out of any object is possible numbers, nothing, or one kind of error."""
    try:
        found = read_answers(answer)
    except UsageError:
        return
    for usage, _ in found:
        is_possible(usage)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(streams())
def test_a_stream_never_raises(chunks: list[Any]) -> None:
    """No chunk stops a stream, and what is kept of it is possible."""
    stream = StreamUsage()
    for chunk in chunks:
        stream.add(chunk)
    for usage, _ in stream.told():
        is_possible(usage)


@pytest.fixture
def lenient(recorded: Any) -> Iterator[Any]:
    """Record as in production, where faults are counted and not raised."""
    guard.be_strict(False)
    yield recorded
    guard.reset()


def test_no_hostile_answer_reaches_caller_or_ledger(lenient: Any) -> None:
    """A tracked function gives its caller the very object, and the ledger has no negative, infinite or NaN value."""

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.one_of(parts(), answers()), streams())
    def run(answer: Any, chunks: list[Any]) -> None:
        assert asp.track(kind="generation", name="hostile")(lambda: answer)() is answer
        with asp.span("explicit", kind="generation") as span:
            span.record_usage(answer)
        passed = list(asp.track_stream(iter(chunks), name="hostile stream"))
        assert all(one is other for one, other in zip(passed, chunks, strict=True))

    run()
    rows = lenient.rows("SELECT metric_type, metric_value FROM agent_cost_vector")
    assert rows
    assert all(0 <= row["metric_value"] <= 10**13 for row in rows)
    statuses = lenient.rows("SELECT DISTINCT status FROM execution_traces")
    assert [row["status"] for row in statuses] == ["success"]
    assert lenient.rows("SELECT count(*) AS n FROM rejected_records")[0]["n"] == 0
