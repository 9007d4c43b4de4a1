"""Writes the values of typed rows for people: the name of a field says its unit, and so does its cell."""

from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from asp_telemetry.bootstrap import CAPABILITIES
from asp_telemetry.cli.output import duration, printable

_SHARES: Final = ("_share", "_rate", "_error", "_yield")
_UNITS: Final = {"_usd": "USD", "_ms": "", "_us": "µs", "_at": "(UTC)"}
_LESS: Final = Decimal("0.0001")
_MEASURED: Final = frozenset({"value", "target", "estimate", "low_70", "high_70", "low_90", "high_90"})
"""Fields whose unit is that of their row."""

_PER_CENT: Final = frozenset(
    target.name for capability in CAPABILITIES for target in (capability.primary, *capability.secondary)
)

_HEADINGS: Final = {
    "mape_share": "MAPE",
    "bias_share": "off in all",
    "defect_density": "defects per unit of complexity",
    "fix_ms": "time to fix",
    "fix_cost_usd": "cost to fix USD",
    "near_share": "within 20 %",
    "over_target": "over 100 ms",
    "notes": "decision",
    "average_variance": "longer than expected",
    "low_70": "70 %: from",
    "high_70": "to",
    "low_90": "90 %: from",
    "high_90": "to",
}


def heading(name: str) -> str:
    """Return the heading of a field.

    Example:
        >>> heading("cost_usd"), heading("latency_ms"), heading("cache_read_share"), heading("last_seen_at")
        ('cost USD', 'latency', 'cache read', 'last seen (UTC)')
        >>> heading("mape_share"), heading("defect_density"), heading("low_70")
        ('MAPE', 'defects per unit of complexity', '70 %: from')
    """
    if name in _HEADINGS:
        return _HEADINGS[name]
    for suffix in _SHARES:
        if name.endswith(suffix) and suffix in {"_share", "_error"}:
            return name.removesuffix(suffix).replace("_", " ") + (" off" if suffix == "_error" else "")
    for suffix, unit in _UNITS.items():
        if name.endswith(suffix):
            return f"{name.removesuffix(suffix).replace('_', ' ')} {unit}".strip()
    return name.removesuffix("_id").removesuffix("_path").replace("_", " ")


def unit_of(row: Any) -> str:
    """Return the unit of what a row measures; nothing if only the row's own fields know.

    Args:
        row: A typed row: one with a `unit`, or with a `metric`.
    """
    if getattr(row, "metric", None) in _PER_CENT:
        return "%"
    return str(getattr(row, "unit", ""))


def cell(name: str, value: Any, unit: str = "") -> str:
    """Return the cell of a field.

    Args:
        name: The field.
        value: Its value; None is a dash.
        unit: The unit of what its row measures.

    Example:
        >>> cell("value", Decimal("12.7690"), "%"), cell("estimate", 210_131.2, "ms"), cell("high_90", 9_500, "tokens")
        ('12.8 %', '210.1 s', '9,500 tokens')
        >>> cell("cost_usd", Decimal("1.25")), cell("latency_ms", 72_500.0), cell("success_rate", 0.875), cell("tokens", 12_000)
        ('1.2500', '72.5 s', '87.5 %', '12,000')
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int | float | Decimal):
        return _measured(value, unit) if unit and name in _MEASURED else _number(name, value)
    return printable(str(value))


def is_number(row_class: type[Any], name: str) -> bool:
    """Tell whether a field holds numbers, which stand to the right."""
    hints = {field.name: str(field.type) for field in fields(row_class)}
    return any(word in hints[name] for word in ("int", "float", "Usd", "Decimal", "Milliseconds", "Number"))


def _measured(value: float | Decimal, unit: str) -> str:
    if unit == "%":
        return f"{value:.1f} %"
    if unit == "ms":
        return _number("_ms", value)
    return f"{_number('_usd' if unit == 'USD' else '', value)} {unit}"


def _number(name: str, value: float | Decimal) -> str:
    if name == "average_variance":
        return f"{value * 100:+.1f} %"
    if name.endswith(_SHARES):
        return f"{value * 100:+.1f} %" if name.endswith(("_error", "bias_share")) else f"{value * 100:.1f} %"
    if name.endswith("_usd"):
        amount = Decimal(str(value))
        return f"{amount:,.4f}" if amount == 0 or abs(amount) >= _LESS else f"{amount:.10f}".rstrip("0")
    if name.endswith("_ms"):
        return duration(float(value))
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if name.endswith("_us") else f"{value:,.3f}".rstrip("0").rstrip(".")
