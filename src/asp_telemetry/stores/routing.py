"""Folds what a batch says of routing, so that one statement writes each metric once, in the order of their ids.

A decision and its validation are records of two threads, processes even, and may come in any order, or in one batch.
"""

from collections.abc import Iterable
from typing import Any

Facts = dict[str, Any]

VALIDATED = (
    "selection_validated", "actual_success", "actual_quality_score", "feedback_provided", "feedback_type",
    "feedback_details", "validated_at",
)  # fmt: skip
"""The columns of a validation; those of the newest one hold, all together."""


def router_metrics(
    routings: Iterable[tuple[Facts, list[Facts]]], validations: Iterable[Facts]
) -> list[Facts]:
    """Return a row for each router metric that a batch makes or validates.

    Args:
        routings: Decisions, each with its metrics.
        validations: What was found out about decisions, in this batch or in others.

    Returns:
        The rows by id: writers that meet on the same ones wait for each other, and never in a circle.

    Example:
        >>> from asp_telemetry.writer.routing import validation_row
        >>> rows = [validation_row({"id": "a", "actual_success": True}, moment) for moment in ("2026", "2025")]
        >>> [row["validated_at"] for row in router_metrics([], rows)]
        ['2026']
    """
    found = {metric["id"]: metric for _, metrics in routings for metric in metrics}
    for validation in sorted(validations, key=_moment):
        known = found.get(validation["id"], validation)
        found[validation["id"]] = {**known, **{name: validation[name] for name in VALIDATED}}
    return [found[key] for key in sorted(found)]


def _moment(validation: Facts) -> str:
    moment: str = validation["validated_at"]
    return moment
