"""Counts what is spent, dollars and tokens, in whole numbers: exact, whatever the host does to its decimal context."""

from decimal import Context, Decimal
from typing import Any, Final, NamedTuple

from asp_telemetry.capture.details import POSSIBLE, exact
from asp_telemetry.errors import ConfigurationError

USD: Final = 0
TOKENS: Final = 1
UNITS: Final = ("USD", "tokens")

_PLACES: Final = 18  # no price of a token is finer
_CONTEXT: Final = Context(prec=100)
_HIGHEST: Final = 1 << 63

Amounts = list[int]
"""Dollars in units of 10**-18, and tokens."""


class Amount(NamedTuple):
    """Say how much of both units: USD as a Decimal, and tokens; None where there is no limit."""

    usd: Decimal | None
    tokens: int | None


def dollars(text: str) -> int:
    """Turn an amount in USD into whole units.

    Args:
        text: A finite decimal number.

    Example:
        >>> dollars("0.00003")
        30000000000000
    """
    return int(Decimal(text).scaleb(_PLACES, _CONTEXT))


def shown(value: int, unit: int) -> Any:
    """Return an amount as users see it: a Decimal of USD, or the number of tokens.

    Example:
        >>> shown(30_000_000_000_000, USD), shown(7, TOKENS)
        (Decimal('0.00003'), 7)
    """
    if unit == TOKENS:
        return value
    return Decimal(format(Decimal(value).scaleb(-_PLACES, _CONTEXT).normalize(_CONTEXT), "f"))


def checked(name: str, value: Any, unit: int) -> int | None:
    """Turn an amount that a user gives into whole units; None stays None.

    Args:
        name: The argument's name, for the message.
        value: The amount, as text, Decimal or number.
        unit: `USD` or `TOKENS`.

    Raises:
        ConfigurationError: If it is not a number from 0 to 1e13, or not a whole number of tokens.

    Example:
        >>> checked("usd", 0.5, USD) == dollars("0.5")
        True
    """
    if value is None:
        return None
    text = exact(value)
    if text is None:
        raise ConfigurationError(f"{name}={value!r} is no amount; give {POSSIBLE}")
    if unit == USD:
        return dollars(text)
    number = Decimal(text)
    if number != number.to_integral_value() or number >= _HIGHEST:
        raise ConfigurationError(f"{name}={value!r} is no number of tokens; give a whole one")
    return int(number)
