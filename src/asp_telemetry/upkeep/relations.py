"""Says which rows belong to which: what `doctor` looks after, because no foreign key does."""

from typing import NamedTuple

from asp_telemetry.records import (
    AgentCostVector,
    AgentDefinition,
    AgentRoutingDecision,
    AgentTransformationEvent,
    DefectLog,
    EndpointCall,
    ExecutionTrace,
    ExecutionTraceArchive,
    HookExecution,
    PatternUsage,
    RouterPerformanceMetric,
    SuccessPattern,
    TaskMetadata,
)

# What runs outside of a task() names its root execution as its task, and has no row in task_metadata.
_ITS_ROOT = (
    " AND NOT EXISTS (SELECT 1 FROM {table} AS run WHERE run.correlation_id = child.correlation_id "
    "AND CAST(run.root_id AS text) = child.task_id)"
)
# Costs outlive the executions that `prune` has moved into a file.
_NOT_OUTLIVED = (
    " AND (child.{made_at} >= (SELECT min(started_at) FROM {table}) OR NOT EXISTS (SELECT 1 FROM {table}))"
)


class Relation(NamedTuple):
    """Say that a column names a row of other tables.

    Attributes:
        child: The table that has the column.
        column: The column; NULL names nothing.
        parents: The tables in one of which the row should be.
        key: The column of those tables that is named.
        made_at: When a row of the child was made: what is very young may come before its parent.
    """

    child: str
    column: str
    parents: tuple[str, ...]
    key: str
    made_at: str

    def orphans(self, before: str) -> str:
        """Return the SQL that counts the rows without a parent.

        Args:
            before: How the dialect writes the parameter up to which rows must have been made.

        Returns:
            A query with one number, for either database.

        Example:
            >>> Relation("a", "b_id", ("b",), "id", "made_at").orphans("?")
            'SELECT count(*) FROM a AS child WHERE b_id IS NOT NULL AND made_at < ? AND NOT EXISTS (SELECT 1 FROM b AS parent WHERE parent.id = child.b_id)'
        """
        missing = " AND ".join(
            f"NOT EXISTS (SELECT 1 FROM {parent} AS parent WHERE parent.{self.key} = child.{self.column})"  # noqa: S608 - our own names
            for parent in self.parents
        )
        if (self.child, self.column) == (AgentCostVector.table, "task_id"):
            missing += "".join(_ITS_ROOT.format(table=table) for table in _TRACES)
        if self.parents == _TRACES or self.child == AgentCostVector.table:
            missing += _NOT_OUTLIVED.format(made_at=self.made_at, table=ExecutionTrace.table)
        return f"SELECT count(*) FROM {self.child} AS child WHERE {self.column} IS NOT NULL AND {self.made_at} < {before} AND {missing}"  # noqa: S608 - our own names


_TRACES = (ExecutionTrace.table, ExecutionTraceArchive.table)
_TASKS, _HOOKS, _PATTERNS = (TaskMetadata.table,), (HookExecution.table,), (SuccessPattern.table,)

RELATIONS = (
    Relation(ExecutionTrace.table, "parent_id", _TRACES, "correlation_id", "created_at"),
    Relation(AgentCostVector.table, "correlation_id", _TRACES, "correlation_id", "timestamp"),
    Relation(AgentCostVector.table, "task_id", _TASKS, "task_id", "timestamp"),
    Relation(DefectLog.table, "task_id", _TASKS, "task_id", "created_at"),
    Relation(HookExecution.table, "correlation_id", _TRACES, "correlation_id", "created_at"),
    Relation(HookExecution.table, "parent_id", _HOOKS, "id", "created_at"),
    Relation(EndpointCall.table, "correlation_id", _TRACES, "correlation_id", "created_at"),
    Relation(EndpointCall.table, "hook_execution_id", _HOOKS, "id", "created_at"),
    Relation(AgentRoutingDecision.table, "correlation_id", _TRACES, "correlation_id", "created_at"),
    Relation(AgentRoutingDecision.table, "pattern_id", _PATTERNS, "id", "created_at"),
    Relation(AgentTransformationEvent.table, "correlation_id", _TRACES, "correlation_id", "started_at"),
    Relation(AgentTransformationEvent.table, "agent_definition_id", (AgentDefinition.table,), "id", "started_at"),
    Relation(AgentTransformationEvent.table, "parent_event_id", (AgentTransformationEvent.table,), "id", "started_at"),
    Relation(RouterPerformanceMetric.table, "correlation_id", _TRACES, "correlation_id", "measured_at"),
    Relation(PatternUsage.table, "pattern_id", _PATTERNS, "id", "used_at"),
)  # fmt: skip
"""Every column that names a row elsewhere, in the order in which a person would look."""
