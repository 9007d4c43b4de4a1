"""Holds the records of traces: executions, and the routing, hooks and endpoint calls around them."""

from typing import ClassVar
from uuid import UUID

from asp_telemetry.records.base import (
    Embedding,
    ExecutionKind,
    ExecutionStatus,
    Int32,
    Json,
    Milliseconds,
    Record,
    Score,
    TextList,
    Timestamp,
)


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


class ExecutionTraceArchive(ExecutionTrace):
    """Describe one execution that is past its retention; the same columns in another table.

    Example:
        >>> ExecutionTraceArchive.columns() == ExecutionTrace.columns()
        True
    """

    table: ClassVar[str] = "execution_traces_archive"


class AgentRoutingDecision(Record):
    """Say which agent was chosen for a request, and why.

    Example:
        >>> sample = "019bc0de-0000-7000-8000-000000000001"
        >>> AgentRoutingDecision(id=sample, correlation_id=sample, user_request="fix it", confidence_total=0.91,
        ...                      routing_duration_ms=2.5, created_at="2026-01-15 09:00:00").confidence_total
        Decimal('0.9100')
    """

    table: ClassVar[str] = "agent_routing_decisions"

    id: UUID
    correlation_id: UUID
    user_request: str
    selected_agent: str | None = None
    selection_reason: str | None = None
    confidence_total: Score
    confidence_trigger: Score | None = None
    confidence_context: Score | None = None
    confidence_capability: Score | None = None
    confidence_historical: Score | None = None
    alternatives: Json | None = None
    routing_strategy: str | None = None
    pattern_id: UUID | None = None
    cache_hit: bool | None = False
    routing_duration_ms: Milliseconds
    request_embedding: Embedding | None = None
    created_at: Timestamp


class HookExecution(Record):
    """Describe one hook around a tool or a prompt.

    Example:
        >>> sample = "019bc0de-0000-7000-8000-000000000001"
        >>> HookExecution(id=sample, execution_id=sample, correlation_id=sample, hook_type="PreToolUse",
        ...               started_at="2026-01-15 09:00:00", created_at="2026-01-15 09:00:00").status
        'in_progress'
    """

    table: ClassVar[str] = "hook_executions"

    id: UUID
    execution_id: UUID
    correlation_id: UUID
    parent_id: UUID | None = None
    hook_type: str
    tool_name: str | None = None
    hook_script: str | None = None
    started_at: Timestamp
    completed_at: Timestamp | None = None
    duration_ms: Milliseconds | None = None
    status: ExecutionStatus = "in_progress"
    intelligence_functions_executed: TextList | None = None
    rag_queries_executed: Json | None = None
    quality_gates_validated: TextList | None = None
    success: bool | None = None
    error_message: str | None = None
    modifications_made: Json | None = None
    context: Json | None = None
    created_at: Timestamp


class EndpointCall(Record):
    """Describe one HTTP call to a service.

    Example:
        >>> sample = "019bc0de-0000-7000-8000-000000000001"
        >>> EndpointCall(id=sample, correlation_id=sample, service_name="intelligence", endpoint_path="/api/rag/query",
        ...              http_method="POST", started_at="2026-01-15 09:00:00", success=True,
        ...              created_at="2026-01-15 09:00:00").retry_count
        0
    """

    table: ClassVar[str] = "endpoint_calls"

    id: UUID
    correlation_id: UUID
    hook_execution_id: UUID | None = None
    service_name: str
    endpoint_path: str
    http_method: str
    request_body: Json | None = None
    response_body: Json | None = None
    headers: Json | None = None
    response_status: Int32 | None = None
    started_at: Timestamp
    completed_at: Timestamp | None = None
    duration_ms: Milliseconds | None = None
    success: bool
    error_message: str | None = None
    error_type: str | None = None
    retry_count: Int32 | None = 0
    context: Json | None = None
    created_at: Timestamp
