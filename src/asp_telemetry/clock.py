"""Turns the nanoseconds of the wall clock into the text that both databases store and sort."""

from time import gmtime, strftime, time_ns

_NANOSECONDS = 1_000_000_000
_seconds: dict[int, str] = {}


def utc_text(nanoseconds: int) -> str:
    """Write a moment as UTC text that sorts as time does and compares with SQLite's own `datetime()`.

    Args:
        nanoseconds: Time since the epoch in ns; what is below a microsecond is cut off.

    Returns:
        `YYYY-MM-DD HH:MM:SS.ffffff`, always 26 characters.

    Example:
        >>> utc_text(1_700_000_000_123_456_789)
        '2023-11-14 22:13:20.123456'
    """
    second, rest = divmod(nanoseconds, _NANOSECONDS)
    text = _seconds.get(second)
    if text is None:
        if len(_seconds) > 256:
            _seconds.clear()
        text = _seconds[second] = strftime("%Y-%m-%d %H:%M:%S.", gmtime(second))
    return f"{text}{rest // 1000:06d}"


def now_text() -> str:
    """Write the present moment as `utc_text` does."""
    return utc_text(time_ns())
