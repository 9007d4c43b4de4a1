"""Prices answers at once, in the thread that got them, by the price list that the writer uses as well."""

from datetime import UTC, datetime
from threading import RLock
from typing import Any, Final

from asp_telemetry.budgets import locking
from asp_telemetry.budgets.amounts import dollars
from asp_telemetry.capture import state
from asp_telemetry.capture.definition import Site
from asp_telemetry.guard import note
from asp_telemetry.prices.book import PriceBook
from asp_telemetry.prices.price import Unpriced
from asp_telemetry.usage import Usage

_MOST_MODELS: Final = 64

_lock = RLock()
_book: PriceBook | None = None
_private: Any = None
"""The private prices that the book goes by."""
_told: set[str] = set()


def load_prices() -> None:
    """Load the price list, which takes 140 ms, before it is needed; later calls do nothing until the settings change."""
    global _book, _private
    with _lock:
        if _book is None or _private is not state.private_prices:
            private = state.private_prices
            book = PriceBook(private)
            book.price(Usage(), at=datetime.now(UTC))
            _book, _private = book, private


def cost_of(usage: Usage, site: Site, started_ns: int) -> int | None:
    """Return what one answer cost, in units of 10**-18 USD; None where nobody knows.

    Args:
        usage: The answer's usage; what the provider says that it charged beats the computed price.
        site: What was called: its model and provider stand in as they do in the ledger.
        started_ns: When, in ns since the epoch: prices have dates.
    """
    if usage.cost is not None:
        return dollars(usage.cost)
    facts = site.facts
    priced = usage._replace(
        model=usage.model if usage.model is not None else facts["model"],
        provider=usage.provider if facts["provider"] is None else facts["provider"],
    )
    load_prices()
    with _lock:
        assert _book is not None, "load_prices() has made it"
        price = _book.price(priced, at=datetime.fromtimestamp(started_ns // 1_000_000_000, UTC))
    return None if isinstance(price, Unpriced) else dollars(str(price.total))


def tell_unpriced(model: str) -> None:
    """Warn that a budget in USD cannot see what the answers of a model cost; once per model."""
    if model not in _told and len(_told) >= _MOST_MODELS:
        model = "further models"
    _told.add(model)
    note(
        f"a budget does not see what answers of {model} cost: no price is known",
        remedy="say it with record_cost(), or limit tokens= as well; Budget.unpriced counts such answers",
    )


def _after_fork() -> None:
    global _lock
    _lock = RLock()


locking.in_child.append(_after_fork)
