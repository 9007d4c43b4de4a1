"""What a drainer hands to a sink: rows in the order of their records, and how far that moves each lane."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

Row = tuple[Any, ...]

TRACE_COLUMNS = (
    "correlation_id", "root_id", "parent_id", "session_id", "user_id", "environment", "release", "agent_iteration",
    "subtask_id", "source", "kind", "name", "agent_role", "task_id", "started_at", "completed_at", "duration_ms",
    "status", "success", "error_message", "error_type", "context", "tags", "usage", "input", "output", "created_at",
    "updated_at", "prompt_text",
)  # fmt: skip

METRIC_COLUMNS = (
    "timestamp", "task_id", "subtask_id", "project_id", "user_id", "correlation_id", "agent_role", "agent_version",
    "agent_iteration", "metric_type", "metric_value", "metric_unit", "nested", "llm_model", "llm_provider", "metadata",
)  # fmt: skip


class Change(IntEnum):
    """Say what a record does to the database, in the order in which a batch is applied.

    INSERT_TRACE is an execution too short to have been seen open; FINISH_TRACE replaces an open or abandoned row. COSTS
    is one whose trace is left out by sampling: its metrics are written, its row is not. RECEIVE_TRACE is one that may have
    been written before, even from another journal: then neither its row nor its metrics are written again.
    """

    TASK = 1
    INSERT_TRACE = 2
    OPEN_TRACE = 3
    FINISH_TRACE = 4
    DEFECT = 5
    RESOLVE_DEFECT = 6
    BOOTSTRAP = 7
    COSTS = 8
    ENDPOINT = 9
    TRANSFORMATION = 10
    ROUTING = 11
    ROUTING_VALIDATION = 12
    HOOK = 13
    RECEIVE_TRACE = 14


class Entry(NamedTuple):
    """Hold what one record becomes.

    Attributes:
        lane: The lane's key, journal and number.
        sequence: The record's number in its lane.
        end: The lane's position behind it.
        change: What it does.
        row: The values: a row in the order of its table's columns for traces, a dict of columns for the rest, for a
            routing that of the decision and those of its metrics.
        metrics: Rows of `agent_cost_vector`.
        task_id: The named task whose figures it changes, if any.
        task_run: Whether it begins or ends an execution of that task.
        fixing: The defect whose fixing it belongs to, if any.
    """

    lane: str
    sequence: int
    end: int
    change: Change
    row: Any
    metrics: Sequence[Row] = ()
    task_id: str | None = None
    task_run: bool = False
    fixing: str | None = None


@dataclass
class Checkpoint:
    """State how far a lane has come: the position, and what became of the records before it.

    The figures are totals, not differences: whoever moves the position from where it was is alone in doing so.
    """

    position: int = 0
    stored: int = 0
    rejected: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    @property
    def dropped_total(self) -> int:
        """How many records were refused or lost."""
        return sum(self.dropped.values())

    @property
    def lost(self) -> int:
        """How many records could not be read."""
        return self.dropped.get("lost", 0)

    @property
    def passed(self) -> int:
        """How many of the lane's records the position has passed: each bears a stamp, those refused do not."""
        return self.stored + self.rejected + self.lost


def _always() -> bool:
    return True


class Move(NamedTuple):
    """Move the checkpoint of one lane, provided it still stands at `before`.

    Attributes:
        lane: The lane's key.
        before: Where it stood when the batch was read; 0 if it had no checkpoint.
        after: Where it is to stand, with its totals.
        is_there: Asked inside the transaction where a lane has no checkpoint: whether its journal still exists. One that
            does not was finished and forgotten by another drainer meanwhile.
    """

    lane: str
    before: int
    after: Checkpoint
    is_there: Callable[[], bool] = _always


class Rejection(NamedTuple):
    """Put aside a record that the database refuses, with the reason."""

    lane: str
    sequence: int
    record: str
    reason: str


@dataclass
class Batch:
    """Be the unit of one transaction: entries, rejections and moves are committed together or not at all."""

    entries: list[Entry]
    moves: list[Move]
    rejections: list[Rejection] = field(default_factory=list)
