"""Says what all records have in common: frozen, closed, aware of their table; and the types of their columns.

The models stand at the borders (what a command reads, what a test expects, what an old database brings in). The writer
does not pass through them: a model per written row would cost more than the rest of the pipeline together.
"""

import json
from datetime import UTC, datetime
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
)

Text20 = Annotated[str, StringConstraints(max_length=20)]
Text50 = Annotated[str, StringConstraints(max_length=50)]
Text100 = Annotated[str, StringConstraints(max_length=100)]
Text64 = Annotated[str, StringConstraints(max_length=64)]
Text200 = Annotated[str, StringConstraints(max_length=200)]
Text255 = Annotated[str, StringConstraints(max_length=255)]
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
ErrorSeverity = Literal["critical", "high", "medium", "low"]
DefinitionStatus = Literal["active", "deprecated", "testing"]
MetricDirection = Literal["lower_is_better", "higher_is_better"]


def _database_time(value: object) -> object:
    """Take text without an offset for UTC, which is what the database keeps; naive datetimes stay refused."""
    if isinstance(value, str) and (parsed := datetime.fromisoformat(value)).tzinfo is None:
        return parsed.replace(tzinfo=UTC)
    return value


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def parsed_json(value: object) -> object:
    """Parse column text; JSON has no NaN, and neither PostgreSQL nor SQLite would accept one."""
    if isinstance(value, str | bytes):
        try:
            return json.loads(value, parse_constant=_refuse_constant)
        except RecursionError as error:
            raise ValueError("it is nested too deeply; store it flatter, or as text") from error
    return value


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON; store null or text instead")


def rounded(places: int) -> AfterValidator:
    """Round as PostgreSQL's NUMERIC does: to its scale, halves away from zero."""
    step = Decimal(1).scaleb(-places)

    def quantized(value: Decimal) -> Decimal:
        return value.quantize(step, rounding=ROUND_HALF_UP)

    return AfterValidator(quantized)


Timestamp = Annotated[AwareDatetime, BeforeValidator(_database_time), AfterValidator(_utc)]
Json = Annotated[JsonValue, BeforeValidator(parsed_json)]
TextList = Annotated[tuple[str, ...], BeforeValidator(parsed_json)]
UuidList = Annotated[tuple[UUID, ...], BeforeValidator(parsed_json)]
Embedding = Annotated[tuple[float, ...], BeforeValidator(parsed_json)]
MetricValue = Annotated[Decimal, Field(ge=0, lt=Decimal("1e14")), rounded(10)]
Milliseconds = Annotated[Decimal, Field(ge=0, lt=Decimal("1e15")), rounded(6)]
Density = Annotated[Decimal, Field(gt=Decimal("-1e5"), lt=Decimal("1e5")), rounded(3)]
CapabilityValue = Annotated[Decimal, Field(gt=Decimal("-1e6"), lt=Decimal("1e6")), rounded(4)]
Score = Annotated[Decimal, Field(ge=0, le=1), rounded(4)]
Average = Annotated[Decimal, Field(ge=0, lt=Decimal("1e6")), rounded(4)]


class Record(BaseModel):
    """Be the base of all rows: frozen, closed to unknown fields, and aware of its table.

    Example:
        >>> from asp_telemetry.records import TaskMetadata
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
            >>> from asp_telemetry.records import AgentCostVector
            >>> "execution_date" in AgentCostVector.columns()
            False
        """
        return tuple(name for name in cls.model_fields if name not in cls.generated)
