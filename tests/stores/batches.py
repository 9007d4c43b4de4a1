"""Makes batches as a drainer would hand them to a store."""

from itertools import count
from typing import Any

import anyio

from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.ids import execution_uuid
from asp_telemetry.writer.batch import (
    METRIC_COLUMNS,
    TRACE_COLUMNS,
    Batch,
    Change,
    Checkpoint,
    Entry,
    Move,
    Rejection,
)

_numbers = count(1)
MOMENT = "2026-11-20 10:00:00.000001"
LATER = "2026-11-20 11:00:00.000002"
LATEST = "2026-11-20 12:00:00.000003"


def new_id() -> str:
    """Make the id of an execution that no other test has."""
    return execution_uuid(0xABCDEF, next(_numbers))


def trace(**values: Any) -> tuple[Any, ...]:
    """Make the row of an execution: a successful agent, but for what is said."""
    correlation_id = values.get("correlation_id") or new_id()
    row = {
        **dict.fromkeys(TRACE_COLUMNS), "correlation_id": correlation_id, "root_id": correlation_id,
        "session_id": correlation_id, "agent_iteration": 1, "source": "user_prompt", "kind": "agent", "name": "plan",
        "agent_role": "Planning", "task_id": correlation_id, "started_at": MOMENT, "completed_at": LATER,
        "duration_ms": "1.234567", "status": "success", "success": 1, "created_at": MOMENT, "updated_at": LATER,
        **values,
    }  # fmt: skip
    return tuple(row[name] for name in TRACE_COLUMNS)


def open_trace(journal_id: str, **values: Any) -> tuple[Any, ...]:
    """Make the row of an execution that has not ended."""
    return trace(
        **{
            "completed_at": None, "duration_ms": None, "status": "in_progress", "success": None, "updated_at": MOMENT,
            "context": f'{{"journal_id":"{journal_id}"}}', **values,
        }
    )  # fmt: skip


def metric(
    metric_type: str = "API_Cost", value: str = "0.5", unit: str = "USD", **values: Any
) -> tuple[Any, ...]:
    """Make the row of a metric."""
    row = {
        **dict.fromkeys(METRIC_COLUMNS), "timestamp": MOMENT, "task_id": "T-1", "correlation_id": new_id(),
        "agent_role": "Planning", "agent_iteration": 1, "metric_type": metric_type, "metric_value": value,
        "metric_unit": unit, "nested": 0, **values,
    }  # fmt: skip
    return tuple(row[name] for name in METRIC_COLUMNS)


def task(task_id: str, moment: str = MOMENT, **values: Any) -> dict[str, Any]:
    """Make the facts of a task."""
    names = (
        "task_id", "project_id", "user_id", "task_type", "task_description", "requirements_text", "semantic_units_json",
        "estimated_complexity", "actual_complexity", "estimated_cost_vector_json", "components_affected",
        "bootstrap_phase", "human_reviewed", "human_corrections_json", "status", "metadata",
    )  # fmt: skip
    return {**dict.fromkeys(names), "task_id": task_id, "moment": moment, **values}


def defect(defect_id: str, moment: str = MOMENT, **values: Any) -> dict[str, Any]:
    """Make the facts of a defect, or of what was found out about one."""
    names = (
        "defect_id", "task_id", "project_id", "user_id", "correlation_id", "defect_type", "severity", "phase_injected",
        "phase_removed", "component_path", "function_name", "line_number", "effort_to_fix_json", "description",
        "root_cause", "resolution_notes", "flagged_by_agent", "validated_by_human", "false_positive", "metadata",
    )  # fmt: skip
    return {**dict.fromkeys(names), "defect_id": defect_id, "moment": moment, **values}


def logged(defect_id: str, moment: str = MOMENT, **values: Any) -> dict[str, Any]:
    """Make the facts of a defect that has all it needs."""
    return defect(
        defect_id, moment,
        **{"task_id": "T-1", "defect_type": "4_Hallucination", "phase_injected": "Code", "phase_removed": "Test",
           "description": "invented a function", **values},
    )  # fmt: skip


def bootstrap(**values: Any) -> dict[str, Any]:
    """Make the facts of a bootstrap metric."""
    return {
        "capability_name": "PROBE_AI", "capability_mode": "Shadow", "tasks_completed": 15,
        "tasks_required_for_graduation": 20, "primary_metric_name": "MAPE", "primary_metric_value": 18.2,
        "primary_metric_target": 20.0, "metric_direction": "lower_is_better", "graduation_criteria_met": None,
        "graduation_notes": None, "measured_at": MOMENT, "measurement_period_start": MOMENT,
        "measurement_period_end": LATER, "secondary_metrics_json": None, "metadata": None, **values,
    }  # fmt: skip


class Lane:
    """Be a lane of a journal: number its records, and know how far it has come.

    Args:
        journal_id: The journal's id.
        number: The lane's number.
    """

    def __init__(self, journal_id: str = "", number: int = 0) -> None:
        self.journal_id = journal_id or f"journal{next(_numbers):06d}"
        self.key = f"{self.journal_id}/{number}"
        self.position = 0
        self.stored = 0
        self.rejected = 0
        self._sequence = count(1)
        self._end = 0

    def entry(self, change: Change, row: Any, **values: Any) -> Entry:
        """Make the entry of the lane's next record."""
        self._end += 100
        return Entry(self.key, next(self._sequence), self._end, change, row, **values)

    def insert(self, *metrics: tuple[Any, ...], row: tuple[Any, ...] | None = None, **values: Any) -> Entry:
        """Make the entry of a short execution with its metrics."""
        return self.entry(Change.INSERT_TRACE, row or trace(), metrics=metrics, **values)

    def run(self, task_id: str, *metrics: tuple[Any, ...], **values: Any) -> Entry:
        """Make the entry of an execution of a task that has ended."""
        row = trace(kind="task", name=task_id, task_id=task_id, **values)
        return self.entry(Change.FINISH_TRACE, row, metrics=metrics, task_id=task_id, task_run=True)

    def task(self, task_id: str, moment: str = MOMENT, **values: Any) -> Entry:
        """Make the entry of facts about a task."""
        return self.entry(Change.TASK, task(task_id, moment, **values), task_id=task_id)

    def batch(self, *entries: Entry, rejections: tuple[Rejection, ...] = (), **dropped: int) -> Batch:
        """Make the batch that commits entries and moves the lane behind them."""
        after = Checkpoint(
            max([self._end, self.position + 1]),
            self.stored + len(entries),
            self.rejected + len(rejections),
            dict(dropped),
        )
        return Batch(list(entries), [Move(self.key, self.position, after)], list(rejections))

    def moved(self, batch: Batch) -> None:
        """Remember that a batch was committed."""
        after = batch.moves[0].after
        self.position, self.stored, self.rejected = after.position, after.stored, after.rejected


async def commit(store: Any, lane: Lane, *entries: Entry, **values: Any) -> Batch:
    """Commit entries of a lane, and move it."""
    batch = lane.batch(*entries, **values)
    await store.write(batch)
    lane.moved(batch)
    return batch


async def open_patiently(store: Any) -> None:
    """Open a store, again where others are making the database at the same moment."""
    for _ in range(100):
        try:
            await store.open()
        except StoreUnavailableError:
            await anyio.sleep(0.05)
        else:
            return
    raise AssertionError("the store could not be opened")


async def write_patiently(store: Any, lane: Lane, entries: list[Entry]) -> None:
    """Commit entries, again where others keep an SQLite file for longer than it waits; a deadlock is a failure."""
    batch = lane.batch(*entries)
    for _ in range(100):
        try:
            await store.write(batch)
        except StoreUnavailableError as error:
            if "database is locked" not in str(error):
                raise
            await anyio.sleep(0.01)
        else:
            lane.moved(batch)
            return
    raise AssertionError("the database stayed locked")
