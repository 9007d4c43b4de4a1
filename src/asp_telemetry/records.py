"""Holds the vocabulary: one frozen model per table row, with the fields in the order of the table's columns.

The models stand at the borders (what a command reads, what a test expects, what an old database brings in). The writer
does not pass through them: a model per written row would cost more than the rest of the pipeline together.

Longer than most files because it is the one place that names every table and every column.
"""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

Text20 = Annotated[str, StringConstraints(max_length=20)]
Text50 = Annotated[str, StringConstraints(max_length=50)]
Text100 = Annotated[str, StringConstraints(max_length=100)]
Text200 = Annotated[str, StringConstraints(max_length=200)]
Int32 = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
BigCount = Annotated[int, Field(ge=0, lt=2**63)]

Phase = Literal["Learning", "Shadow", "Autonomous"]
TaskStatus = Literal["pending", "in_progress", "completed", "failed"]
ExecutionStatus = Literal["in_progress", "success", "error", "timeout", "cancelled", "abandoned"]
ExecutionKind = Literal[
    "task",
    "agent",
    "generation",
    "tool",
    "chain",
    "retriever",
    "evaluator",
    "guardrail",
    "embedding",
    "span",
]
Severity = Literal["Critical", "High", "Medium", "Low"]
MetricDirection = Literal["lower_is_better", "higher_is_better"]


def _database_time(value: object) -> object:
    """Take text without an offset for UTC, which is what the database keeps; naive datetimes stay refused."""
    if isinstance(value, str) and (parsed := datetime.fromisoformat(value)).tzinfo is None:
        return parsed.replace(tzinfo=UTC)
    return value


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _parsed_json(value: object) -> object:
    """Parse column text; JSON has no NaN, and neither PostgreSQL nor SQLite would accept one."""
    if isinstance(value, str | bytes):
        try:
            return json.loads(value, parse_constant=_refuse_constant)
        except RecursionError as error:
            raise ValueError("it is nested too deeply; store it flatter, or as text") from error
    return value


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON; store null or text instead")


def _rounded(places: int) -> AfterValidator:
    """Round as PostgreSQL's NUMERIC does: to its scale, halves away from zero."""
    step = Decimal(1).scaleb(-places)

    def quantized(value: Decimal) -> Decimal:
        return value.quantize(step, rounding=ROUND_HALF_UP)

    return AfterValidator(quantized)


Timestamp = Annotated[AwareDatetime, BeforeValidator(_database_time), AfterValidator(_utc)]
Json = Annotated[JsonValue, BeforeValidator(_parsed_json)]
TextList = Annotated[tuple[str, ...], BeforeValidator(_parsed_json)]
MetricValue = Annotated[Decimal, Field(ge=0, lt=Decimal("1e14")), _rounded(10)]
Milliseconds = Annotated[Decimal, Field(ge=0, lt=Decimal("1e15")), _rounded(3)]
Density = Annotated[Decimal, Field(gt=Decimal("-1e5"), lt=Decimal("1e5")), _rounded(3)]
CapabilityValue = Annotated[Decimal, Field(gt=Decimal("-1e6"), lt=Decimal("1e6")), _rounded(4)]


class Record(BaseModel):
    """Be the base of all rows: frozen, closed to unknown fields, and aware of its table.

    Example:
        >>> TaskMetadata.table, TaskMetadata.columns()[0]
        ('task_metadata', 'task_id')
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    table: ClassVar[str]
    generated: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """Return the names of the table's columns that can be written, in the table's order.

        Returns:
            Every field but those that the database generates by itself.

        Example:
            >>> "execution_date" in AgentCostVector.columns()
            False
        """
        return tuple(name for name in cls.model_fields if name not in cls.generated)


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


class ExecutionTrace(Record):
    """Describe one execution: an agent, a model call, a tool, a whole prompt.

    Example:
        >>> root = "019bc0de-0000-7000-8000-000000000001"
        >>> ExecutionTrace(correlation_id=root, root_id=root, session_id=root, source="user_prompt", name="plan",
        ...                started_at="2026-01-15 09:00:00", created_at="2026-01-15 09:00:00",
        ...                updated_at="2026-01-15 09:00:00").status
        'in_progress'
    """

    table: ClassVar[str] = "execution_traces"

    correlation_id: UUID
    root_id: UUID
    parent_id: UUID | None = None
    session_id: str
    user_id: str | None = None
    environment: str | None = None
    release: str | None = None
    agent_iteration: Int32 | None = None
    subtask_id: str | None = None
    source: str
    prompt_text: str | None = None
    kind: ExecutionKind | None = None
    name: str
    agent_role: str | None = None
    task_id: str | None = None
    started_at: Timestamp
    completed_at: Timestamp | None = None
    duration_ms: Milliseconds | None = None
    status: ExecutionStatus = "in_progress"
    success: bool | None = None
    error_message: str | None = None
    error_type: str | None = None
    context: Json | None = None
    tags: TextList | None = None
    usage: Json | None = None
    input: Json | None = None
    output: Json | None = None
    created_at: Timestamp
    updated_at: Timestamp


class SchemaMigration(Record):
    """Say which migration was applied, when, from which text.

    Example:
        >>> SchemaMigration(version=1, name="spine", checksum="0" * 64, applied_at="2026-01-15 09:00:00",
        ...                 duration_ms=4).version
        1
    """

    table: ClassVar[str] = "schema_migrations"

    version: BigCount
    name: str
    checksum: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    applied_at: Timestamp
    duration_ms: Milliseconds


class DatabaseIdentity(Record):
    """Say who a database is, so that a journal never lands in another one.

    Example:
        >>> DatabaseIdentity(id="019bc0de-0000-7000-8000-000000000001", created_at="2026-01-15 09:00:00").id.version
        7
    """

    table: ClassVar[str] = "database_identity"

    id: UUID
    created_at: Timestamp


class JournalCheckpoint(Record):
    """Say how far one journal lane has been stored, and what became of its records.

    Example:
        >>> JournalCheckpoint(journal_id="lane-1", position=4096, updated_at="2026-01-15 09:00:00").dropped
        0
    """

    table: ClassVar[str] = "journal_checkpoints"

    journal_id: str
    position: BigCount
    stored: BigCount = 0
    rejected: BigCount = 0
    dropped: BigCount = 0
    drop_reasons: Annotated[Mapping[str, int], BeforeValidator(_parsed_json)] | None = None
    updated_at: Timestamp


class RejectedRecord(Record):
    """Keep what the database refused, and why.

    Example:
        >>> RejectedRecord(journal_id="lane-1", sequence=7, record={"name": "plan"}, reason="status is unknown",
        ...                rejected_at="2026-01-15 09:00:00").sequence
        7
    """

    table: ClassVar[str] = "rejected_records"

    id: Int64 | None = None
    journal_id: str
    sequence: Int64
    record: Json
    reason: str
    rejected_at: Timestamp


RECORDS: tuple[type[Record], ...] = (
    TaskMetadata,
    AgentCostVector,
    DefectLog,
    BootstrapMetrics,
    ExecutionTrace,
    SchemaMigration,
    DatabaseIdentity,
    JournalCheckpoint,
    RejectedRecord,
)
