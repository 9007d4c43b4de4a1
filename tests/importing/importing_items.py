"""Makes what an import might have found, without a place that it was found in."""

from itertools import count
from typing import Any

from asp_telemetry.ids import execution_uuid
from asp_telemetry.importing import Item
from asp_telemetry.writer.batch import METRIC_COLUMNS, TRACE_COLUMNS, Change

_numbers = count(1)
MOMENT, LATER = "2026-11-20 10:00:00.000001", "2026-11-20 11:00:00.000002"
_DEFECT = (
    "task_id", "project_id", "user_id", "correlation_id", "defect_type", "severity", "phase_injected", "phase_removed",
    "component_path", "function_name", "line_number", "effort_to_fix_json", "description", "root_cause",
    "resolution_notes", "flagged_by_agent", "validated_by_human", "false_positive", "metadata",
)  # fmt: skip
_TASK = (
    "project_id", "user_id", "task_type", "task_description", "requirements_text", "semantic_units_json",
    "estimated_complexity", "actual_complexity", "estimated_cost_vector_json", "components_affected",
    "bootstrap_phase", "human_reviewed", "human_corrections_json", "status", "metadata",
)  # fmt: skip


def an_execution(task_id: str | None = None, cost: str = "0.25", **values: Any) -> Item:
    """Make an execution that has cost something."""
    execution = execution_uuid(0xFACADE, next(_numbers))
    row = {
        **dict.fromkeys(TRACE_COLUMNS), "correlation_id": execution, "root_id": execution, "session_id": execution,
        "source": "user_prompt", "kind": "generation", "name": "ask", "task_id": task_id or execution,
        "started_at": MOMENT, "completed_at": LATER, "duration_ms": "3600000.001", "status": "success", "success": 1,
        "created_at": MOMENT, "updated_at": MOMENT, **values,
    }  # fmt: skip
    metric = {
        **dict.fromkeys(METRIC_COLUMNS), "timestamp": LATER, "task_id": row["task_id"],
        "correlation_id": row["correlation_id"], "agent_role": "Code", "metric_type": "API_Cost",
        "metric_value": cost, "metric_unit": "USD", "nested": 0,
    }  # fmt: skip
    return Item(
        Change.INSERT_TRACE,
        tuple(row[name] for name in TRACE_COLUMNS),
        f"observation {row['correlation_id']}",
        (tuple(metric[name] for name in METRIC_COLUMNS),),
        task_id,
        row["kind"] == "task" and task_id is not None,
    )


def a_task(task_id: str, **values: Any) -> Item:
    """Make the facts of a task."""
    return Item(
        Change.TASK,
        {**dict.fromkeys(_TASK), "task_id": task_id, "moment": MOMENT, **values},
        f"task {task_id}",
        task_id=task_id,
    )


def a_defect(defect_id: str, **values: Any) -> Item:
    """Make a defect."""
    facts = {
        **dict.fromkeys(_DEFECT), "defect_id": defect_id, "moment": MOMENT, "task_id": "T-1",
        "defect_type": "4_Hallucination", "phase_injected": "Code", "phase_removed": "Test", "description": "wrong",
        **values,
    }  # fmt: skip
    return Item(Change.DEFECT, facts, f"score {defect_id}", task_id=facts["task_id"])


def a_resolution(defect_id: str, **values: Any) -> Item:
    """Make what became of a defect."""
    facts = {**dict.fromkeys(_DEFECT), "defect_id": defect_id, "moment": LATER, **values}
    return Item(Change.RESOLVE_DEFECT, facts, f"score {defect_id}")


def a_bootstrap_metric(**values: Any) -> Item:
    """Make a bootstrap metric."""
    facts = {
        "capability_name": "PROBE_AI", "capability_mode": "Shadow", "tasks_completed": 15,
        "tasks_required_for_graduation": 20, "primary_metric_name": "MAPE", "primary_metric_value": "18.2",
        "primary_metric_target": "20", "metric_direction": "lower_is_better", "graduation_criteria_met": None,
        "graduation_notes": None, "measured_at": MOMENT, "measurement_period_start": MOMENT,
        "measurement_period_end": LATER, "secondary_metrics_json": None, "metadata": None, **values,
    }  # fmt: skip
    return Item(Change.BOOTSTRAP, facts, "score bootstrap")
