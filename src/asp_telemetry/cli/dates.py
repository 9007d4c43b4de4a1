"""Reads the span of time that a command is about from its two options."""

from datetime import UTC, datetime

from asp_telemetry.errors import ConfigurationError
from asp_telemetry.repricing import parse_moment

Option = tuple[str, str | None]
"""What an option is called, and what was given."""


def span_of_time(since: tuple[str, str], until: Option) -> tuple[datetime, datetime]:
    """Return the first moment of a span of time, and the one behind its last; nothing given for that is now.

    Raises:
        ConfigurationError: If one is no moment, or the last is not after the first.

    Example:
        >>> first, last = span_of_time(("--from", "2026-01-01"), ("--to", "2026-02-01"))
        >>> (last - first).days
        31
    """
    first = parse_moment(since[1])
    given = until[1]
    last = datetime.now(UTC) if given is None else parse_moment(given)
    if last > first:
        return first, last
    if given is None:
        raise ConfigurationError(
            f"{since[0]} {since[1]} is still to come; write a day that has begun, in UTC"
        )
    raise ConfigurationError(f"{until[0]} {given} is not after {since[0]} {since[1]}; exchange them")
