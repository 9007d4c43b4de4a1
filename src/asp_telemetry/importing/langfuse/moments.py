"""Writes the times of Langfuse as the ledger has them."""

from datetime import UTC, datetime, timedelta


def utc(moment: datetime) -> datetime:
    """Return a moment in UTC; one without a zone is taken for it, as Langfuse does.

    Example:
        >>> utc(datetime(2026, 1, 31)).isoformat()
        '2026-01-31T00:00:00+00:00'
    """
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def moment_text(moment: datetime) -> str:
    """Write a moment as UTC text that sorts as time does.

    Example:
        >>> moment_text(datetime(2026, 1, 31, 8))
        '2026-01-31 08:00:00.000000'
    """
    return f"{utc(moment).strftime('%Y-%m-%d %H:%M:%S.%f'):0>26}"


def milliseconds_text(duration: timedelta) -> str:
    """Write a duration in ms as exact decimal text; less than nothing is nothing.

    Example:
        >>> milliseconds_text(timedelta(microseconds=1500))
        '1.500'
    """
    microseconds = max(duration, timedelta()) // timedelta(microseconds=1)
    return f"{microseconds // 1000}.{microseconds % 1000:03d}"
