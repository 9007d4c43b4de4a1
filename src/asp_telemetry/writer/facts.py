"""Turns facts that are no executions (tasks, defects, calls, ...) into columns; what they hold the database checks."""

from datetime import UTC, datetime
from typing import Any

import orjson

from asp_telemetry.clock import utc_text
from asp_telemetry.writer.definitions import ScopeFacts

_TASK_JSON = {
    "semantic_units": "semantic_units_json",
    "estimated_cost_vector": "estimated_cost_vector_json",
    "human_corrections": "human_corrections_json",
    "components_affected": "components_affected",
}
_TASK_PLAIN = (
    "task_id", "project_id", "user_id", "task_type", "task_description", "requirements_text", "estimated_complexity",
    "actual_complexity", "bootstrap_phase", "human_reviewed", "status",
)  # fmt: skip
_DEFECT_PLAIN = (
    "defect_id", "task_id", "project_id", "user_id", "defect_type", "severity", "phase_injected", "phase_removed",
    "component_path", "function_name", "line_number", "description", "root_cause", "resolution_notes",
    "flagged_by_agent", "validated_by_human", "false_positive",
)  # fmt: skip
_BOOTSTRAP_PLAIN = (
    "capability_name", "capability_mode", "tasks_completed", "tasks_required_for_graduation", "primary_metric_name",
    "primary_metric_value", "primary_metric_target", "metric_direction", "graduation_criteria_met", "graduation_notes",
)  # fmt: skip

_ENDPOINT_PLAIN = (
    "id", "hook_execution_id", "service_name", "endpoint_path", "http_method", "response_status", "success", "error_message", "error_type",
    "retry_count",
)  # fmt: skip
_HOOK_PLAIN = (
    "id",
    "parent_id",
    "hook_type",
    "tool_name",
    "hook_script",
    "status",
    "success",
    "error_message",
)
_HOOK_JSON = (
    "intelligence_functions_executed", "rag_queries_executed", "quality_gates_validated", "modifications_made", "context",
)  # fmt: skip

_TRANSFORMATION_PLAIN = (
    "id", "source_agent", "target_agent", "transformation_reason", "context_size_bytes", "user_request",
    "routing_confidence", "routing_strategy", "success", "error_message", "error_type", "quality_score",
    "agent_definition_id", "parent_event_id",
)  # fmt: skip


def task_columns(facts: dict[str, Any], scope: ScopeFacts, moment: str) -> dict[str, Any]:
    """Return the columns of a task: those that the facts name, and whose task it is.

    Args:
        facts: What was recorded, `task_id` among it.
        scope: The scope it was recorded in; project and user come from there where the facts do not say.
        moment: When it was recorded, UTC text.
    """
    columns = _plain(facts, _TASK_PLAIN)
    for name, column in _TASK_JSON.items():
        columns[column] = _json(facts.get(name))
    columns["metadata"] = _json(_stated(facts.get("metadata")))
    same_task = scope.task_id == facts["task_id"]
    columns["project_id"] = columns["project_id"] or (scope.project_id if same_task else None)
    columns["user_id"] = columns["user_id"] or (scope.user_id if same_task else None)
    columns["moment"] = moment
    return columns


def defect_columns(
    facts: dict[str, Any], scope: ScopeFacts, moment: str, execution: str | None, root: str | None
) -> dict[str, Any]:
    """Return the columns of a defect, or of what is later found out about one.

    Args:
        facts: What was recorded, `defect_id` among it.
        scope: The scope it was recorded in.
        moment: When it was recorded, UTC text.
        execution: The execution it was recorded in, if any.
        root: The trace of that execution: its task id, where no task was named.
    """
    columns = _plain(facts, _DEFECT_PLAIN)
    columns["task_id"] = columns["task_id"] or scope.task_id or root
    columns["project_id"] = columns["project_id"] or scope.project_id
    columns["user_id"] = scope.user_id
    columns["correlation_id"] = execution
    columns["effort_to_fix_json"] = _json(facts.get("effort_to_fix"))
    columns["metadata"] = _json(_stated(facts.get("metadata")))
    columns["moment"] = moment
    return columns


def bootstrap_columns(facts: dict[str, Any], moment: str) -> dict[str, Any]:
    """Return the columns of a bootstrap metric; a period that is not given is the moment itself."""
    columns = _plain(facts, _BOOTSTRAP_PLAIN)
    columns["measured_at"] = moment
    for name in ("measurement_period_start", "measurement_period_end"):
        columns[name] = _utc(facts[name]) if name in facts else moment
    columns["secondary_metrics_json"] = _json(facts.get("secondary_metrics_json"))
    columns["metadata"] = _json(facts.get("metadata"))
    return columns


def endpoint_columns(facts: dict[str, Any], execution: str | None, now: str) -> dict[str, Any]:
    """Return the columns of an endpoint call.

    Args:
        facts: What was recorded, `id` among it.
        execution: The execution that called or was called, if any; else the call stands for itself.
        now: When the row is written, UTC text.
    """
    columns = _plain(facts, _ENDPOINT_PLAIN)
    columns["correlation_id"] = execution or facts["id"]
    columns["started_at"], columns["completed_at"], columns["duration_ms"] = _times(facts)
    columns["created_at"] = now
    for name in ("request_body", "response_body", "headers", "context"):
        columns[name] = _json(facts.get(name))
    return columns


def transformation_columns(
    facts: dict[str, Any], scope: ScopeFacts, execution: str | None, root: str | None
) -> dict[str, Any]:
    """Return the columns of a transformation.

    Args:
        facts: What was recorded, `id` among it.
        scope: The scope it was recorded in.
        execution: The execution in which it happened, if any; else the event stands for itself.
        root: The trace of that execution: its session, where none was named.
    """
    columns = _plain(facts, _TRANSFORMATION_PLAIN)
    columns["event_type"] = f"transformation_{'complete' if facts['success'] else 'failed'}"
    columns["correlation_id"] = execution or facts["id"]
    columns["session_id"] = scope.session_id or root or facts["id"]
    columns["started_at"], columns["completed_at"], columns["total_execution_duration_ms"] = _times(facts)
    for name in ("transformation", "initialization"):
        spent = facts.get(f"{name}_ns")
        columns[f"{name}_duration_ms"] = None if spent is None else _milliseconds(spent)
    for name in ("context_snapshot", "context_keys"):
        columns[name] = _json(facts.get(name))
    return columns


def hook_columns(facts: dict[str, Any], execution: str | None, now: str) -> dict[str, Any]:
    """Return the columns of a hook.

    Args:
        facts: What was recorded, `id` among it.
        execution: The execution that it ran around, if any; else the hook stands for itself.
        now: When the row is written, UTC text.
    """
    columns = _plain(facts, _HOOK_PLAIN)
    columns["execution_id"] = facts["id"]
    columns["correlation_id"] = execution or facts["id"]
    columns["started_at"], columns["completed_at"], columns["duration_ms"] = _times(facts)
    columns["created_at"] = now
    for name in _HOOK_JSON:
        columns[name] = _json(facts.get(name))
    return columns


def _times(facts: dict[str, Any]) -> tuple[str, str, str]:
    started, duration = facts["started_ns"], facts["duration_ns"]
    return utc_text(started), utc_text(started + duration), _milliseconds(duration)


def _milliseconds(nanoseconds: int) -> str:
    return f"{nanoseconds // 1_000_000}.{nanoseconds % 1_000_000:06d}"


def _plain(facts: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    columns = {name: facts.get(name) for name in names}
    return {name: int(value) if isinstance(value, bool) else value for name, value in columns.items()}


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _stated(value: Any) -> Any:
    """Leave out what is None inside metadata: merged into what is known, it would erase it."""
    if not isinstance(value, dict):
        return value
    return {name: _stated(item) for name, item in value.items() if item is not None}


def _utc(text: str) -> str:
    moment = datetime.fromisoformat(text)
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.strftime("%Y-%m-%d %H:%M:%S.%f")
