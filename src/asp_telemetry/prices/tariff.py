"""The price of one model, tier and day: unit prices, and a sum over them that the price library has confirmed.

The library takes some fifty microseconds per call, more than the rest of a record's way to the database. But
within one day, model and tier a price is a sum of counts times fixed unit prices. So the unit prices are taken
from the library once, the sum is done here in whole numbers, and the library's own answer to a probe has to be
the same; whatever is not such a sum goes to the library every time.

Source of prices and of their rules: genai-prices (`calc_price`, `ModelPrice`, `TieredPrices`).
"""

from bisect import bisect_left
from collections.abc import Mapping
from datetime import datetime
from decimal import Context, Decimal
from operator import mul
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from asp_telemetry.prices.price import LONGEST_REASON, Price, Unpriced
from asp_telemetry.prices.units import PRICED_UNITS, TOKEN_UNITS, UNITS, WHOLE_OF

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, PriceCalculation, Provider

# A named tuple's own constructor takes three times as long.
_new_tuple: Final = tuple.__new__
_EXACT: Final = Context(prec=100)  # the host may have lowered the precision of the default context


class _Band(NamedTuple):
    """Hold the unit prices of one range of input sizes: a factor for each class, to be applied to its count."""

    factors: tuple[int, ...]
    fixed: int
    exponent: int
    unit_prices: Mapping[str, Decimal]

    def total(self, counts: tuple[int, ...]) -> Decimal:
        """Sum up in whole numbers: exact, and several times as fast as seven Decimal operations."""
        return Decimal(sum(map(mul, self.factors, counts), self.fixed)).scaleb(self.exponent, _EXACT)


class Tariff:
    """Price the usages of one model, tier and day."""

    def __init__(
        self, provider: "Provider", model: "ModelInfo", context: dict[str, str], version: str, at: datetime
    ) -> None:
        self._provider = provider
        self._model = model
        self._context = context
        self._version = version
        self._priced_as = f"{provider.id}/{model.id}"
        prices = self._ask({}, at).model_price
        self._has_input_price = prices.input_mtok is not None
        self._has_output_price = prices.output_mtok is not None
        self._starts = _tier_starts(prices)
        # One per range of input sizes; None where the library has to be asked every time.
        self._bands: list[_Band | None] = [None] * (len(self._starts) + 1)
        if not _depends_on_the_hour(model):
            self._bands = [self._proven_band(prices, index, at) for index in range(len(self._starts) + 1)]

    def price(self, counts: Mapping[str, Any], at: datetime) -> Price | Unpriced:
        """Price one usage, by the band that it falls into or by the library."""
        get = counts.get
        whole_in = get("input_tokens") or 0
        out = get("output_tokens") or 0
        if (whole_in and not self._has_input_price) or (out and not self._has_output_price):
            return Unpriced(f"the price list has no price per token for {self._priced_as}")
        read, write = get("cache_read_tokens") or 0, get("cache_write_tokens") or 0
        write_1h, reasoning = get("cache_write_1h_tokens") or 0, get("reasoning_tokens") or 0
        searches = get("web_searches") or 0
        band = self._bands[bisect_left(self._starts, whole_in)]
        if (
            band is None
            or not 0 <= write_1h <= write <= whole_in - read <= whole_in
            or not 0 <= reasoning <= out
            or searches < 0
            or get("input_audio_tokens")
            or get("output_audio_tokens")
        ):
            return self._price_by_library(counts, at)
        total = band.total((whole_in, read, write, write_1h, out, reasoning, searches))
        return _new_tuple(Price, (total, band.unit_prices, self._priced_as, self._version, "computed"))

    def _price_by_library(self, counts: Mapping[str, Any], at: datetime) -> Price | Unpriced:
        try:
            answer = self._ask(counts, at)
        except ValueError as error:
            return Unpriced(f"{error}"[:LONGEST_REASON])
        unit_prices = _unit_prices(answer.model_price, counts.get("input_tokens") or 0)
        return Price(answer.total_price, unit_prices, self._priced_as, self._version)

    def _ask(self, counts: Mapping[str, Any], at: datetime) -> "PriceCalculation":
        usage = {unit.usage_key: counts[name] for name, unit in UNITS.items() if counts.get(name) is not None}
        return self._model.calc_price(
            usage, self._provider, genai_request_timestamp=at, price_context=self._context
        )

    def _proven_band(self, prices: "ModelPrice", index: int, at: datetime) -> _Band | None:
        """Make the band of a range of input sizes and let the library confirm it on a usage of all classes."""
        above = self._starts[index - 1] if index else -1
        size = self._starts[index] if index < len(self._starts) else above + 1_000_003
        band = _band(_unit_prices(prices, above + 1))
        probe = (size, size // 3, size // 5, size // 7, 1009, 401, 3)
        answer = self._ask(dict(zip(TOKEN_UNITS, probe, strict=True)), at)
        return band if band.total(probe) == answer.total_price else None


def _tier_starts(prices: "ModelPrice") -> tuple[int, ...]:
    from genai_prices.types import TieredPrices  # noqa: PLC0415 - costs 140 ms

    starts = {
        tier.start
        for price in vars(prices).values()
        if isinstance(price, TieredPrices)
        for tier in price.tiers
    }
    return tuple(sorted(starts))


def _depends_on_the_hour(model: "ModelInfo") -> bool:
    from genai_prices.types import TimeOfDateConstraint  # noqa: PLC0415 - costs 140 ms

    conditions = [*(model.price_variants or ()), *(model.prices if isinstance(model.prices, list) else ())]
    return any(isinstance(condition.constraint, TimeOfDateConstraint) for condition in conditions)


def _unit_prices(prices: "ModelPrice", whole_in: int) -> Mapping[str, Decimal]:
    """Give USD per million units by class, for an input of this size."""
    unit_prices = {}
    for name, unit in PRICED_UNITS.items():
        price: Any = getattr(prices, unit.price_key)
        if price is None:
            continue
        if not isinstance(price, Decimal):
            passed = [tier.price for tier in price.tiers if whole_in > tier.start]
            price = passed[-1] if passed else price.base
        unit_prices[name] = price * (1_000_000 // unit.per)
    return MappingProxyType(unit_prices)


def _band(unit_prices: Mapping[str, Decimal]) -> _Band:
    """Turn unit prices into whole factors: what a part costs more than the whole that it is counted in."""
    # No price is finer than this many digits after the point; the proof against the library would show it.
    exponent = min(int(price.as_tuple().exponent) for price in unit_prices.values()) if unit_prices else 0

    def scaled(name: str) -> int:
        return int(unit_prices[name].scaleb(-exponent, _EXACT)) if name in unit_prices else 0

    factors = tuple(
        scaled(name) - scaled(WHOLE_OF[name]) if name in WHOLE_OF and name in unit_prices else scaled(name)
        for name in TOKEN_UNITS
    )
    return _Band(factors, scaled("requests"), exponent - 6, unit_prices)
