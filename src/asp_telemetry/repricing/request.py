"""Says which costs are to be computed again, and under which prices."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase

from asp_telemetry.errors import ConfigurationError
from asp_telemetry.prices.private import PrivatePrices


@dataclass(frozen=True, kw_only=True)
class RepriceRequest:
    """Say which costs are to be computed again, and under which prices.

    Attributes:
        since: Costs of executions that ended then or later.
        until: Costs of executions that ended before then; None for all there are now.
        model: Only of models of this name, or of names that fit a pattern with * and ?.
        provider: Only of providers of this name, or of names that fit a pattern.
        prices: Prices that beat the installed list.
        as_of: The day whose prices hold for all of them; None for the prices of the day of each call.

    Example:
        >>> request = RepriceRequest(since=parse_moment("2026-01-01"), model="GPT-4o*")
        >>> request.is_about("gpt-4o-mini", "openai"), request.is_about(None, "openai")
        (True, False)
    """

    since: datetime
    until: datetime | None = None
    model: str | None = None
    provider: str | None = None
    prices: PrivatePrices | None = None
    as_of: date | None = None

    def is_about(self, model: str | None, provider: str | None) -> bool:
        """Tell whether the costs of a model are among them."""
        return _fits(self.model, model) and _fits(self.provider, provider)


def parse_moment(text: str) -> datetime:
    """Read a day or a moment such as a person writes it; without a zone it is UTC.

    Raises:
        ConfigurationError: If it is none.

    Example:
        >>> parse_moment("2026-01-31").isoformat(), parse_moment("2026-01-31T02:00+02:00").isoformat()
        ('2026-01-31T00:00:00+00:00', '2026-01-31T00:00:00+00:00')
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"the moment {text!r} is not one; write a day such as 2026-01-31 or a moment such as 2026-01-31T08:00"
        ) from None


def _fits(pattern: str | None, name: str | None) -> bool:
    return pattern is None or (name is not None and fnmatchcase(name.lower(), pattern.lower()))
