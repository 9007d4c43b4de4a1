"""What does not change from call to call and is written once per segment: the site of an execution, and its scope."""

from typing import Any

from asp_telemetry.capture.encoder import encode, identifier
from asp_telemetry.journal.layout import Flag

KINDS = frozenset(
    {
        "task", "agent", "generation", "tool", "chain", "retriever", "evaluator", "guardrail", "embedding", "span",
    }
)  # fmt: skip

_MAX_SITES = 4096
_MAX_SCOPES = 1024
_MAX_TAGS = 64  # each takes room in every segment that uses the scope


class Site:
    """Say what is executed: a decorated function, or the arguments of a `span()`.

    Attributes:
        agent: The site itself if it is an agent, else None: the agent is then the nearest enclosing one.
        task_of: Finds the task id in a call's arguments, if one can be there.
        expected: What a call is expected to spend, USD and tokens, for budgets; None where nobody said.
        history: What its calls have spent inside budgets; budgets keep it here.
        memory: Whether the growth of the process's memory is measured.
        looks: Whether there is anything to do when a span begins, beyond making it: asked for on the hot path.
        content: Whether arguments and results are stored; None leaves it to the setting.
        parameters: The names of the positional parameters, for the content.
        ignored: The names of the arguments that are never stored.
        encoded: The definition as JSON.
    """

    __slots__ = (
        "_encoded", "agent", "content", "expected", "facts", "flags", "history", "ignored", "kind", "looks", "memory",
        "name", "parameters", "task_of",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        kind: str,
        *,
        agent_role: str | None = None,
        model: str | None = None,
        provider: str | None = None,
        version: str | None = None,
        task_of: Any = None,
        expected_usd: Any = None,
        expected_tokens: Any = None,
        memory: bool = False,
        content: bool | None = None,
        parameters: tuple[str, ...] = (),
        ignored: frozenset[str] = frozenset(),
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind={kind!r} is unknown; use one of {', '.join(sorted(KINDS))}")
        self.name = name
        self.kind = kind
        self.agent = self if kind == "agent" else None
        self.flags = int(Flag.IN_AGENT) if kind == "agent" else 0
        self.task_of = task_of
        self.expected = expectation(expected_usd, expected_tokens)
        self.history: Any = None
        self.memory = memory
        self.looks = task_of is not None or memory or kind == "tool"
        self.content = content
        self.parameters = parameters
        self.ignored = ignored
        self.facts = {
            "name": identifier(name, 200),
            "kind": kind,
            "role": identifier(agent_role or name, 50),
            "model": None if model is None else identifier(model),
            "provider": None if provider is None else identifier(provider, 50),
            "version": None if version is None else identifier(version, 20),
        }
        self._encoded: bytes | None = None

    @property
    def encoded(self) -> bytes:
        """The definition as JSON."""
        if self._encoded is None:
            self._encoded = encode(self.facts)
        return self._encoded


Expectation = tuple[Any, Any]
"""What a call is expected to spend: USD, as it was given, and tokens; either may be None."""


def expectation(usd: Any, tokens: Any) -> Expectation | None:
    """Return what a call is expected to spend; None if nobody says."""
    return None if usd is None and tokens is None else (usd, tokens)


class Scope:
    """Say what executions belong to: task, project, user, session, environment; an immutable set of facts.

    Attributes:
        facts: What is known, by name.
        budget: The innermost of the budgets that are in force, if any; never written to the journal.
    """

    __slots__ = ("_children", "_encoded", "budget", "facts")

    def __init__(self, facts: dict[str, Any], budget: Any = None) -> None:
        self.facts = facts
        self.budget = budget
        self._encoded: bytes | None = None
        self._children: dict[Any, Scope] = {}

    @property
    def encoded(self) -> bytes:
        """The definition as JSON."""
        if self._encoded is None:
            self._encoded = encode(self.facts)
        return self._encoded

    @property
    def task_id(self) -> str | None:
        """The task that executions in this scope work on, if one was named."""
        task_id: str | None = self.facts.get("task_id")
        return task_id

    def with_task(self, task_id: Any) -> "Scope":
        """Return the scope of a task within this one; the same object again for the same task."""
        key = task_id if type(task_id) is str else identifier(task_id)
        found = self._children.get(key)
        if found is None and key == self.facts.get("task_id"):
            return self  # the same task: the part of it that is worked on stays as it is
        if found is None:
            found = self.with_facts(task_id=identifier(key), subtask_id=None)
            if len(self._children) >= _MAX_SCOPES:
                self._children.clear()
            self._children[key] = found
        return found

    def with_facts(self, **facts: Any) -> "Scope":
        """Return a scope in which the given facts replace those of this one; tags are added to those there."""
        merged = {**self.facts, **{name: value for name, value in facts.items() if name != "tags"}}
        tags = facts.get("tags")
        if tags:
            merged["tags"] = list(dict.fromkeys([*merged.get("tags", ()), *tags]))[:_MAX_TAGS]
        return Scope(merged, self.budget)

    def with_budget(self, budget: Any) -> "Scope":
        """Return a scope of the same facts in which one more budget is in force."""
        return Scope(self.facts, budget)


_sites: dict[tuple[str | bool | None, ...], Site] = {}


def site_for(
    name: str,
    kind: str,
    agent_role: str | None,
    model: str | None,
    provider: str | None,
    version: str | None,
    *,
    memory: bool = False,
) -> Site:
    """Return the site of a `span()` with these arguments; the table of them is bounded."""
    key = (name, kind, agent_role, model, provider, version, memory)
    found = _sites.get(key)
    if found is None:
        if len(_sites) >= _MAX_SITES:
            _sites.clear()
        found = _sites[key] = Site(
            name,
            kind,
            agent_role=agent_role,
            model=model,
            provider=provider,
            version=version,
            memory=memory,
        )
    return found
