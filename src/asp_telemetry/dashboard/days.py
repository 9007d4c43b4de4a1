"""Lays what was recorded per day out over all days of a period, and adds the days up."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

from asp_telemetry.analytics.costs import DaySpending, Spending
from asp_telemetry.analytics.latency import DayLatency
from asp_telemetry.analytics.reliability import DayOutcomes, Outcomes
from asp_telemetry.dashboard.filters import Filters

_LONG: Final = timedelta(days=400)
_MOST_DAYS: Final = 3_660
T = TypeVar("T")


class _OfDay(Protocol):
    @property
    def day(self) -> date: ...


D = TypeVar("D", bound=_OfDay)


@dataclass(frozen=True)
class Day:
    """Be a day in UTC with what is known of it; None where nothing was recorded."""

    day: date
    costs: DaySpending | None
    latency: DayLatency | None
    outcomes: DayOutcomes | None


def each_day(
    filters: Filters,
    costs: Sequence[DaySpending],
    latency: Sequence[DayLatency],
    outcomes: Sequence[DayOutcomes],
) -> list[Day]:
    """Return every day of a period in order, those without work as well: a gap is part of the picture.

    Of more than ten years only the days with work are returned.

    Args:
        filters: The period; without a beginning it begins with the first day on which anything was recorded.
        costs: What was spent, by day.
        latency: How long runs took, by day.
        outcomes: How executions ended, by day.
    """
    known = {row.day for rows in (costs, latency, outcomes) for row in rows}
    if not known:
        return []
    start, now = filters.start, datetime.now(UTC)
    # Years without work would only press the days with some together.
    is_long = start is None or now - start > _LONG
    first = min(known) if start is None or is_long else start.date()
    # The first moment that does not count may be the beginning of a day: the day before is the last then.
    end = now if filters.until is None else min(now, filters.until - timedelta(microseconds=1))
    last = max(*known, end.date())
    spent, took, ended = _by_day(costs), _by_day(latency), _by_day(outcomes)
    # One clock that was wrong by centuries would make a page of a million days.
    days = (
        sorted(known)
        if (last - first).days > _MOST_DAYS
        else [first + timedelta(days=number) for number in range((last - first).days + 1)]
    )
    return [Day(day, spent.get(day), took.get(day), ended.get(day)) for day in days]


def spent_in_all(days: Sequence[DaySpending]) -> Spending:
    """Add up what was spent on days; exact.

    Args:
        days: The days.
    """
    return _summed(Spending, days)


def ended_in_all(days: Sequence[DayOutcomes]) -> Outcomes:
    """Add up how executions ended on days.

    Args:
        days: The days.
    """
    return _summed(Outcomes, days)


def _by_day(rows: Iterable[D]) -> dict[date, D]:
    return {row.day: row for row in rows}


def _summed(kind: Callable[..., T], rows: Sequence[Any]) -> T:
    """Add up each field; one that is None throughout, such as a cost without a price, stays unknown."""
    sums = {}
    for one in fields(kind):  # type: ignore[arg-type]
        if one.init:
            values = [value for row in rows if (value := getattr(row, one.name)) is not None]
            optional = "None" in str(one.type)
            sums[one.name] = sum(values[1:], values[0]) if values else None if optional else 0
    return kind(**sums)
