"""Says what kind of value each copied column holds, as the records declare it: the same for both databases."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import AwareDatetime, JsonValue, TypeAdapter
from pydantic.fields import FieldInfo

from asp_telemetry.records import (
    FACTS,
    AgentDefinition,
    DatabaseIdentity,
    ExecutionTraceArchive,
    JournalCheckpoint,
    Record,
    RejectedRecord,
    SuccessPattern,
    TaskMetadata,
)


class Kind(Enum):
    """Be what a column holds; as text it is written the same way whichever database it comes from."""

    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    NUMERIC = "numeric"
    TIMESTAMP = "timestamp"
    UUID = "uuid"
    JSON = "json"
    TEXTS = "array of text"
    UUIDS = "array of uuid"
    FLOATS = "array of float"


@dataclass(frozen=True)
class Column:
    """Be one column: its name, what it holds, and how many decimals it keeps if it is a numeric."""

    name: str
    kind: Kind
    scale: int = 0


@dataclass(frozen=True)
class Table:
    """Be one table with the columns that can be written; the first one is its key."""

    name: str
    columns: tuple[Column, ...]

    @property
    def key(self) -> Column:
        """Return the column that names a row."""
        return self.columns[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def selected(self) -> str:
        """Return the names of the columns as SQL."""
        return ", ".join(f'"{name}"' for name in self.names)


def table_of(record: type[Record]) -> Table:
    """Work out the columns of a record's table.

    Args:
        record: The model of its rows.

    Returns:
        The table; columns that the database generates are left out.

    Example:
        >>> from asp_telemetry.records import AgentCostVector
        >>> next(column for column in table_of(AgentCostVector).columns if column.name == "metric_value")
        Column(name='metric_value', kind=<Kind.NUMERIC: 'numeric'>, scale=10)
    """
    columns = (_column(name, record.model_fields[name]) for name in record.columns())
    return Table(record.table, tuple(columns))


_KINDS: dict[Any, Kind] = {
    str: Kind.TEXT, Literal: Kind.TEXT, int: Kind.INTEGER, bool: Kind.BOOLEAN, Decimal: Kind.NUMERIC,
    AwareDatetime: Kind.TIMESTAMP, UUID: Kind.UUID, JsonValue: Kind.JSON, Mapping: Kind.JSON,
    tuple[str, ...]: Kind.TEXTS, tuple[UUID, ...]: Kind.UUIDS, tuple[float, ...]: Kind.FLOATS,
}  # fmt: skip


def _column(name: str, field: FieldInfo) -> Column:
    declared = _bare(field.annotation)
    kind = _KINDS.get(declared) or _KINDS[get_origin(declared)]
    if kind is not Kind.NUMERIC:
        return Column(name, kind)
    # The models round to the scale of the column: what they make of zero shows it.
    model: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
    return Column(name, kind, -model.validate_python(Decimal(0)).as_tuple().exponent)


def _bare(annotation: Any) -> Any:
    """Return the type without `| None` and without what pydantic adds to it."""
    while get_origin(annotation) in (Union, UnionType, Annotated):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    return annotation


# Parents go first, for databases that check foreign keys.
_FIRST: tuple[type[Record], ...] = (TaskMetadata, SuccessPattern, AgentDefinition)
_REST = (record for record in FACTS if record not in _FIRST)
_ORDER: tuple[type[Record], ...] = (*_FIRST, *_REST, ExecutionTraceArchive, RejectedRecord)

TABLES: tuple[Table, ...] = tuple(map(table_of, _ORDER))
"""The tables that are copied row by row: what was recorded and learned, the archive, what was refused."""

CHECKPOINTS = table_of(JournalCheckpoint)
"""How far each journal has been stored; carried in one piece when all rows are there."""

IDENTITY = table_of(DatabaseIdentity)
"""Who the database is; carried together with the checkpoints."""
