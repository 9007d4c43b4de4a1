"""The three figures of a cost vector, and how people read them."""

from decimal import Decimal
from typing import Final

Number = int | float | Decimal

FIGURES: Final = ("latency_ms", "tokens", "api_cost_usd")
UNITS: Final = {"latency_ms": "ms", "tokens": "tokens", "api_cost_usd": "USD"}
NAMES: Final = {"latency_ms": "latency", "tokens": "tokens", "api_cost_usd": "cost"}
_STEP: Final = Decimal("1E-10")


def exact(figure: str, value: float) -> Number:
    """Round what was calculated to what its figure is counted in: microseconds, whole tokens, 1e-10 USD.

    Args:
        figure: One of `FIGURES`.
        value: The value in the figure's unit.

    Example:
        >>> exact("tokens", 12.7), exact("api_cost_usd", 0.12345678)
        (13, Decimal('0.1234567800'))
    """
    if figure == "tokens":
        return round(value)
    return Decimal(repr(value)).quantize(_STEP) if figure == "api_cost_usd" else round(value, 3)


def shown(figure: str, value: Number) -> str:
    """Write a value with its unit.

    Args:
        figure: One of `FIGURES`.
        value: The value in the figure's unit.

    Example:
        >>> shown("latency_ms", 61500.0), shown("tokens", 30000), shown("api_cost_usd", Decimal("0.15"))
        ('61.5 s', '30,000 tokens', '0.150000 USD')
        >>> shown("latency_ms", -4240.0)
        '-4.2 s'
    """
    if figure == "latency_ms":
        return f"{float(value) / 1000:,.1f} s" if abs(float(value)) >= 1000 else f"{float(value):.1f} ms"
    if figure == "tokens":
        return f"{float(value):,.0f} tokens"
    # Small models cost less than a hundredth of a cent.
    return f"{value:,.4f} USD" if abs(float(value)) >= 1 else f"{value:.6f} USD"
