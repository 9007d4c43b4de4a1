"""The rows of the invented team, as texts that can be compared."""

from datetime import datetime

from asp_telemetry.sample.patterns import PatternBook
from asp_telemetry.sample.writing import _weeks


def story(now: datetime) -> list[str]:
    """Return the tasks that are written at an hour, one text per record."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    return [repr(entry) for batch in _weeks(hour, PatternBook()) for entry in batch]
