"""Says how long what is kept."""

import re
from dataclasses import dataclass
from datetime import timedelta

from asp_telemetry.errors import ConfigurationError

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_AGE = re.compile(r"(\d{1,6})([hdw]?)")
_LONGEST = timedelta(days=36_500)


@dataclass(frozen=True, kw_only=True)
class RetentionPolicy:
    """Say after how long rows leave their tables.

    Attributes:
        traces: How long ago all of a trace has to have begun before it is archived; it must have ended, too.
        usage_log: How long ago the offer of a pattern has to have been.
        patterns: How long a pattern that was used less than five times and mostly failed has to have been unused.
        payloads: How long ago a call has to have begun before its inputs, outputs, prompts, bodies and headers go
            while its row stays, and so for routed requests and what hooks looked up and changed; None keeps them.

    Example:
        >>> RetentionPolicy(traces=timedelta(days=30)).usage_log.days
        180
    """

    traces: timedelta = timedelta(days=90)
    usage_log: timedelta = timedelta(days=180)
    patterns: timedelta = timedelta(days=30)
    payloads: timedelta | None = None


def parse_age(text: str) -> timedelta:
    """Read an age such as a person writes it.

    Args:
        text: A whole number of days, or one with `h` for hours, `d` for days, `w` for weeks behind it.

    Returns:
        The age.

    Raises:
        ConfigurationError: If it is none, or more than a hundred years.

    Example:
        >>> parse_age("12w").days, parse_age("90").days
        (84, 90)
    """
    match = _AGE.fullmatch(text.strip().lower())
    age = None if match is None else int(match[1]) * _UNITS[match[2] or "d"]
    if age is None or age > _LONGEST:
        raise ConfigurationError(
            f"the age {text!r} is not one; write a number of days such as 90d, of weeks such as 12w or of hours such as 36h"
        )
    return age
