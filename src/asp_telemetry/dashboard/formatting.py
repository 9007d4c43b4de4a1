"""Writes numbers for people, always with their unit; money is never a float on its way into text."""

from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

NOTHING: Final = "-"
"""What stands where nothing is known."""

_CENT: Final = Decimal("0.01")
_STEPS: Final = ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"))


def number(value: float | Decimal | None, unit: str = "") -> str:
    """Write a number in full.

    Args:
        value: The number; None where it is not known.
        unit: What it counts, behind a blank.

    Example:
        >>> number(12_345), number(0.123456, "defects/kLOC"), number(None)
        ('12,345', '0.123 defects/kLOC', '-')
    """
    if value is None:
        return NOTHING
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.3f}".rstrip("0").rstrip(".")
    return f"{text} {unit}".rstrip()


def short(value: float | None, unit: str = "") -> str:
    """Write a number in three digits or so.

    Args:
        value: The number; None where it is not known.
        unit: What it counts, behind a blank.

    Example:
        >>> short(950, "tokens"), short(12_345, "tokens"), short(3_400_000, "tokens"), short(999_999)
        ('950 tokens', '12.3 k tokens', '3.4 M tokens', '1 M')
    """
    if value is None:
        return NOTHING
    for size, letter in _STEPS:
        # What would be written as 1000 of the smaller step belongs to this one.
        if abs(value) >= size * 0.9995:
            text = f"{value / size:.3g}" if abs(value) < size * 999.5 else f"{value / size:,.0f}"
            return f"{text} {letter} {unit}".rstrip()
    return number(value, unit)


def money(value: Decimal | int | None) -> str:
    """Write a sum in USD: two decimals, two significant digits where it is less than a cent.

    Args:
        value: The sum, exact; None where no price is known.

    Raises:
        TypeError: If it is a float, which has lost digits already.

    Example:
        >>> money(Decimal("1234.567")), money(Decimal("0.0038")), money(Decimal("0")), money(Decimal("-0.5"))
        ('$1,234.57', '$0.0038', '$0.00', '-$0.50')
    """
    if value is None:
        return NOTHING
    if isinstance(value, float):
        raise TypeError(f"money is a Decimal, and {value!r} is a float; take the exact sum")
    amount = Decimal(value)
    size = abs(amount)
    if size == 0 or size >= _CENT:
        text = f"{size.quantize(_CENT, ROUND_HALF_EVEN):,}"
    else:
        text = f"{size.quantize(Decimal(1).scaleb(size.adjusted() - 1)):f}".rstrip("0")
    return f"{'-' if amount < 0 else ''}${text}"


def duration(milliseconds: float | Decimal | None) -> str:
    """Write a duration.

    Args:
        milliseconds: It, in ms; None where it is not known.

    Example:
        >>> [duration(value) for value in (0.25, 3.4, 950, 1_200, 72_500, 600_000, 7_200_000, 432_000_000)]
        ['0.25 ms', '3.4 ms', '950 ms', '1.2 s', '72.5 s', '10.0 min', '2.0 h', '5.0 d']
    """
    if milliseconds is None:
        return NOTHING
    value = float(milliseconds)
    for least, size, unit in (
        (172_800_000, 86_400_000, "d"),
        (7_200_000, 3_600_000, "h"),
        (120_000, 60_000, "min"),
        (999.5, 1_000, "s"),
    ):
        if abs(value) >= least:
            return f"{value / size:,.1f} {unit}"
    return f"{value:.0f} ms" if abs(value) >= 10 else f"{value:.2g} ms"


def share(value: float | None) -> str:
    """Write a part of a whole, which goes from 0 to 1, in per cent.

    Args:
        value: The part; None is written as -.

    Example:
        >>> share(0.12), share(0.1234), share(1.0), share(0.0004), share(None)
        ('12 %', '12.3 %', '100 %', '0.04 %', '-')
    """
    if value is None:
        return NOTHING
    percent = value * 100
    text = f"{percent:.1f}" if percent == 0 or abs(percent) >= 0.1 else f"{percent:.1g}"
    return f"{text.removesuffix('.0')} %"


def change(now: float | Decimal | None, then: float | Decimal | None) -> str | None:
    """Write how much a figure has changed; None where that cannot be said.

    Args:
        now: The figure.
        then: What it was before.

    Example:
        >>> change(120, 100), change(Decimal("0.5"), Decimal("1")), change(1, 1), change(1, 0), change(None, 1)
        ('+20 %', '-50 %', '±0 %', None, None)
    """
    if now is None or not then:
        return None
    percent = round(float((Decimal(now) - Decimal(then)) / Decimal(then) * 100), 1)
    if percent == 0:
        return "±0 %"
    return f"{percent:+,.0f} %" if abs(percent) >= 10 else f"{percent:+.1f} %".replace(".0 ", " ")


def moment(value: datetime | None) -> str:
    """Write a moment, which is in UTC.

    Args:
        value: The moment in UTC; None is written as -.

    Example:
        >>> moment(datetime(2026, 1, 15, 9, 30, 5))
        '2026-01-15 09:30:05 UTC'
    """
    return NOTHING if value is None else f"{value:%Y-%m-%d %H:%M:%S} UTC"


def day(value: date | None) -> str:
    """Write a day.

    Args:
        value: The day; None is written as -.

    Example:
        >>> day(date(2026, 1, 15))
        '2026-01-15'
    """
    return NOTHING if value is None else f"{value:%Y-%m-%d}"
