"""Puts what was recorded of one request together: its executions, hooks, calls, transformations and routing decisions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

Row = Mapping[str, Any]

FAILED = frozenset({"error", "timeout", "cancelled", "abandoned"})


@dataclass(frozen=True)
class Tree:
    """Be the finished trace of one request, as far as it was recorded.

    Attributes:
        executions: Its rows of execution_traces in the order of their start; JSON is parsed, times are UTC text.
        hooks: Its rows of hook_executions, in order.
        calls: Its rows of endpoint_calls, in order.
        transformations: Its rows of agent_transformation_events, in order.
        decisions: Its rows of agent_routing_decisions, in order.
        verdicts: What was said later of its routing, from router_performance_metrics.
        tasks: Its rows of task_metadata by id.
    """

    executions: Sequence[Row]
    hooks: Sequence[Row] = ()
    calls: Sequence[Row] = ()
    transformations: Sequence[Row] = ()
    decisions: Sequence[Row] = ()
    verdicts: Sequence[Row] = ()
    tasks: Mapping[str, Row] = field(default_factory=dict)

    @cached_property
    def top(self) -> Row | None:
        """The execution that all others belong to; None if it was not recorded."""
        return next((row for row in self.executions if row["parent_id"] is None), None)

    @cached_property
    def by_id(self) -> Mapping[str, Row]:
        """The executions by their ids."""
        return {row["correlation_id"]: row for row in self.executions}

    @cached_property
    def _children(self) -> Mapping[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for row in self.executions:
            if row["parent_id"] is not None:
                found.setdefault(row["parent_id"], []).append(row)
        return found

    def children(self, execution: Row) -> Sequence[Row]:
        """Return what an execution called, in order."""
        return self._children.get(execution["correlation_id"], ())

    def is_whole(self) -> bool:
        """Tell whether the top is there, and every other execution's parent."""
        return self.top is not None and all(
            row["parent_id"] is None or row["parent_id"] in self.by_id for row in self.executions
        )

    @cached_property
    def prompt(self) -> str | None:
        """What was asked: the prompt as it was captured, else as the router was told; None if neither is known."""
        if self.top is not None and self.top["prompt_text"]:
            return str(self.top["prompt_text"])
        texts = [row["prompt_text"] for row in self.executions if row["prompt_text"]]
        texts += [row["user_request"] for row in self.decisions if row["user_request"]]
        return str(texts[0]) if texts else None

    def agents(self) -> Iterator[Row]:
        """Yield the executions that are agents, in order."""
        return (row for row in self.executions if row["kind"] == "agent")

    def delegates(self, execution: Row) -> list[Row]:
        """Return the agents that an agent called, directly or through what is no agent, in the order of their start."""
        found, waiting, seen = [], list(self.children(execution)), {execution["correlation_id"]}
        while waiting:
            row = waiting.pop()
            if row["correlation_id"] in seen:
                continue  # rows of a broken import may go in a circle
            seen.add(row["correlation_id"])
            if row["kind"] == "agent":
                found.append(row)
            else:
                waiting.extend(self.children(row))
        return sorted(found, key=lambda row: (row["started_at"], row["correlation_id"]))

    def agent_of(self, execution: Row) -> str | None:
        """Name the agent that an execution is, or runs in."""
        row: Row | None = execution
        for _ in range(len(self.executions)):
            if row is None:
                return None
            if row["kind"] == "agent":
                return agent_name(row)
            row = self.by_id.get(row["parent_id"])
        return None

    @cached_property
    def main_agent(self) -> str:
        """Who did it: the agent that was routed to, else the first one, else the execution itself."""
        chosen = [row["selected_agent"] for row in self.decisions if row["selected_agent"]]
        if chosen:
            return str(chosen[-1])
        first = next(self.agents(), self.top)
        return "unknown" if first is None else agent_name(first)

    @cached_property
    def duration_ms(self) -> float | None:
        """How long all of it took."""
        if self.top is None or self.top["duration_ms"] is None:
            return None
        return float(self.top["duration_ms"])


def agent_name(execution: Row) -> str:
    """Name an agent by its role, else by its execution's name."""
    return str(execution["agent_role"] or execution["name"])


def milliseconds_between(start: str, end: str) -> float:
    """Return how much later one moment is than another, in ms.

    Example:
        >>> milliseconds_between("2026-01-15 09:00:00.000000", "2026-01-15 09:00:01.500000")
        1500.0
    """
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() * 1000
