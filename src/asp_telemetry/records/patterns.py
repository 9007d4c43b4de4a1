"""Holds the records of what was learned: success, chaining and error patterns, and the use of the first."""

from decimal import Decimal
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from asp_telemetry.records.base import (
    Average,
    Count,
    Embedding,
    ErrorSeverity,
    Json,
    Milliseconds,
    Record,
    Score,
    Text20,
    TextList,
    Timestamp,
    UuidList,
    rounded,
)


class SuccessPattern(Record):
    """Be a way through a request that worked, kept so that it can be offered again.

    Example:
        >>> sample = "019bc0de-0000-7000-8000-000000000001"
        >>> SuccessPattern(id=sample, source_correlation_id=sample, intent="debug", keywords=["login"], agent="debugger",
        ...                routing_strategy="explicit", hook_sequence="[]", endpoint_pattern="[]",
        ...                created_at="2026-01-15 09:00:00", updated_at="2026-01-15 09:00:00").total_usage_count
        0
    """

    table: ClassVar[str] = "success_patterns"
    generated: ClassVar[frozenset[str]] = frozenset({"success_rate"})

    id: UUID
    source_correlation_id: UUID
    prompt_text: str | None = None
    prompt_embedding: Embedding | None = None
    intent: str
    keywords: TextList
    agent: str
    routing_strategy: str
    hook_sequence: Json
    endpoint_pattern: Json
    avg_duration_ms: Milliseconds | None = None
    min_duration_ms: Milliseconds | None = None
    max_duration_ms: Milliseconds | None = None
    avg_hook_count: Average | None = None
    avg_endpoint_count: Average | None = None
    avg_rag_query_count: Average | None = None
    success_score: Score | None = None
    total_usage_count: Count = 0
    success_count: Count = 0
    failure_count: Count = 0
    success_rate: Score | None = None
    context: Json | None = None
    tags: TextList | None = None
    created_at: Timestamp
    last_used_at: Timestamp | None = None
    updated_at: Timestamp


class PatternUsage(Record):
    """Say that a pattern was offered, whether it was used, and how that went.

    Example:
        >>> sample = "019bc0de-0000-7000-8000-000000000001"
        >>> PatternUsage(id=sample, pattern_id=sample, correlation_id=sample, user_request="fix it", match_score=0.88, used=True,
        ...              used_at="2026-01-15 09:00:00").outcome is None
        True
    """

    table: ClassVar[str] = "pattern_usage_log"

    id: UUID
    pattern_id: UUID
    correlation_id: UUID
    user_request: str
    match_score: Score
    used: bool
    outcome: Text20 | None = None
    success: bool | None = None
    deviations: Json | None = None
    expected_duration_ms: Milliseconds | None = None
    actual_duration_ms: Milliseconds | None = None
    performance_variance: (
        Annotated[Decimal, Field(gt=Decimal("-1e10"), lt=Decimal("1e10")), rounded(4)] | None
    ) = None
    user_feedback: str | None = None
    used_at: Timestamp


class AgentChainingPattern(Record):
    """Say which agents an agent calls, as the trace trees show it.

    Example:
        >>> sample = "019bc0de-0000-7000-8000-000000000001"
        >>> AgentChainingPattern(id=sample, primary_agent="coordinator", delegated_agents=["debugger"],
        ...                      delegation_depth=1, trigger_context="a failing test", source_traces=[sample],
        ...                      created_at="2026-01-15 09:00:00", updated_at="2026-01-15 09:00:00").usage_count
        0
    """

    table: ClassVar[str] = "agent_chaining_patterns"

    id: UUID
    primary_agent: str
    delegated_agents: TextList
    delegation_depth: Count
    trigger_context: str
    success_rate: Score = Decimal(1)
    usage_count: Count = 0
    avg_total_duration_ms: Milliseconds | None = None
    avg_coordination_overhead_ms: Milliseconds | None = None
    source_traces: UuidList
    tags: TextList | None = None
    created_at: Timestamp
    last_used_at: Timestamp | None = None
    updated_at: Timestamp


class ErrorPattern(Record):
    """Be an error that recurs, its message without what differs from time to time.

    Example:
        >>> sample = "019bc0de-0000-7000-8000-000000000001"
        >>> ErrorPattern(id=sample, error_type="KeyError", error_message_pattern="<quoted>",
        ...              first_seen_at="2026-01-15 09:00:00", last_seen_at="2026-01-15 09:00:00",
        ...              sample_correlation_ids=[sample], created_at="2026-01-15 09:00:00",
        ...              updated_at="2026-01-15 09:00:00").occurrence_count
        1
    """

    table: ClassVar[str] = "error_patterns"

    id: UUID
    error_type: str
    error_message_pattern: str
    agent: str | None = None
    hook_type: str | None = None
    endpoint_path: str | None = None
    occurrence_count: Count = 1
    first_seen_at: Timestamp
    last_seen_at: Timestamp
    sample_correlation_ids: UuidList
    known_fix: Json | None = None
    prevention_strategy: Json | None = None
    tags: TextList | None = None
    severity: ErrorSeverity | None = None
    created_at: Timestamp
    updated_at: Timestamp
