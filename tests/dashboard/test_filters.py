"""Filters in the URL: whatever stands there is understood or refused with a sentence, and links say the same again."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asp_telemetry.analytics.filters import (
    CostFilter,
    ExecutionFilter,
    ProjectFilter,
    RoleFilter,
    TaskWorkFilter,
    filter_values,
)
from asp_telemetry.dashboard.filters import NAMES, Filters
from asp_telemetry.errors import ConfigurationError

VALUES = st.one_of(
    st.text(max_size=30), st.sampled_from(["all", "7", "0.5", "-1", "1e400", "nan", "2026-01-31", "9999-12-31", "0001-01-01"])
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(query=st.dictionaries(st.sampled_from([*NAMES, "complexity", "given"]), VALUES))
def test_any_query_is_understood_or_refused_with_a_sentence(query: dict[str, str]) -> None:
    """No address makes a page fail: filters are taken by every question, or the page says what is wrong with them."""
    try:
        found = Filters.read(query)
    except ConfigurationError as error:
        told = str(error)
    else:
        _holds(found)
        return
    assert len(told) > 20


def _holds(found: Filters) -> None:
    for kind in (CostFilter, ExecutionFilter, RoleFilter, ProjectFilter, TaskWorkFilter):
        narrowed = found.narrowed(kind)
        assert set(narrowed) <= set(kind.__annotations__)
        filter_values(narrowed, [name for name in kind.__annotations__ if name != "days"])
    assert found.period
    again = dict(parse_qsl(urlsplit(found.link("/tasks")).query))
    assert Filters.read(again) == found
    assert Filters.read(dict(parse_qsl(urlsplit(found.link("/", role=None)).query))).role is None


@given(days=st.floats(min_value=0.01, max_value=3_000), ago=st.integers(min_value=0, max_value=1_000))
def test_the_time_before_ends_where_this_one_begins(days: float, ago: int) -> None:
    """What a period is compared with is as long as it is, and neither overlaps it nor leaves a gap."""
    until = datetime.now(UTC) - timedelta(days=ago)
    since = until - timedelta(days=days)
    before = Filters(days=None, since=since, until=until, role="Code").before()
    assert before is not None
    assert before.until == since
    assert before.since is not None
    assert since - before.since == until - since
    assert before.role == "Code"


def test_all_time_has_no_time_before() -> None:
    """Without a beginning there is nothing to compare with; nor is there before the calendar."""
    assert Filters.read({"days": "all"}).before() is None
    assert Filters.read({"until": "2026-01-01", "days": "all"}).before() is None
    assert Filters.read({"since": "0002-01-01"}).before() is None


def test_dates_go_before_the_preset_span() -> None:
    """A form sends its preset span together with the dates that somebody has entered: the dates are meant."""
    found = Filters.read(
        {"days": "30", "since": "2026-01-01", "until": "2026-02-01", "role": " Code ", "user": " "}
    )
    assert (found.days, found.since, found.role, found.user) == (
        None,
        datetime(2026, 1, 1, tzinfo=UTC),
        "Code",
        None,
    )
    assert Filters.read({}).days == 30
    assert Filters.read({}).link("/agents") == "/agents"


@pytest.mark.parametrize("text", ["2026-01-31T08:00", "2026-01-31T10:00+02:00", "2026-01-31 08:00:00Z"])
def test_moments_are_in_utc(text: str) -> None:
    """A moment without a zone is one of UTC, another is turned into it."""
    assert Filters.read({"since": text}).since == datetime(2026, 1, 31, 8, tzinfo=UTC)
