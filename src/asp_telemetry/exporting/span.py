"""Says which tables can be exported, and which of their times decides whether a row lies in a span of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from asp_telemetry.copying import TABLES, Table
from asp_telemetry.copying.database import Within
from asp_telemetry.errors import ConfigurationError

_TIMES: Final = (
    "timestamp",
    "started_at",
    "measured_at",
    "used_at",
    "rejected_at",
    "last_seen_at",
    "created_at",
)
# A task is known before it is started, and may never be.
_OTHERS: Final = {"task_metadata": "created_at"}


def _time(table: Table) -> str:
    return _OTHERS.get(table.name) or next(name for name in _TIMES if name in table.names)


EXPORTABLE: Final = {table.name: _time(table) for table in TABLES}
"""The tables that can be exported, each with the column that says when a row happened."""

_TABLES: Final = {table.name: table for table in TABLES}


@dataclass(frozen=True, kw_only=True)
class Span:
    """Be a span of time; without ends it is all of it.

    Attributes:
        since: The first moment that belongs to it, with a time zone.
        until: The first moment that no longer does, with a time zone.

    Example:
        >>> Span().of("agent_cost_vector") is None
        True
    """

    since: datetime | None = None
    until: datetime | None = None

    def of(self, table: str) -> Within | None:
        """Return what the rows of a table in this span have in common; None if all rows are meant."""
        if self.since is None and self.until is None:
            return None
        return Within(EXPORTABLE[table], self.since, self.until)


def chosen_tables(names: Sequence[str]) -> list[Table]:
    """Return tables by their names, all if none are named, in the order in which they are exported.

    Args:
        names: The names.

    Raises:
        ConfigurationError: If one of them is no table that can be exported.

    Example:
        >>> [table.name for table in chosen_tables(["defect_log"])]
        ['defect_log']
    """
    for name in names:
        if name not in _TABLES:
            raise ConfigurationError(
                f"there is no table {name!r} to export; choose among {', '.join(sorted(_TABLES))}"
            )
    return [table for name, table in _TABLES.items() if not names or name in names]
