"""Makes a pattern of a trace that was a success."""

from typing import Any

from asp_telemetry.learning.criteria import Verdict
from asp_telemetry.learning.intents import intent_of
from asp_telemetry.learning.pattern import Observation
from asp_telemetry.learning.templates import path_pattern, template_of
from asp_telemetry.learning.tree import Tree, agent_name
from asp_telemetry.learning.words import keywords_of

_LONGEST = 50
_MAX_TAGS = 20


def observe(tree: Tree, verdict: Verdict) -> Observation | None:
    """Return what a success teaches; None where its request is not known or has no words.

    Args:
        tree: The trace.
        verdict: That it was a success.
    """
    assert verdict.success, "only successes are learned from"
    if tree.prompt is None or tree.top is None:
        return None
    template = template_of(tree.prompt)
    keywords = keywords_of(template)
    if not keywords:
        return None
    tags = {tag for row in tree.executions for tag in row["tags"] or ()}
    return Observation(
        source_correlation_id=tree.top["correlation_id"],
        template=template,
        intent=intent_of(template),
        keywords=tuple(keywords),
        agent=tree.main_agent,
        routing_strategy=_strategy(tree),
        hooks=hooks_of(tree),
        endpoints=endpoints_of(tree),
        duration_ms=tree.duration_ms,
        hook_count=len(tree.hooks),
        endpoint_count=len(tree.calls),
        rag_query_count=sum(_count(row["rag_queries_executed"]) for row in tree.hooks),
        success_score=verdict.score,
        facts=_facts(tree),
        delegated=delegated_of(tree),
        tags=tuple(sorted(tags)[:_MAX_TAGS]),
        at=tree.top["completed_at"],
    )


def hooks_of(tree: Tree) -> tuple[dict[str, Any], ...]:
    """Return the hooks that ran, in order: type, tool and the gates that they validated."""
    return tuple(
        {"type": row["hook_type"], "tool": row["tool_name"], "gates": row["quality_gates_validated"] or []}
        for row in tree.hooks[:_LONGEST]
    )


def endpoints_of(tree: Tree) -> tuple[dict[str, Any], ...]:
    """Return the services that were called, in order, without ids."""
    return tuple(
        {
            "service": row["service_name"],
            "method": row["http_method"],
            "path": path_pattern(row["endpoint_path"]),
        }
        for row in tree.calls[:_LONGEST]
    )


def delegated_of(tree: Tree) -> tuple[str, ...]:
    """Return the agents that the main agent called, in order, none twice in a row."""
    main = next((row for row in tree.agents() if agent_name(row) == tree.main_agent), tree.top)
    return () if main is None else without_repeats([agent_name(row) for row in tree.delegates(main)])


def without_repeats(names: list[str]) -> tuple[str, ...]:
    """Return names in order, none twice in a row, at most fifty: how often a loop turned says nothing of the way.

    Example:
        >>> without_repeats(["Code", "Code", "Test", "Code"])
        ('Code', 'Test', 'Code')
    """
    found: list[str] = []
    for name in names:
        if not found or found[-1] != name:
            found.append(name)
    return tuple(found[:_LONGEST])


def _strategy(tree: Tree) -> str:
    strategies = [row["routing_strategy"] for row in tree.decisions if row["routing_strategy"]]
    return str(strategies[-1]) if strategies else "explicit"


def _facts(tree: Tree) -> dict[str, Any]:
    assert tree.top is not None
    task = tree.tasks.get(tree.top["task_id"]) if tree.top["task_id"] else None
    return {
        "task_type": task and task["task_type"],
        "project_id": task and task["project_id"],
        "environment": tree.top["environment"],
        "source": tree.top["source"],
    }


def _count(queries: Any) -> int:
    return len(queries) if isinstance(queries, list) else int(queries is not None)
