"""Makes executions of what hooks have seen, for sessions whose transcript cannot be read on this machine.

A transcript tells more, and the same executions have the same ids there; where there is one, it is read instead.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, NamedTuple

from asp_telemetry.integrations.claude_code import parts
from asp_telemetry.integrations.claude_code.conversation import MAIN_ROLE
from asp_telemetry.integrations.claude_code.execution import Agent, Execution, Origin, error_of
from asp_telemetry.integrations.claude_code.identity import agent_id, prompt_id, session_id, tool_id

_MOST_OPEN = 20_000
_MILLISECOND = 1_000_000


class _Begun(NamedTuple):
    at: int
    agent: Agent
    prompt: str | None = None


class SeenByHooks:
    """Pair the hooks before and after prompts, tool calls and sub-agents, in the order in which they ran."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, _Begun] = OrderedDict()
        self._prompts: OrderedDict[str, str] = OrderedDict()

    def feed(self, event: dict[str, Any], at: int) -> Iterator[Execution]:
        """Take in what a hook was told.

        Args:
            event: What is kept of it.
            at: When it ran, in ns since the epoch.
        """
        kind, session = event.get("hook_event_name"), parts.text(event, "session_id")
        if session is None:
            return
        origin = Origin(session, parts.text(event, "cwd"))
        if kind == "UserPromptSubmit":
            prompt = parts.text(event, "prompt_id") or f"{session} {at}"
            self._prompts[session] = prompt
            self._begin(prompt_id(prompt), at, self._main(event, session), _prompt(event))
        elif kind in {"Stop", "SessionEnd"}:
            main = self._main(event, session)
            begun = self._open.pop(main.identity, None)
            if begun is not None:
                status = "success" if kind == "Stop" else "abandoned"
                yield _agent(begun, at, status, origin)
        elif kind in {"SubagentStart", "SubagentStop"} and (name := parts.text(event, "agent_id")):
            sub_agent = self._agent(event, session)
            if kind == "SubagentStart":
                self._begin(agent_id(session, name), at, sub_agent)
            else:
                begun = self._open.pop(sub_agent.identity, None) or _Begun(at, sub_agent)
                yield _agent(begun, at, "success", origin)
        elif call := parts.text(event, "tool_use_id"):
            yield from self._tool(event, str(kind), call, at, self._agent(event, session), origin)

    def _tool(
        self, event: dict[str, Any], kind: str, call: str, at: int, agent: Agent, origin: Origin
    ) -> Iterator[Execution]:
        identity = tool_id(call)
        if kind == "PreToolUse":
            self._begin(identity, at, agent)
        elif kind in {"PostToolUse", "PostToolUseFailure"}:
            begun = self._open.pop(identity, None)
            lasted = event.get("duration_ms")
            started = at if begun is None else begun.at
            if begun is None and isinstance(lasted, (int, float)) and 0 <= lasted < 1e9:
                started = at - int(lasted * _MILLISECOND)
            failed = kind == "PostToolUseFailure"
            content = parts.record(event, "content")
            yield Execution(
                identity=identity,
                kind="tool",
                name=parts.text(event, "tool_name") or "unknown",
                agent=agent,
                origin=origin,
                started=started,
                ended=at,
                status="error" if failed else "success",
                error=error_of("ToolError", parts.text(event, "error") or "") if failed else None,
                input=content.get("tool_input"),
                output=content.get("tool_response"),
            )

    def _begin(self, identity: str, at: int, agent: Agent, prompt: str | None = None) -> None:
        self._open.setdefault(identity, _Begun(at, agent, prompt))
        for kept in (self._open, self._prompts):
            if len(kept) > _MOST_OPEN:
                kept.popitem(last=False)

    def _main(self, event: dict[str, Any], session: str) -> Agent:
        name = parts.text(event, "prompt_id") or self._prompts.get(session)
        identity = session_id(session) if name is None else prompt_id(name)
        return Agent(identity, identity, MAIN_ROLE)

    def _agent(self, event: dict[str, Any], session: str) -> Agent:
        main = self._main(event, session)
        name = parts.text(event, "agent_id")
        if name is None:
            return main
        role = parts.text(event, "agent_type") or "sub-agent"
        return Agent(agent_id(session, name), main.root, role, main.identity)


def _prompt(event: dict[str, Any]) -> str | None:
    return parts.text(parts.record(event, "content"), "prompt")


def _agent(begun: _Begun, at: int, status: str, origin: Origin) -> Execution:
    return Execution(
        identity=begun.agent.identity,
        kind="agent",
        name=begun.agent.role,
        agent=begun.agent,
        origin=origin,
        started=begun.at,
        ended=at,
        status=status,
        told={"session_id": origin.session, "seen_by": "hooks"},
        prompt=begun.prompt,
    )
