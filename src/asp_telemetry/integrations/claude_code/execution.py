"""One execution that a transcript tells of, and the rows that it becomes."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from asp_telemetry.capture.answers.anthropic import read_message
from asp_telemetry.capture.encoder import clean, identifier, shortened
from asp_telemetry.capture.redaction import redact
from asp_telemetry.clock import now_text, utc_text
from asp_telemetry.importing import Item
from asp_telemetry.settings import Settings
from asp_telemetry.usage import Usage
from asp_telemetry.writer.batch import Change, Row
from asp_telemetry.writer.definitions import SiteFacts
from asp_telemetry.writer.money import Money, Value
from asp_telemetry.writer.rows import milliseconds

TAG = "claude-code"
_MAX_ERROR = 2000


@dataclass(slots=True)
class Origin:
    """Say in what session, folder and version of Claude Code something was written."""

    session: str
    folder: str | None = None
    version: str | None = None
    branch: str | None = None


@dataclass(slots=True)
class Agent:
    """Say which agent executes: the one that answers a prompt, or a sub-agent of it.

    Attributes:
        identity: The id of the agent's own execution.
        root: The id of the trace.
        role: Which agent it is.
        parent: The call that started it; None for the one that answers the prompt.
    """

    identity: str
    root: str
    role: str
    parent: str | None = None


@dataclass(slots=True, kw_only=True)
class Execution:
    """Hold one execution.

    Attributes:
        identity: Its id.
        kind: agent, generation or tool.
        name: The agent, the model or the tool.
        agent: Who executes it; for the execution of an agent that one itself.
        origin: Where it was written.
        started: When it began, in ns since the epoch.
        ended: When it ended, likewise.
        status: How it ended.
        error: Class and message of its error.
        message: The message of a model's answer, without its content.
        usage: What the answer says that it cost in tokens, as Anthropic writes it.
        cost: What Claude Code itself says that it cost, in USD.
        told: What has no column of its own.
        input: What it was called with, where that is wanted.
        output: What came of it, where that is wanted.
        prompt: What the user asked for, where that is wanted.
    """

    identity: str
    kind: str
    name: str
    agent: Agent
    origin: Origin
    started: int
    ended: int
    status: str
    error: tuple[str, str] | None = None
    message: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    cost: str | None = None
    told: dict[str, Any] = field(default_factory=dict)
    input: Any = None
    output: Any = None
    prompt: str | None = None


class RowBuilder:
    """Make rows of executions.

    Args:
        settings: Say whose they are, and which prices are the user's own.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._money = Money(settings.prices)
        self._now = now_text()

    def item(self, found: Execution) -> tuple[Item, list[Value]]:
        """Return what an import writes of an execution, and the values of its metrics.

        Raises:
            UsageError: If a number in its usage is impossible.
        """
        values: list[Value] = []
        lasted = milliseconds(max(found.ended - found.started, 0))
        usage, context = self._usage(found, values)
        if found.kind == "agent":
            values.append(("Latency", lasted, "ms", None, None, None))
        elif found.kind == "tool":
            values.append(("Tool_Calls", "1", "count", None, None, None))
        row = self._trace(found, lasted, usage, context)
        origin = f"session {found.origin.session}, {found.kind} {found.name}"
        return Item(Change.INSERT_TRACE, row, origin, tuple(self._metrics(found, values))), values

    def _usage(self, found: Execution, values: list[Value]) -> tuple[str | None, dict[str, Any]]:
        project = self._project(found.origin)
        context: dict[str, Any] = {"claude_code": found.told} if found.told else {}
        if project is not None:
            context["project_id"] = project
        if found.origin.version is not None:
            context["version"] = found.origin.version
        if found.message is None or not found.usage:
            return None, context
        usage = usage_of(found.message, found.usage)
        payload: dict[str, Any] = {"usage": [list(usage)]}
        if found.cost is not None:
            payload |= {"cost": found.cost, "cost_source": "provider"}
        site = SiteFacts(
            found.name, found.kind, found.agent.role, usage.model, usage.provider, version=None, source=None
        )
        shown, unpriced = self._money.account(payload, site, found.started, values)
        if unpriced is not None:
            context["unpriced"] = unpriced
        return shown, context

    def _trace(self, found: Execution, lasted: str, usage: str | None, context: dict[str, Any]) -> Row:
        agent, origin, settings = found.agent, found.origin, self._settings
        own = found.identity == agent.identity
        error_type, error_message = found.error or (None, None)
        return (
            found.identity,
            agent.root,
            agent.parent if own else agent.identity,
            identifier(origin.session),
            settings.user_id,
            settings.environment,
            settings.release,
            1,
            None,
            "user_prompt" if found.identity == agent.root else "agent_delegation",
            found.kind,
            clean(identifier(found.name)),
            identifier(agent.role, 50),
            agent.root,
            utc_text(found.started),
            utc_text(max(found.ended, found.started)),
            lasted,
            found.status,
            1 if found.status == "success" else 0,
            error_message,
            error_type,
            orjson.dumps(context).decode() if context else None,
            f'["{TAG}"]',
            usage,
            _json(found.input),
            _json(found.output),
            self._now,
            self._now,
            found.prompt,
        )

    def _metrics(self, found: Execution, values: list[Value]) -> list[Row]:
        agent, origin = found.agent, found.origin
        nested = 0 if agent.identity == agent.root else 1
        moment, project = utc_text(max(found.ended, found.started)), self._project(origin)
        version = None if origin.version is None else identifier(origin.version, 20)
        return [
            (
                moment, agent.root, None, project, self._settings.user_id, found.identity, identifier(agent.role, 50),
                version, 1, metric_type, value, unit, nested, model, provider, metadata,
            )
            for metric_type, value, unit, model, provider, metadata in values
        ]  # fmt: skip

    def _project(self, origin: Origin) -> str | None:
        """Return the project: as the settings say, else the folder that Claude Code worked in."""
        if self._settings.project_id is not None:
            return self._settings.project_id
        name = (origin.folder or "").replace("\\", "/").rstrip("/").rpartition("/")[2]
        return identifier(name) if name else None


def usage_of(message: dict[str, Any], usage: dict[str, Any]) -> Usage:
    """Return what an answer cost in tokens.

    Raises:
        UsageError: If a number is impossible.
    """
    found = read_message(message, usage)
    model = None if found.model is None else identifier(found.model)
    # Tool calls have rows of their own.
    return found._replace(model=model, provider=provider_of(model or ""), tool_calls=None)


def provider_of(model: str) -> str | None:
    """Return who has served a model, as its name tells; None where it does not.

    Names: https://code.claude.com/docs/en/model-config

    Example:
        >>> provider_of("claude-opus-4-1-20250805"), provider_of("us.anthropic.claude-opus-4-1-20250805-v1:0")
        ('anthropic', 'aws.bedrock')
        >>> provider_of("claude-opus-4-1@20250805"), provider_of("glm-4.6")
        ('gcp.vertex_ai', None)
    """
    if "claude" not in model:
        return None  # another model behind the same interface
    if "anthropic." in model:
        return "aws.bedrock"
    return "gcp.vertex_ai" if "@" in model else "anthropic"


def error_of(kind: str, message: str) -> tuple[str, str]:
    """Return class and message of an error as they are stored: without secrets, and no more than a little of it."""
    return identifier(kind), shortened(redact(clean(message[: 4 * _MAX_ERROR])), _MAX_ERROR)


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
