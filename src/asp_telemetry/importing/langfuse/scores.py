"""Turns scores that our own mirror has written back into defects and bootstrap metrics."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from asp_telemetry.importing.item import Item
from asp_telemetry.sinks.langfuse_names import TRANSFORMATION_QUALITY
from asp_telemetry.writer.batch import Change

if TYPE_CHECKING:
    from langfuse.api.scores import ScoreV3

_DEFECT: Final = (
    "defect_id", "task_id", "project_id", "user_id", "correlation_id", "defect_type", "severity", "phase_injected",
    "phase_removed", "component_path", "function_name", "line_number", "effort_to_fix_json", "description",
    "root_cause", "resolution_notes", "flagged_by_agent", "validated_by_human", "false_positive", "metadata",
)  # fmt: skip
_BOOTSTRAP: Final = (
    "measured_at", "measurement_period_start", "measurement_period_end", "capability_name", "capability_mode",
    "tasks_completed", "tasks_required_for_graduation", "primary_metric_name", "primary_metric_value",
    "primary_metric_target", "metric_direction", "secondary_metrics_json", "graduation_criteria_met",
    "graduation_notes", "metadata",
)  # fmt: skip
_JSON: Final = frozenset({"effort_to_fix_json", "secondary_metrics_json", "metadata"})


def score_items(score: "ScoreV3") -> list[Item] | None:
    """Return what a score becomes.

    Args:
        score: The score, with its details.

    Returns:
        A defect, and what became of it; or a bootstrap metric; nothing for a transformation, of which a score tells the
        quality alone. None if it is not of our mirror.

    Raises:
        KeyError: If a part of its metadata is missing; so ValueError and TypeError, if one cannot be read.
    """
    columns = score.metadata or {}
    origin = f"score {score.id}"
    if "defect_id" in columns and "phase_injected" in columns:
        return _defect(columns, origin)
    if "capability_name" in columns and "primary_metric_name" in columns:
        return [Item(Change.BOOTSTRAP, _facts(columns, _BOOTSTRAP), origin)]
    return [] if score.name == TRANSFORMATION_QUALITY and "target_agent" in columns else None


def _defect(columns: Mapping[str, Any], origin: str) -> list[Item]:
    facts = _facts(columns, _DEFECT)
    made = Item(Change.DEFECT, {**facts, "moment": columns["created_at"]}, origin, task_id=facts["task_id"])
    if columns.get("resolved_at") is None:
        return [made]
    return [
        made,
        Item(
            Change.RESOLVE_DEFECT,
            {**facts, "moment": columns["resolved_at"]},
            origin,
            task_id=facts["task_id"],
        ),
    ]


def _facts(columns: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name in names:
        value = columns.get(name)
        if name in _JSON and value is not None and not isinstance(value, str):
            value = orjson.dumps(value).decode()
        facts[name] = int(value) if isinstance(value, bool) else value
    return facts
