"""Holds the records of work and what it cost: tasks, cost vector, defects, bootstrap metrics."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field, model_validator

from asp_telemetry.records.base import (
    CapabilityValue,
    Count,
    Density,
    Int32,
    Int64,
    Json,
    MetricDirection,
    MetricValue,
    Phase,
    Record,
    Severity,
    TaskStatus,
    Text20,
    Text50,
    Text100,
    Text200,
    TextList,
    Timestamp,
)


class TaskMetadata(Record):
    """Describe one unit of work: what was asked, what was estimated, what it took.

    Example:
        >>> TaskMetadata(task_id="TASK-001", created_at="2026-01-15 09:00:00", updated_at="2026-01-15 09:00:00").status
        'pending'
    """

    table: ClassVar[str] = "task_metadata"

    task_id: Text100
    created_at: Timestamp
    started_at: Timestamp | None = None
    completed_at: Timestamp | None = None
    project_id: Text100 | None = None
    task_type: Text50 | None = None
    task_description: str | None = None
    requirements_text: str | None = None
    semantic_units_json: Json | None = None
    estimated_complexity: Int32 | None = None
    actual_complexity: Int32 | None = None
    estimated_cost_vector_json: Json | None = None
    actual_cost_vector_json: Json | None = None
    defect_count: Int32 | None = 0
    defect_density: Density | None = None
    components_affected: TextList | None = None
    bootstrap_phase: Phase | None = None
    human_reviewed: bool | None = False
    human_corrections_json: Json | None = None
    status: TaskStatus = "pending"
    metadata: Json | None = None
    user_id: Text100 | None = None
    updated_at: Timestamp


class AgentCostVector(Record):
    """Hold one metric of one execution; rows add up without ever counting twice.

    Example:
        >>> AgentCostVector(timestamp="2026-01-15 09:00:00", task_id="TASK-001", agent_role="Planning",
        ...                 metric_type="API_Cost", metric_value="0.00003", metric_unit="USD").metric_value
        Decimal('0.0000300000')
    """

    table: ClassVar[str] = "agent_cost_vector"
    generated: ClassVar[frozenset[str]] = frozenset({"execution_date"})

    id: Int64 | None = None
    timestamp: Timestamp
    execution_date: date | None = None
    task_id: Text100
    subtask_id: Text100 | None = None
    project_id: Text100 | None = None
    user_id: Text100 | None = None
    correlation_id: UUID | None = None
    agent_role: Text50
    agent_version: Text20 | None = None
    agent_iteration: Int32 | None = 1
    metric_type: Text50
    metric_value: MetricValue
    metric_unit: Text20
    nested: bool = False
    llm_model: Text100 | None = None
    llm_provider: Text50 | None = None
    metadata: Json | None = None


class DefectLog(Record):
    """Describe one defect: where it was put in, where it was taken out, what the fix took.

    Example:
        >>> DefectLog(defect_id="D-001", created_at="2026-01-15 09:00:00", task_id="TASK-001",
        ...           defect_type="6_Conventional_Code_Bug", phase_injected="Code", phase_removed="Test",
        ...           description="off by one").false_positive
        False
    """

    table: ClassVar[str] = "defect_log"

    defect_id: Text50
    created_at: Timestamp
    resolved_at: Timestamp | None = None
    task_id: Text100
    project_id: Text100 | None = None
    user_id: Text100 | None = None
    correlation_id: UUID | None = None
    defect_type: Text50
    severity: Severity | None = None
    phase_injected: Text50
    phase_removed: Text50
    component_path: str | None = None
    function_name: Text200 | None = None
    line_number: Int32 | None = None
    effort_to_fix_json: Json | None = None
    description: str
    root_cause: str | None = None
    resolution_notes: str | None = None
    flagged_by_agent: bool | None = False
    validated_by_human: bool | None = False
    false_positive: bool | None = False
    metadata: Json | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "DefectLog":
        if self.phase_injected == self.phase_removed:
            raise ValueError(
                f"phase_removed {self.phase_removed!r} is also phase_injected; name the later phase that removed it"
            )
        if self.resolved_at is not None and self.resolved_at < self.created_at:
            raise ValueError(f"resolved_at {self.resolved_at} lies before created_at {self.created_at}")
        return self


class BootstrapMetrics(Record):
    """Say how far a capability has learned, and in which direction its metric improves.

    Example:
        >>> BootstrapMetrics(measured_at="2026-01-15 10:00:00", measurement_period_start="2026-01-01 00:00:00",
        ...     measurement_period_end="2026-01-15 00:00:00", capability_name="PROBE_AI", capability_mode="Shadow",
        ...     tasks_completed=15, tasks_required_for_graduation=20, primary_metric_name="MAPE",
        ...     primary_metric_value=18.2, primary_metric_target=20,
        ...     metric_direction="lower_is_better").primary_metric_value
        Decimal('18.2000')
    """

    table: ClassVar[str] = "bootstrap_metrics"

    id: Int64 | None = None
    measured_at: Timestamp
    measurement_period_start: Timestamp
    measurement_period_end: Timestamp
    capability_name: Text50
    capability_mode: Phase
    tasks_completed: Count
    tasks_required_for_graduation: Annotated[int, Field(ge=1, lt=2**31)]
    primary_metric_name: Text50
    primary_metric_value: CapabilityValue
    primary_metric_target: CapabilityValue
    metric_direction: MetricDirection
    secondary_metrics_json: Json | None = None
    graduation_criteria_met: bool | None = False
    graduation_notes: str | None = None
    metadata: Json | None = None
