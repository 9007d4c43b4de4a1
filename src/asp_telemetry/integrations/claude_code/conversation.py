"""Follows a transcript line by line, and gives out the executions that it tells of as soon as they are over."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from asp_telemetry.integrations.claude_code import parts
from asp_telemetry.integrations.claude_code.chain import AGENT_TOOLS, Call, Chain
from asp_telemetry.integrations.claude_code.execution import Agent, Execution, Origin
from asp_telemetry.integrations.claude_code.identity import agent_id, prompt_id
from asp_telemetry.integrations.claude_code.lines import Line

MAIN_ROLE = "claude-code"
"""The role of the agent that answers the user's prompts."""

_SUB_AGENT = "sub-agent"
_MOST_REMEMBERED = 20_000
# What is no part of the conversation; https://docs.rs/crate/agent-sessions and others list what they have seen.
_BOOKKEEPING = frozenset(
    {
        "agent-color", "agent-name", "agent-setting", "ai-title", "attachment", "attribution-snapshot", "bridge-session",
        "content-replacement", "custom-title", "file-history-delta", "file-history-snapshot", "last-prompt",
        "marble-origami-commit", "mode", "permission-mode", "pr-link", "progress", "queue-operation", "speculation-accept",
        "started", "result", "summary", "system", "tag", "task-summary", "worktree-state",
    }
)  # fmt: skip


class Launch(NamedTuple):
    """Say which call has started a sub-agent, in which trace, and what it is."""

    root: str
    call: str | None
    role: str | None


class Turn(NamedTuple):
    """Hold what the user has asked for, and where in the file that begins."""

    name: str
    start: int
    chain: Chain
    said: str | None
    origin: Origin


class Conversation:
    """Follow one transcript.

    Args:
        session: Its session, where its lines do not say.
        keep: What to store of content; None to store none.
        sub_agent: The id of the sub-agent whose transcript it is; None for that of a session.
        launch: What is known of how that sub-agent was started.

    Attributes:
        launches: The sub-agents that were started in it, by their ids.
        unknown: How many lines there were of each type that this version does not know.
        prompts: How many prompts were answered.
    """

    def __init__(
        self,
        session: str,
        keep: Callable[[Any], Any] | None,
        *,
        sub_agent: str | None = None,
        launch: Launch | None = None,
    ) -> None:
        self.launches: OrderedDict[str, Launch] = OrderedDict()
        self.unknown: Counter[str] = Counter()
        self.prompts = 0
        self._session = session
        self._keep = keep
        self._sub_agent = sub_agent
        self._launch = launch
        self._turn: Turn | None = None
        self._sides: OrderedDict[str, Chain] = OrderedDict()
        self._side_of: OrderedDict[str, str] = OrderedDict()

    @property
    def begins(self) -> int | None:
        """Where in the file the turn begins that is not over: what is added later may belong to it."""
        return None if self._turn is None else self._turn.start

    @property
    def is_done(self) -> bool:
        """Whether the last turn has come to an end of its own."""
        return self._turn is None or self._turn.chain.is_done

    def feed(self, line: Line) -> Iterator[Execution]:
        """Take in a line."""
        value = line.value
        kind = parts.text(value, "type")
        if kind == "progress":
            self._find_launch_under_way(value)
        elif kind in {"user", "assistant"}:
            now = parts.moment(value)
            if now is None:
                now = self._turn.chain.last if self._turn is not None else None
            if now is None:
                self.unknown[f"{kind} without a time"] += 1
            elif kind == "user":
                yield from self._said(line, now)
            else:
                yield from self._answered(line, now)
        elif kind not in _BOOKKEEPING:
            self.unknown[kind or "none"] += 1

    def finish(self, *, whole: bool) -> Iterator[Execution]:
        """Give out what is left at the end of the file.

        Args:
            whole: Whether nobody will add to the last turn; else only what is certain is given out.
        """
        if self._turn is None:
            return
        if whole or self.is_done:
            yield from self._close(self._turn)
            return
        yield from self._turn.chain.settle(all_answers=False)
        for side in self._sides.values():
            yield from side.settle(all_answers=False)

    def _said(self, line: Line, now: int) -> Iterator[Execution]:
        value = line.value
        message = parts.record(value, "message")
        results = parts.blocks(message, "tool_result")
        if self._is_side(value):
            chain = self._side(value, now, parts.words(message.get("content")))
            for block in results:
                yield from chain.result(block, now)
            chain.passed(now)
            return
        for block in results:
            yield from self._result(value, block, now)
        if results or value.get("isMeta") is True or value.get("isCompactSummary") is True:
            if self._turn is not None:
                self._turn.chain.passed(now)
            return
        said = parts.words(message.get("content"))
        if parts.is_interruption(said):
            if self._turn is not None:
                self._turn.chain.interrupt(now)
            return
        name = parts.text(value, "promptId") or parts.text(value, "uuid") or f"{self._session} {line.start}"
        if self._turn is not None and (self._turn.name == name or self._sub_agent is not None):
            self._turn.chain.passed(now)
            return
        if self._turn is not None:
            yield from self._close(self._turn)
        self._begin(name, line, now, said)

    def _answered(self, line: Line, now: int) -> Iterator[Execution]:
        value = line.value
        if self._is_side(value):
            yield from self._side(value, now, "").answer(value, self._origin(value), now)
            return
        if self._turn is None:
            name = parts.text(value, "uuid") or f"{self._session} {line.start}"
            self._begin(name, line, now, None)
        assert self._turn is not None
        yield from self._turn.chain.answer(value, self._origin(value), now)

    def _result(self, value: dict[str, Any], block: dict[str, Any], now: int) -> Iterator[Execution]:
        if self._turn is None:
            return
        chain = self._turn.chain
        call = chain.calls.get(parts.text(block, "tool_use_id") or "")
        agent = parts.text(parts.record(value, "toolUseResult"), "agentId")
        if call is not None and agent is not None:
            self._note_launch(agent, call)
        yield from chain.result(block, now)

    def _begin(self, name: str, line: Line, now: int, said: str | None) -> None:
        origin = self._origin(line.value)
        if self._sub_agent is None:
            identity = prompt_id(name)
            agent = Agent(identity, identity, MAIN_ROLE)
        else:
            identity = agent_id(origin.session, self._sub_agent)
            launch = self._launch or Launch(identity, None, None)
            agent = Agent(identity, launch.root, launch.role or _SUB_AGENT, launch.call)
        self._turn = Turn(name, line.start, Chain(agent, now, self._keep), said, origin)

    def _close(self, turn: Turn) -> Iterator[Execution]:
        self._turn = None
        sides, self._sides = self._sides, OrderedDict()
        self._side_of.clear()
        for side in sides.values():
            yield from side.close(side.agent.role, turn.origin)
        for chain in (turn.chain, *sides.values()):
            if chain.unknown_results:
                self.unknown["tool_result without its call"] += chain.unknown_results
            if chain.unnamed_answers:
                self.unknown["assistant without an id"] += chain.unnamed_answers
        if turn.chain.is_empty:
            return  # a command of Claude Code itself, to which no model has answered
        prompt = None
        if self._sub_agent is None:
            self.prompts += 1
            prompt = None if self._keep is None or not turn.said else self._keep(turn.said)
        yield from turn.chain.close(
            turn.chain.agent.role, turn.origin, prompt if isinstance(prompt, str) else None
        )

    def _origin(self, value: dict[str, Any]) -> Origin:
        session = parts.text(value, "sessionId") or self._session
        return Origin(
            session, parts.text(value, "cwd"), parts.text(value, "version"), parts.text(value, "gitBranch")
        )

    def _is_side(self, value: dict[str, Any]) -> bool:
        """Tell whether a line is of a sub-agent that has no transcript of its own, as before Claude Code 2.0.28."""
        return self._sub_agent is None and value.get("isSidechain") is True and self._turn is not None

    def _side(self, value: dict[str, Any], now: int, said: str) -> Chain:
        assert self._turn is not None
        own = parts.text(value, "uuid") or ""
        key = parts.text(value, "agentId") or self._side_of.get(parts.text(value, "parentUuid") or "", own)
        self._side_of[own] = key
        if len(self._side_of) > _MOST_REMEMBERED:
            self._side_of.popitem(last=False)
        chain = self._sides.get(key)
        if chain is None:
            call = self._call_of_side(said)
            root = self._turn.chain.agent.root
            role = None if call is None else parts.text(call.given, "subagent_type")
            parent = root if call is None else call.identity
            agent = Agent(agent_id(self._origin(value).session, key), root, role or _SUB_AGENT, parent)
            chain = self._sides[key] = Chain(agent, now, self._keep)
        return chain

    def _call_of_side(self, said: str) -> Call | None:
        """Find the call that started a sub-agent: the one with its prompt, else the first that has started none."""
        assert self._turn is not None
        taken = {side.agent.parent for side in self._sides.values()}
        free = [
            call
            for call in self._turn.chain.calls.values()
            if call.name in AGENT_TOOLS and call.identity not in taken
        ]
        same = [call for call in free if call.given.get("prompt") == said]
        return next(iter(same or free), None)

    def _find_launch_under_way(self, value: dict[str, Any]) -> None:
        agent = parts.text(parts.record(value, "data"), "agentId")
        call = parts.text(value, "parentToolUseID")
        found = None if self._turn is None else self._turn.chain.calls.get(call or "")
        if found is not None and agent is not None:
            self._note_launch(agent, found)

    def _note_launch(self, agent: str, call: Call) -> None:
        assert self._turn is not None
        role = parts.text(call.given, "subagent_type")
        self.launches[agent] = Launch(self._turn.chain.agent.root, call.identity, role)
        if len(self.launches) > _MOST_REMEMBERED:
            self.launches.popitem(last=False)
