"""Holds a way through a request that worked, as it is read from success_patterns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """Be a way that worked.

    Attributes:
        id: What `pattern_id` names in other tables.
        source_correlation_id: The root execution it was first learned from.
        template: What was asked, without values and secrets.
        intent: What that was about, in a word.
        keywords: The words that say what it was about, stemmed.
        agent: Who did it.
        routing_strategy: How that agent had been chosen.
        hooks: The hooks that ran, in order: type, tool and quality gates.
        endpoints: The services that were called, in order: service, method, and path without ids.
        avg_duration_ms: How long it took on average; shortest and longest beside it.
        avg_hook_count: How many hooks ran on average; likewise calls of endpoints, and look-ups of knowledge.
        success_score: How clear the success was, 0 to 1.
        success_rate: The share of uses that went well; 1 while it was never used.
        uses: How many uses with a known outcome there were.
        facts: What the runs had in common: task type, project, environment, source.
        delegated: The agents that the agent called, in order.
        observations: From how many runs it was learned.
        embedder: Which embedder made its vector.
        tags: The tags of its runs.
        updated_at: When it last changed, UTC.
    """

    id: str
    source_correlation_id: str
    template: str | None
    intent: str
    keywords: tuple[str, ...]
    agent: str
    routing_strategy: str = "explicit"
    hooks: tuple[Mapping[str, Any], ...] = ()
    endpoints: tuple[Mapping[str, Any], ...] = ()
    avg_duration_ms: float | None = None
    min_duration_ms: float | None = None
    max_duration_ms: float | None = None
    avg_hook_count: float = 0.0
    avg_endpoint_count: float = 0.0
    avg_rag_query_count: float = 0.0
    success_score: float | None = None
    success_rate: float = 1.0
    uses: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    delegated: tuple[str, ...] = ()
    observations: int = 1
    embedder: str | None = None
    tags: tuple[str, ...] = ()
    updated_at: str = ""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """Be what one success teaches; attributes as those of a pattern.

    Attributes:
        at: When it ended, UTC.
    """

    source_correlation_id: str
    template: str
    intent: str
    keywords: tuple[str, ...]
    agent: str
    routing_strategy: str
    hooks: tuple[Mapping[str, Any], ...]
    endpoints: tuple[Mapping[str, Any], ...]
    duration_ms: float | None
    hook_count: int
    endpoint_count: int
    rag_query_count: int
    success_score: float
    facts: Mapping[str, Any]
    delegated: tuple[str, ...]
    tags: tuple[str, ...]
    at: str
