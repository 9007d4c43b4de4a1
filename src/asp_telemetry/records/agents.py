"""Holds the records of agents and their router: definitions, transformations, routing metrics."""

from decimal import Decimal
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from asp_telemetry.records.base import (
    Count,
    DefinitionStatus,
    Int32,
    Json,
    Milliseconds,
    Record,
    Score,
    Text20,
    Text50,
    Text64,
    Text100,
    Text255,
    TextList,
    Timestamp,
    rounded,
)


class AgentDefinition(Record):
    """Be one version of an agent as its YAML file describes it.

    Example:
        >>> sample = "019bc0de-0000-7000-8000-000000000001"
        >>> AgentDefinition(id=sample, agent_name="debugger", agent_type="specialist", yaml_config='{"model": "x"}',
        ...                 created_at="2026-01-15 09:00:00", updated_at="2026-01-15 09:00:00").agent_version
        '1.0.0'
    """

    table: ClassVar[str] = "agent_definitions"

    id: UUID
    agent_name: Text255
    agent_version: Text50 = "1.0.0"
    agent_type: Text100
    yaml_config: Json
    parsed_metadata: Json | None = None
    capabilities: TextList | None = None
    domain: Text100 | None = None
    triggers: TextList | None = None
    trigger_patterns: TextList | None = None
    avg_execution_time_ms: Int32 | None = None
    success_rate: Score | None = None
    quality_score: Score | None = None
    is_active: bool = True
    status: DefinitionStatus = "active"
    registry_path: str | None = None
    definition_hash: Text64 | None = None
    created_at: Timestamp
    updated_at: Timestamp
    last_loaded_at: Timestamp | None = None


class AgentTransformationEvent(Record):
    """Describe one agent becoming or calling another.

    Example:
        >>> sample = "019bc0de-0000-7000-8000-000000000001"
        >>> AgentTransformationEvent(id=sample, event_type="transformation_start", correlation_id=sample,
        ...                          target_agent="debugger", started_at="2026-01-15 09:00:00").target_agent
        'debugger'
    """

    table: ClassVar[str] = "agent_transformation_events"

    id: UUID
    event_type: Text100
    correlation_id: UUID
    session_id: str | None = None
    source_agent: Text255 | None = None
    target_agent: Text255
    transformation_reason: str | None = None
    context_snapshot: Json | None = None
    context_keys: TextList | None = None
    context_size_bytes: Count | None = None
    user_request: str | None = None
    routing_confidence: Score | None = None
    routing_strategy: str | None = None
    transformation_duration_ms: Milliseconds | None = None
    initialization_duration_ms: Milliseconds | None = None
    total_execution_duration_ms: Milliseconds | None = None
    success: bool | None = None
    error_message: str | None = None
    error_type: str | None = None
    quality_score: Score | None = None
    agent_definition_id: UUID | None = None
    parent_event_id: UUID | None = None
    started_at: Timestamp
    completed_at: Timestamp | None = None


class RouterPerformanceMetric(Record):
    """Measure one decision of the router, or one look into its cache.

    Example:
        >>> sample = "019bc0de-0000-7000-8000-000000000001"
        >>> RouterPerformanceMetric(id=sample, metric_type="cache_hit", total_routing_time_us=180,
        ...                         measured_at="2026-01-15 09:00:00").total_routing_time_us
        180
    """

    table: ClassVar[str] = "router_performance_metrics"

    id: UUID
    metric_type: Text50
    correlation_id: UUID | None = None
    user_request_hash: Text64 | None = None
    context_hash: Text64 | None = None
    selected_agent: Text255 | None = None
    selection_strategy: str | None = None
    confidence_score: Score | None = None
    alternative_agents: Json | None = None
    alternatives_count: Count | None = 0
    cache_lookup_us: Count | None = None
    trigger_matching_us: Count | None = None
    confidence_scoring_us: Count | None = None
    total_routing_time_us: Count | None = None
    trigger_confidence: Score | None = None
    context_confidence: Score | None = None
    capability_confidence: Score | None = None
    historical_confidence: Score | None = None
    cache_hit: bool | None = None
    cache_key: str | None = None
    cache_age_seconds: Count | None = None
    selection_validated: bool | None = None
    actual_success: bool | None = None
    actual_quality_score: Score | None = None
    prediction_error: Annotated[Decimal, Field(ge=-1, le=1), rounded(4)] | None = None
    feedback_provided: bool | None = False
    feedback_type: Text20 | None = None
    feedback_details: Json | None = None
    measured_at: Timestamp
    validated_at: Timestamp | None = None
