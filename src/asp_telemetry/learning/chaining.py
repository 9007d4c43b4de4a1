"""Finds in a trace which agents called which, in which order."""

from collections.abc import Sequence
from dataclasses import dataclass

from asp_telemetry.learning.extraction import without_repeats
from asp_telemetry.learning.intents import intent_of
from asp_telemetry.learning.templates import template_of
from asp_telemetry.learning.tree import Row, Tree, agent_name, milliseconds_between

NOT_CAPTURED = "not captured"


@dataclass(frozen=True)
class Chain:
    """Be one agent's calls of others.

    Attributes:
        primary_agent: The agent that called.
        delegated_agents: Whom it called, in order, none twice in a row.
        delegation_depth: How many levels of agents there are below it.
        trigger_context: What the request was about, in a word.
        success: Whether the calling agent succeeded.
        duration_ms: How long it took.
        overhead_ms: How much of that was not spent in agents that it called.
        at: When it ended, UTC; None if it did not.
    """

    primary_agent: str
    delegated_agents: tuple[str, ...]
    delegation_depth: int
    trigger_context: str
    success: bool
    duration_ms: float | None
    overhead_ms: float | None
    at: str | None

    @property
    def key(self) -> tuple[str, tuple[str, ...], int, str]:
        """What makes two chains the same."""
        return self.primary_agent, self.delegated_agents, self.delegation_depth, self.trigger_context


def chains_of(tree: Tree) -> list[Chain]:
    """Return the chains of a trace, one for each agent that called others.

    Args:
        tree: The trace.
    """
    about = NOT_CAPTURED if tree.prompt is None else intent_of(template_of(tree.prompt))
    found = []
    for agent in tree.agents():
        called = tree.delegates(agent)
        if not called:
            continue
        duration = None if agent["duration_ms"] is None else float(agent["duration_ms"])
        found.append(
            Chain(
                agent_name(agent),
                without_repeats([agent_name(row) for row in called]),
                _depth(tree, agent),
                about,
                agent["status"] == "success",
                duration,
                None if duration is None else max(0.0, duration - _covered(agent, called)),
                agent["completed_at"],
            )
        )
    return found


def _depth(tree: Tree, agent: Row) -> int:
    depth, level, seen = 0, tree.delegates(agent), {agent["correlation_id"]}
    while level:
        depth += 1
        seen.update(row["correlation_id"] for row in level)
        level = [
            below for row in level for below in tree.delegates(row) if below["correlation_id"] not in seen
        ]
    return depth


def _covered(agent: Row, called: Sequence[Row]) -> float:
    """Return how many ms of an agent's time at least one of those it called was at work; they may overlap."""
    covered, reached = 0.0, agent["started_at"]
    for row in called:
        if row["completed_at"] is None:
            continue
        start, end = max(row["started_at"], reached), row["completed_at"]
        if agent["completed_at"] is not None:
            end = min(end, agent["completed_at"])
        if end > start:
            covered += milliseconds_between(start, end)
            reached = end
    return covered
