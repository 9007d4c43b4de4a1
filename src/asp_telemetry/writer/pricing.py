"""Put a price on a usage, exactly and without a network, from the price list that genai-prices ships.

The library takes some fifty microseconds per call, more than the rest of a record's way to the database. But
within one day, model and tier a price is a sum of counts times fixed unit prices. So the unit prices are taken
from the library once, the sum is done here in whole numbers, and the library's own answer to a probe has to be
the same; whatever is not such a sum goes to the library every time.

Source of prices and of their rules: genai-prices (`calc_price`, `ModelPrice`, `TieredPrices`).
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Context, Decimal
from operator import mul
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from asp_telemetry.forks import imports

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice, PriceCalculation, Provider


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


class UsageLike(Protocol):
    """Be a named tuple with the fields of a usage."""

    def _asdict(self) -> dict[str, Any]: ...


class _Class(NamedTuple):
    """Name one class of units as the library's usage and price list do, with the units that a price is for."""

    usage_key: str
    price_key: str
    per: int


_CLASSES: Final = {
    "input_tokens": _Class("input_tokens", "input_mtok", 1_000_000),
    "cache_read_tokens": _Class("cache_read_tokens", "cache_read_mtok", 1_000_000),
    "cache_write_tokens": _Class("cache_write_tokens", "cache_write_mtok", 1_000_000),
    "cache_write_1h_tokens": _Class("cache_write_1h_tokens", "cache_write_1h_mtok", 1_000_000),
    "output_tokens": _Class("output_tokens", "output_mtok", 1_000_000),
    "reasoning_tokens": _Class("output_reasoning_tokens", "output_reasoning_mtok", 1_000_000),
    "web_searches": _Class("web_searches", "web_searches_kcount", 1_000),
    "input_audio_tokens": _Class("input_audio_tokens", "input_audio_mtok", 1_000_000),
    "output_audio_tokens": _Class("output_audio_tokens", "output_audio_mtok", 1_000_000),
}
_PRICED_CLASSES: Final = _CLASSES | {"requests": _Class("requests", "requests_kcount", 1_000)}
_FAST_CLASSES: Final = tuple(_CLASSES)[:7]
# A part is priced instead of its whole, not on top of it.
_WHOLE_OF: Final = {
    "cache_read_tokens": "input_tokens",
    "cache_write_tokens": "input_tokens",
    "cache_write_1h_tokens": "cache_write_tokens",
    "reasoning_tokens": "output_tokens",
}
# OpenTelemetry's names of providers that the library does not know by these names.
_PROVIDER_NAMES: Final = {"x_ai": "x-ai", "azure.ai.openai": "azure", "azure.ai.inference": "azure"}
# What a usage's shape says of its provider: the wire format, and that is spoken by others too.
_PROVIDERS_OF_SHAPES: Final = frozenset({None, "openai", "anthropic"})
# Whoever serves an open model speaks OpenAI's format, often for nothing; these makers' models nobody else may serve.
_MAKERS_OF_CLOSED_MODELS: Final = frozenset({"anthropic", "google", "openai"})
_BEDROCK_MODEL: Final = re.compile(r"(?:[a-z-]+\.)?(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek)\.")
_MOST_TARIFFS: Final = 1024
_LONGEST_REASON: Final = 300
# A named tuple's own constructor takes three times as long.
_new_tuple: Final = tuple.__new__
_EXACT: Final = Context(prec=100)  # the host may have lowered the precision of the default context


class PriceBook:
    """Price usages; one instance belongs to one thread.

    Example:
        >>> usage = {"provider": "openai", "model": "gpt-4o-mini-2024-07-18", "input_tokens": 1000}
        >>> price = PriceBook().price(usage, at=datetime(2026, 11, 1, tzinfo=UTC))
        >>> price.total == Decimal("0.00015")
        True
    """

    def __init__(self) -> None:
        self._tariffs: dict[tuple[object, ...], _Tariff | Unpriced] = {}
        self._snapshot: DataSnapshot | None = None
        self._current_snapshot: Callable[[], DataSnapshot] = _load_price_list
        self._version = ""

    def price(self, usage: Mapping[str, Any] | UsageLike, *, at: datetime) -> Price | Unpriced:
        """Price one usage as of the moment it was used.

        Args:
            usage: Provider, model, service tier, speed and counts: a usage or a dict with its fields.
            at: When the call was made; a time without a zone is taken as UTC.

        Returns:
            The price, or the reason why there is none.

        Example:
            >>> PriceBook().price({"model": "in-house-7b", "input_tokens": 5}, at=datetime.now(UTC)).reason
            "the price list has no model 'in-house-7b'"
        """
        counts: Any = usage if type(usage) is dict or isinstance(usage, Mapping) else usage._asdict()
        try:
            moment = (
                at
                if at.tzinfo is UTC
                else at.replace(tzinfo=UTC)
                if at.tzinfo is None
                else at.astimezone(UTC)
            )
            tariff = self._tariff(counts, moment)
            return tariff if isinstance(tariff, Unpriced) else tariff.price(counts, moment)
        except Exception as error:
            return Unpriced(f"pricing raised {type(error).__name__}: {error}"[:_LONGEST_REASON])

    def _tariff(self, counts: Mapping[str, Any], at: datetime) -> "_Tariff | Unpriced":
        snapshot = self._current_snapshot()
        if snapshot is not self._snapshot:
            self._adopt(snapshot)
        get = counts.get
        key = (get("provider"), get("model"), get("service_tier"), get("speed"), at.toordinal())
        tariff = self._tariffs.get(key)
        if tariff is None:
            with imports:  # the library imports parts of itself at the first price
                tariff = self._look_up(snapshot, counts, at)
            if len(self._tariffs) >= _MOST_TARIFFS:
                self._tariffs.clear()
            self._tariffs[key] = tariff
        return tariff

    def _adopt(self, snapshot: "DataSnapshot") -> None:
        """Start over with a price list that the host has put in place of the one before."""
        from genai_prices import __version__, data_snapshot  # noqa: PLC0415 - costs 140 ms

        self._current_snapshot = data_snapshot.get_snapshot
        self._snapshot = snapshot
        self._tariffs.clear()
        self._version = f"genai-prices {__version__}"
        if snapshot.from_auto_update:
            self._version += f", updated {snapshot.timestamp.isoformat(timespec='seconds')}"

    def _look_up(
        self, snapshot: "DataSnapshot", counts: Mapping[str, Any], at: datetime
    ) -> "_Tariff | Unpriced":
        name, provider_name = counts.get("model"), counts.get("provider")
        if not name:
            return Unpriced("the usage names no model")
        for candidate_provider, candidate_name, only_closed in _candidates(provider_name, name):
            try:
                provider, model = snapshot.find_provider_model(candidate_name, None, candidate_provider, None)
            except LookupError:
                continue
            if not only_closed or provider.id in _MAKERS_OF_CLOSED_MODELS:
                return _Tariff(provider, model, _context(counts), self._version, at)
        where = f" of provider {provider_name!r}" if provider_name else ""
        return Unpriced(f"the price list has no model {name!r}{where}"[:_LONGEST_REASON])


class _Band(NamedTuple):
    """Hold the unit prices of one range of input sizes: a factor for each class, to be applied to its count."""

    factors: tuple[int, ...]
    fixed: int
    exponent: int
    unit_prices: Mapping[str, Decimal]

    def total(self, counts: tuple[int, ...]) -> Decimal:
        """Sum up in whole numbers: exact, and several times as fast as seven Decimal operations."""
        return Decimal(sum(map(mul, self.factors, counts), self.fixed)).scaleb(self.exponent, _EXACT)


class _Tariff:
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
            return Unpriced(f"{error}"[:_LONGEST_REASON])
        unit_prices = _unit_prices(answer.model_price, counts.get("input_tokens") or 0)
        return Price(answer.total_price, unit_prices, self._priced_as, self._version)

    def _ask(self, counts: Mapping[str, Any], at: datetime) -> "PriceCalculation":
        usage = {
            unit.usage_key: counts[name] for name, unit in _CLASSES.items() if counts.get(name) is not None
        }
        return self._model.calc_price(
            usage, self._provider, genai_request_timestamp=at, price_context=self._context
        )

    def _proven_band(self, prices: "ModelPrice", index: int, at: datetime) -> _Band | None:
        """Make the band of a range of input sizes and let the library confirm it on a usage of all classes."""
        above = self._starts[index - 1] if index else -1
        size = self._starts[index] if index < len(self._starts) else above + 1_000_003
        band = _band(_unit_prices(prices, above + 1))
        probe = (size, size // 3, size // 5, size // 7, 1009, 401, 3)
        answer = self._ask(dict(zip(_FAST_CLASSES, probe, strict=True)), at)
        return band if band.total(probe) == answer.total_price else None


def _load_price_list() -> "DataSnapshot":
    with imports:
        from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - costs 140 ms

        return get_snapshot()


def _candidates(provider: str | None, model: str) -> Iterator[tuple[str | None, str, bool]]:
    """Yield where a model may stand: provider, name, and whether only makers of closed models count."""
    yield _PROVIDER_NAMES.get(provider, provider) if provider else None, model, False
    if provider not in _PROVIDERS_OF_SHAPES:
        return
    yield None, model, True
    vendor, slash, rest = model.partition("/")
    if slash:
        yield vendor, rest, True
    if _BEDROCK_MODEL.match(model):
        yield "aws", model, False


def _context(counts: Mapping[str, Any]) -> dict[str, str]:
    """Say in the library's words at which tier an answer was served."""
    tier, speed = counts.get("service_tier"), counts.get("speed")
    context = {}
    if tier == "batch":
        context["processing"] = "batch"
    elif tier:
        context["service_tier"] = tier
    if speed:
        context["speed"] = speed
    return context


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
    for name, unit in _PRICED_CLASSES.items():
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
        scaled(name) - scaled(_WHOLE_OF[name]) if name in _WHOLE_OF and name in unit_prices else scaled(name)
        for name in _FAST_CLASSES
    )
    return _Band(factors, scaled("requests"), exponent - 6, unit_prices)
