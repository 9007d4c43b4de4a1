"""What pricing answers: a price, or the reason why there is none."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

LONGEST_REASON: Final = 300
"""How long a reason may be, in characters."""


class Price(NamedTuple):
    """Hold what a usage costs and how that was found.

    Attributes:
        total: The price in USD.
        unit_prices: USD per million tokens (or searches, or requests) by class of the usage; `input_tokens` is
            the price of input that was neither read from a cache nor written to one.
        priced_as: Provider and model in the price list, as "provider/model".
        version: Which price list, so that old figures stay explicable.
        source: Always "computed".
    """

    total: Decimal
    unit_prices: Mapping[str, Decimal]
    priced_as: str
    version: str
    source: str = "computed"


class Unpriced(NamedTuple):
    """Say why a usage has no price; that is never the same as a price of zero."""

    reason: str
