"""One thing that an import has found: the row that it becomes, and how it is known again."""

from hashlib import sha256
from typing import Any, NamedTuple

from asp_telemetry.writer.batch import TRACE_COLUMNS, Change, Entry, Row

_CORRELATION_ID = TRACE_COLUMNS.index("correlation_id")
_NOUNS = {
    Change.INSERT_TRACE: "executions",
    Change.TASK: "tasks",
    Change.DEFECT: "defects",
    Change.RESOLVE_DEFECT: "defects resolved",
    Change.BOOTSTRAP: "bootstrap metrics",
}


class Item(NamedTuple):
    """Hold what one thing becomes, as `writer.batch.Entry` wants it.

    Attributes:
        change: INSERT_TRACE for an execution, TASK, DEFECT, RESOLVE_DEFECT or BOOTSTRAP.
        row: The values: a tuple in the order of `TRACE_COLUMNS` for an execution, the facts as a dict for the rest.
        origin: What it is called where it comes from, for people who look for it there.
        metrics: Rows of `agent_cost_vector`, in the order of `METRIC_COLUMNS`.
        task_id: The named task whose figures it changes, if any.
        task_run: Whether it is an execution of that task, so that the task's state follows from it.

    Example:
        >>> Item(Change.TASK, {"task_id": "T-1", "moment": "2026-01-15 09:00:00.000000"}, "trace 7").key
        'T-1'
    """

    change: Change
    row: Any
    origin: str
    metrics: tuple[Row, ...] = ()
    task_id: str | None = None
    task_run: bool = False

    @property
    def noun(self) -> str:
        """What several of its kind are called.

        Raises:
            ValueError: If nothing of its kind can be imported, because nobody could tell whether it is there already.
        """
        if self.change not in _NOUNS:
            raise ValueError(
                f"change has the value {self.change.name}, which an import cannot know again; "
                f"use one of {', '.join(change.name for change in _NOUNS)}"
            )
        return _NOUNS[self.change]

    @property
    def key(self) -> Any:
        """How it is known again: the id, or for bootstrap metrics capability, time and metric."""
        if self.change is Change.INSERT_TRACE:
            return self.row[_CORRELATION_ID]
        if self.change is Change.TASK:
            return self.row["task_id"]
        if self.change is Change.BOOTSTRAP:
            return self.row["capability_name"], self.row["measured_at"], self.row["primary_metric_name"]
        return self.row["defect_id"]

    @property
    def sequence(self) -> int:
        """Its number among refused records: the same each time, so that it is put aside but once."""
        return sequence_of(f"{self.change.name} {self.key}")

    def entry(self, lane: str, end: int) -> Entry:
        """Make what a store writes.

        Args:
            lane: The lane of the import.
            end: Where the import stands behind it.
        """
        return Entry(
            lane,
            self.sequence,
            end,
            self.change,
            self.row,
            metrics=self.metrics,
            task_id=self.task_id,
            task_run=self.task_run,
        )


def sequence_of(name: str) -> int:
    """Return the number that something of this name has among refused records, 0 <= number < 2**63.

    Example:
        >>> sequence_of("executions 1") == sequence_of("executions 1") != sequence_of("executions 2")
        True
    """
    return int.from_bytes(sha256(name.encode("utf-8", "replace")).digest()[:8], "big") >> 1
