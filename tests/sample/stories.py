"""The rows of the invented team, as texts that can be compared."""

from datetime import datetime

from asp_telemetry.sample.patterns import PatternBook
from asp_telemetry.sample.writing import _day, _incident, _weeks
from asp_telemetry.writer.money import Money


def story(now: datetime) -> list[str]:
    """Return the tasks that are written at an hour, one text per record."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    return [repr(entry) for batch in _weeks(hour, PatternBook()) for entry in batch]


def incident(now: datetime) -> list[str]:
    """Return what is written of the day of the incident alone."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    day = _day(today, _incident(today), now, Money(), PatternBook(), incident=True)
    return [repr(entry) for entry in day]
