"""Puts the lines of one agent together: its model's answers, its tool calls, and how it ended."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from asp_telemetry.integrations.claude_code import parts
from asp_telemetry.integrations.claude_code.execution import Agent, Execution, Origin, error_of
from asp_telemetry.integrations.claude_code.identity import answer_id, tool_id

AGENT_TOOLS = frozenset({"Task", "Agent"})
"""What the tool is called that starts a sub-agent: the latter since Claude Code 2.1."""

_OPEN_ANSWERS = 16  # an answer's lines may have results of tools between them, and those of others
_MOST_TOOLS = 4096
_SYNTHETIC = "<synthetic>"
_DONE = frozenset({"end_turn", "stop_sequence", "max_tokens", "refusal"})
_FACTS = {"requestId": "request_id", "apiErrorStatus": "status"}


@dataclass(slots=True)
class Answer:
    """Hold an answer of which there may be more lines: one for each of its blocks, or of its states while it streamed."""

    identity: str
    started: int
    ended: int
    origin: Origin
    message: dict[str, Any]
    usage: dict[str, Any] = field(default_factory=dict)
    stop_reason: str | None = None
    cost: str | None = None
    told: dict[str, Any] = field(default_factory=dict)
    said: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class Call:
    """Hold a call of a tool whose result is still to come."""

    identity: str
    name: str
    started: int
    origin: Origin
    given: dict[str, Any]


class Chain:
    """Follow one agent.

    Args:
        agent: Which it is.
        begun: When it began, in ns since the epoch.
        keep: What to store of content; None to store none.
    """

    def __init__(self, agent: Agent, begun: int, keep: Callable[[Any], Any] | None) -> None:
        self.agent = agent
        self.begun = begun
        self.last = begun
        self.calls: OrderedDict[str, Call] = OrderedDict()
        self.is_empty = True
        self.unknown_results = 0
        self.unnamed_answers = 0
        self._keep = keep
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._interrupted = False
        self._error: tuple[str, str] | None = None
        self._stop_reason: str | None = None
        self._has_text = False

    @property
    def is_done(self) -> bool:
        """Whether the agent has come to an end of its own."""
        return not self.calls and (self._stop_reason in _DONE or self._interrupted or self._error is not None)

    def passed(self, now: int) -> None:
        """Note that something happened which is no execution."""
        self.last = max(self.last, now)

    def interrupt(self, now: int) -> None:
        """Note that the user has stopped the agent."""
        self._interrupted = True
        self.passed(now)

    def answer(self, line: dict[str, Any], origin: Origin, now: int) -> Iterator[Execution]:
        """Take in a line of an answer."""
        message = parts.record(line, "message")
        if line.get("isApiErrorMessage") is True:
            yield self._failed(line, message, origin, now)
            return
        name = parts.text(message, "id") or parts.text(line, "requestId") or parts.text(line, "uuid")
        if message.get("model") == _SYNTHETIC:
            return
        if name is None:
            self.unnamed_answers += 1
            return
        self.is_empty = self._interrupted = False
        self._error = None
        known = self._answers.get(name)
        if known is None:
            while len(self._answers) >= _OPEN_ANSWERS:
                yield self._answered(self._answers.popitem(last=False)[1])
            whole = {part: value for part, value in message.items() if part != "content"}
            known = Answer(answer_id(name), min(self.last, now), now, origin, whole)
            known.told = {"message_id": name, **_told(line, origin)}
            self._answers[name] = known
        self._take_in(known, line, message, now)
        for block in parts.blocks(message, "tool_use"):
            yield from self._call(block, origin, now)
        self.passed(now)

    def result(self, block: dict[str, Any], now: int) -> Iterator[Execution]:
        """Take in the result of a tool."""
        call = self.calls.pop(parts.text(block, "tool_use_id") or "", None)
        self.passed(now)
        if call is None:
            self.unknown_results += 1
            return
        status, error, said = "success", None, None
        if block.get("is_error") is True:
            said = parts.words(block.get("content"))
            rejected = parts.is_rejection(said)
            status = "cancelled" if rejected else "error"
            error = error_of("Rejected" if rejected else "ToolError", said)
        yield self._called(call, now, status, error, self._kept(block.get("content")))

    def settle(self, *, all_answers: bool) -> Iterator[Execution]:
        """Give out the answers of which there will be no more lines.

        Args:
            all_answers: Whether the newest is among them: it says why it stopped before its last line.
        """
        while self._answers:
            newest = next(reversed(self._answers))
            name, answer = next(iter(self._answers.items()))
            if name == newest and not all_answers:
                return
            del self._answers[name]
            yield self._answered(answer)

    def close(self, name: str, origin: Origin, prompt: str | None = None) -> Iterator[Execution]:
        """Give out all that is left, and the agent itself."""
        yield from self.settle(all_answers=True)
        status, error = self._status()
        left = "cancelled" if self._interrupted else "abandoned"
        while self.calls:
            yield self._called(self.calls.popitem(last=False)[1], self.last, left, None, None)
        yield Execution(
            identity=self.agent.identity,
            kind="agent",
            name=name,
            agent=self.agent,
            origin=origin,
            started=self.begun,
            ended=self.last,
            status=status,
            error=error,
            told={"session_id": origin.session, **_place(origin)},
            prompt=prompt,
        )

    def _status(self) -> tuple[str, tuple[str, str] | None]:
        if self._interrupted:
            return "cancelled", None
        if self._error is not None:
            return "error", self._error
        unfinished = self.calls or self._stop_reason == "tool_use" or self.is_empty
        return ("abandoned" if unfinished else "success"), None

    def _take_in(self, answer: Answer, line: dict[str, Any], message: dict[str, Any], now: int) -> None:
        answer.ended = max(answer.ended, now)
        usage = parts.record(message, "usage")
        # While an answer streams, its lines count on; some versions write the first state last.
        if _output(usage) >= _output(answer.usage):
            answer.usage = usage
        stop_reason = parts.text(message, "stop_reason")
        answer.stop_reason = stop_reason or answer.stop_reason
        self._stop_reason = answer.stop_reason
        self._has_text = bool(parts.blocks(message, "text"))
        cost = line.get("costUSD")
        if isinstance(cost, (int, float)) and not isinstance(cost, bool) and 0 <= cost < 1e6:
            answer.cost = f"{cost:.10f}".rstrip("0").rstrip(".")
        if self._keep is not None and isinstance(message.get("content"), list):
            answer.said.extend(message["content"])

    def _call(self, block: dict[str, Any], origin: Origin, now: int) -> Iterator[Execution]:
        name, call = parts.text(block, "id"), parts.text(block, "name")
        if name is None or call is None or name in self.calls:
            return
        while len(self.calls) >= _MOST_TOOLS:
            yield self._called(self.calls.popitem(last=False)[1], now, "abandoned", None, None)
        self.calls[name] = Call(tool_id(name), call, now, origin, parts.record(block, "input"))

    def _answered(self, answer: Answer) -> Execution:
        model = parts.text(answer.message, "model") or "unknown"
        if answer.stop_reason is not None:
            answer.told["stop_reason"] = answer.stop_reason
        return Execution(
            identity=answer.identity,
            kind="generation",
            name=model,
            agent=self.agent,
            origin=answer.origin,
            started=answer.started,
            ended=answer.ended,
            status="success",
            message=answer.message,
            usage=answer.usage,
            cost=answer.cost,
            told=answer.told,
            output=self._kept(answer.said) if answer.said else None,
        )

    def _called(
        self, call: Call, now: int, status: str, error: tuple[str, str] | None, output: Any
    ) -> Execution:
        return Execution(
            identity=call.identity,
            kind="tool",
            name=call.name,
            agent=self.agent,
            origin=call.origin,
            started=call.started,
            ended=now,
            status=status,
            error=error,
            input=self._kept(call.given),
            output=output,
        )

    def _failed(self, line: dict[str, Any], message: dict[str, Any], origin: Origin, now: int) -> Execution:
        """Take in what stands in the place of an answer that never came."""
        self.is_empty = False
        kind = parts.text(line, "error") or "api_error"
        self._error = error_of(kind, parts.words(message.get("content")))
        started, name = self.last, parts.text(line, "uuid") or f"{self.agent.identity} {now}"
        self.passed(now)
        return Execution(
            identity=answer_id(name),
            kind="generation",
            name=parts.text(message, "model") or _SYNTHETIC,
            agent=self.agent,
            origin=origin,
            started=min(started, now),
            ended=now,
            status="error",
            error=self._error,
            told=_told(line, origin),
        )

    def _kept(self, value: Any) -> Any:
        return None if self._keep is None or value is None else self._keep(value)


def _output(usage: dict[str, Any]) -> int:
    count = usage.get("output_tokens")
    return count if isinstance(count, int) else -1


def _told(line: dict[str, Any], origin: Origin) -> dict[str, Any]:
    found = {short: line[name] for name, short in _FACTS.items() if isinstance(line.get(name), (str, int))}
    return {**found, **_place(origin)}


def _place(origin: Origin) -> dict[str, str]:
    named = {"folder": origin.folder, "branch": origin.branch}
    return {name: value for name, value in named.items() if value is not None}
