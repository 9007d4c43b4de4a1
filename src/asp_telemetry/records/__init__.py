"""Holds the vocabulary: one frozen model per table row, with the fields in the order of the table's columns."""

from asp_telemetry.records.agents import AgentDefinition, AgentTransformationEvent, RouterPerformanceMetric
from asp_telemetry.records.base import Record
from asp_telemetry.records.housekeeping import (
    DatabaseIdentity,
    JournalCheckpoint,
    RejectedRecord,
    SchemaMigration,
)
from asp_telemetry.records.patterns import AgentChainingPattern, ErrorPattern, PatternUsage, SuccessPattern
from asp_telemetry.records.traces import (
    AgentRoutingDecision,
    EndpointCall,
    ExecutionTrace,
    ExecutionTraceArchive,
    HookExecution,
)
from asp_telemetry.records.work import AgentCostVector, BootstrapMetrics, DefectLog, TaskMetadata

FACTS: tuple[type[Record], ...] = (
    TaskMetadata,
    AgentCostVector,
    DefectLog,
    BootstrapMetrics,
    ExecutionTrace,
    AgentRoutingDecision,
    HookExecution,
    EndpointCall,
    AgentDefinition,
    AgentTransformationEvent,
    RouterPerformanceMetric,
    SuccessPattern,
    PatternUsage,
    AgentChainingPattern,
    ErrorPattern,
)
"""The fifteen tables of what was recorded and learned."""

RECORDS: tuple[type[Record], ...] = (
    *FACTS,
    ExecutionTraceArchive,
    SchemaMigration,
    DatabaseIdentity,
    JournalCheckpoint,
    RejectedRecord,
)
"""Every table, those of the house-keeping included."""

__all__ = [
    "FACTS",
    "RECORDS",
    "AgentChainingPattern",
    "AgentCostVector",
    "AgentDefinition",
    "AgentRoutingDecision",
    "AgentTransformationEvent",
    "BootstrapMetrics",
    "DatabaseIdentity",
    "DefectLog",
    "EndpointCall",
    "ErrorPattern",
    "ExecutionTrace",
    "ExecutionTraceArchive",
    "HookExecution",
    "JournalCheckpoint",
    "PatternUsage",
    "Record",
    "RejectedRecord",
    "RouterPerformanceMetric",
    "SchemaMigration",
    "SuccessPattern",
    "TaskMetadata",
]
