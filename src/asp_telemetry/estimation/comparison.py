"""What a task was estimated to take against what it took."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asp_telemetry.estimation.figures import FIGURES, NAMES, UNITS, Number, exact, shown
from asp_telemetry.estimation.point import GREATEST


@dataclass(frozen=True, slots=True)
class FigureComparison:
    """Compare one figure of a task.

    Attributes:
        figure: latency_ms, tokens or api_cost_usd.
        unit: ms, tokens or USD.
        estimated: What it was estimated to be; None if it was not.
        actual: What it was; None if that is unknown.
        error_percent: PSP's estimating error, (actual - estimated) / estimated in percent: above 0 it took more.
        within_70: Whether it lies in the range of 70 %; None if no range was stored.
    """

    figure: str
    unit: str
    estimated: Number | None
    actual: Number | None
    error_percent: float | None
    within_70: bool | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compare a task with its estimate; `str()` of it is a sentence.

    Attributes:
        task_id: The task.
        status: pending, in_progress, completed or failed; before its end the actual figures are not known.
        estimated_complexity: How complex it was thought to be.
        actual_complexity: How complex it was found to be.
        figures: latency_ms, tokens and api_cost_usd, in this order.
    """

    task_id: str
    status: str
    estimated_complexity: int | None
    actual_complexity: int | None
    figures: tuple[FigureComparison, ...]

    def __str__(self) -> str:
        """Say it in a sentence."""
        told = [_told(found) for found in self.figures if found.estimated is not None]
        if not told:
            return f"{self.task_id} ({self.status}) has no estimate"
        return f"{self.task_id} ({self.status}): {'; '.join(told)}"


def compare(row: Mapping[str, Any]) -> Comparison:
    """Compare a task with its estimate.

    Args:
        row: task_id, status, estimated_complexity, actual_complexity; and as dicts or None `estimated` and `actual` vectors
            and the task's `metadata`.

    Example:
        >>> print(compare({"task_id": "T-1", "status": "completed", "estimated_complexity": 8, "actual_complexity": None,
        ...     "estimated": {"tokens": 100}, "actual": {"tokens": 120}, "metadata": None}))
        T-1 (completed): 120 tokens, estimated 100 tokens (+20.0 %)
    """
    estimated, actual = _mapping(row["estimated"]), _mapping(row["actual"])
    ranges = _mapping(_mapping(_mapping(row["metadata"]).get("estimate")).get("ranges"))
    return Comparison(
        row["task_id"],
        row["status"],
        row["estimated_complexity"],
        row["actual_complexity"],
        tuple(
            _compared(
                figure, estimated.get(figure), actual.get(figure), _mapping(ranges.get(figure)).get("70")
            )
            for figure in FIGURES
        ),
    )


def _compared(figure: str, estimated: Any, actual: Any, within: Any) -> FigureComparison:
    was = exact(figure, float(estimated)) if _is_number(estimated) else None
    took = exact(figure, float(actual)) if _is_number(actual) else None
    error = None
    if was is not None and took is not None and was > 0:
        error = 100.0 * (float(took) - float(was)) / float(was)
    inside = None
    if took is not None and isinstance(within, list) and len(within) == 2 and all(map(_is_number, within)):
        inside = within[0] <= float(took) <= within[1]
    return FigureComparison(figure, UNITS[figure], was, took, error, inside)


def _told(found: FigureComparison) -> str:
    assert found.estimated is not None
    estimated = shown(found.figure, found.estimated)
    if found.actual is None:
        return f"{NAMES[found.figure]} unknown, estimated {estimated}"
    error = "" if found.error_percent is None else f" ({found.error_percent:+.1f} %)"
    outside = ", outside of the 70 % range" if found.within_70 is False else ""
    return f"{shown(found.figure, found.actual)}, estimated {estimated}{error}{outside}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= GREATEST
