"""Adds up stretches of time that may overlap."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeAlias

Interval: TypeAlias = tuple[datetime, datetime]


def covered(intervals: Iterable[Interval]) -> timedelta:
    """Return how much time lies in at least one of the intervals.

    Args:
        intervals: Begin and end of each; one that ends before it begins counts as none.

    Example:
        >>> day = datetime(2026, 1, 1)
        >>> hours = [day + timedelta(hours=hour) for hour in range(5)]
        >>> covered([(hours[0], hours[2]), (hours[1], hours[3])])
        datetime.timedelta(seconds=10800)
    """
    total = timedelta()
    reached: datetime | None = None
    for begin, end in sorted(intervals):
        start = begin if reached is None else max(begin, reached)
        if end > start:
            total += end - start
            reached = end
    return total


def milliseconds(span: timedelta) -> float:
    """Return a stretch of time in ms.

    Args:
        span: The stretch of time.

    Example:
        >>> milliseconds(timedelta(seconds=1, microseconds=500))
        1000.5
    """
    return span / timedelta(milliseconds=1)
