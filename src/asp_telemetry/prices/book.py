"""Finds the tariff of a usage in the user's own prices, else in the list that genai-prices ships; without a network."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from asp_telemetry.forks import imports
from asp_telemetry.prices.price import LONGEST_REASON, Price, Unpriced
from asp_telemetry.prices.private import PrivatePrices
from asp_telemetry.prices.tariff import Tariff

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot


class UsageLike(Protocol):
    """Be a named tuple with the fields of a usage."""

    def _asdict(self) -> dict[str, Any]: ...


# OpenTelemetry's names of providers that the library does not know by these names.
_PROVIDER_NAMES: Final = {"x_ai": "x-ai", "azure.ai.openai": "azure", "azure.ai.inference": "azure"}
# What a usage's shape says of its provider: the wire format, and that is spoken by others too.
_PROVIDERS_OF_SHAPES: Final = frozenset({None, "openai", "anthropic"})
# Whoever serves an open model speaks OpenAI's format, often for nothing; these makers' models nobody else may serve.
_MAKERS_OF_CLOSED_MODELS: Final = frozenset({"anthropic", "google", "openai"})
_BEDROCK_MODEL: Final = re.compile(r"(?:[a-z-]+\.)?(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek)\.")
_MOST_TARIFFS: Final = 1024


class PriceBook:
    """Price usages; one instance belongs to one thread.

    Args:
        private: The user's own prices, which beat the list.

    Example:
        >>> from decimal import Decimal
        >>> usage = {"provider": "openai", "model": "gpt-4o-mini-2024-07-18", "input_tokens": 1000}
        >>> price = PriceBook().price(usage, at=datetime(2026, 11, 1, tzinfo=UTC))
        >>> price.total == Decimal("0.00015")
        True
    """

    def __init__(self, private: PrivatePrices | None = None) -> None:
        self._private = private
        self._tariffs: dict[tuple[object, ...], Tariff | Unpriced] = {}
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
            return Unpriced(f"pricing raised {type(error).__name__}: {error}"[:LONGEST_REASON])

    def _tariff(self, counts: Mapping[str, Any], at: datetime) -> Tariff | Unpriced:
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
    ) -> Tariff | Unpriced:
        name, provider_name = counts.get("model"), counts.get("provider")
        if not name:
            return Unpriced("the usage names no model")
        if self._private is not None:
            as_listed = _PROVIDER_NAMES.get(provider_name, provider_name) if provider_name else None
            entry = self._private.find(counts, as_listed, at.date())
            if entry is not None:
                return Tariff(*entry.in_library(), {}, self._private.version, at)
        for candidate_provider, candidate_name, only_closed in _candidates(provider_name, name):
            try:
                provider, model = snapshot.find_provider_model(candidate_name, None, candidate_provider, None)
            except LookupError:
                continue
            if not only_closed or provider.id in _MAKERS_OF_CLOSED_MODELS:
                return Tariff(provider, model, _context(counts), self._version, at)
        where = f" of provider {provider_name!r}" if provider_name else ""
        return Unpriced(f"the price list has no model {name!r}{where}"[:LONGEST_REASON])


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
