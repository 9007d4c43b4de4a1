"""Writes the three figures of a cost vector: latency, tokens and cost, each in its unit."""

from decimal import Decimal
from typing import Final

from asp_telemetry.dashboard.charts import Axis
from asp_telemetry.dashboard.formatting import duration, money, number, share, short
from asp_telemetry.estimation.figures import Number, exact

AXES: Final = {
    "latency_ms": Axis("Latency", "ms"),
    "tokens": Axis("Tokens", "tokens"),
    "api_cost_usd": Axis("Cost", "USD"),
}
"""The figures, in their order, as charts name them."""


def figure(name: str, value: Number | None) -> str:
    """Write a figure with its unit.

    Args:
        name: latency_ms, tokens or api_cost_usd.
        value: In the unit of the figure; None where it is not known.

    Example:
        >>> figure("latency_ms", 1_200), figure("tokens", 12_345.0), figure("api_cost_usd", Decimal("0.0382"))
        ('1.2 s', '12.3 k tokens', '$0.04')
    """
    if value is None:
        return duration(None)
    if name == "latency_ms":
        return duration(value)
    if name == "tokens":
        return short(round(value), "tokens")
    return money(dollars(value))


def between(name: str, first: Number, word: str, second: Number) -> str:
    """Write two values of a figure with a word between them, and a unit that both have once.

    Args:
        name: latency_ms, tokens or api_cost_usd.
        first: In the unit of the figure.
        word: `to` for a range, `of` for a part.
        second: In the unit of the figure.

    Example:
        >>> between("tokens", 91_900, "to", 140_000), between("latency_ms", 950, "to", 1_200)
        ('91.9 k to 140 k tokens', '950 ms to 1.2 s')
    """
    left = short(round(first)) if name == "tokens" else figure(name, first)
    return f"{left} {word} {figure(name, second)}"


def dollars(value: Number) -> Decimal:
    """Return a sum as exact dollars; one that was estimated is a float, whose last digits mean nothing.

    Args:
        value: The sum in USD.

    Example:
        >>> dollars(0.1)
        Decimal('0.1000000000')
    """
    found = value if isinstance(value, Decimal) else exact("api_cost_usd", float(value))
    assert isinstance(found, Decimal)
    return found


def measured(unit: str, value: float | None) -> str:
    """Write a value that says its unit itself.

    Args:
        unit: USD, tokens, ms, share (from 0 to 1), points (how far two shares are apart), or what the value counts.
        value: The value; None where it is not known.

    Example:
        >>> measured("USD", 0.25), measured("share", -0.125), measured("defects", 1.5), measured("ms", None)
        ('$0.25', '-12.5 %', '1.5 defects', '-')
        >>> measured("points", 0.021)
        '+2.1 percentage points'
    """
    if value is None:
        return duration(None)
    if unit == "USD":
        return money(dollars(value))
    if unit == "ms":
        return duration(value)
    if unit == "points":
        return f"{value * 100:+.1f} percentage points"
    if unit == "share":
        return share(value)
    return short(round(value), unit) if unit == "tokens" else number(value, unit)
