"""Scores from 0 to 1: confidences and qualities, in the digits that both databases keep."""

from typing import Any

from asp_telemetry.capture.encoder import shown
from asp_telemetry.guard import trouble

PLACES = 4
"""How many decimals of a score are kept."""


def score(name: str, value: Any) -> float | None:
    """Return a number from 0 to 1 as both databases keep it; None, and trouble, if it is none.

    Example:
        >>> score("trigger", "0.33333")
        0.3333
    """
    try:
        number = float(value)
    except Exception:
        number = -1.0
    if not 0 <= number <= 1:
        trouble("a score was not a number from 0 to 1", remedy=f"{name}={shown(value)} was left out")
        return None
    return round(number, PLACES)
