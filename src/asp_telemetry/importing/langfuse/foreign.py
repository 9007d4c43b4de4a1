"""Turns observations that somebody else has written, the Langfuse SDK or OpenTelemetry, into executions and metrics."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import orjson

from asp_telemetry.capture.content import content
from asp_telemetry.capture.encoder import identifier, plain
from asp_telemetry.importing.item import Item
from asp_telemetry.importing.langfuse.identity import execution_id, root_id
from asp_telemetry.importing.langfuse.lineage import parent_of
from asp_telemetry.importing.langfuse.moments import milliseconds_text, moment_text, utc
from asp_telemetry.importing.langfuse.usage import whole_counts
from asp_telemetry.prices.provenance import money_text, priced_units
from asp_telemetry.sinks.langfuse_names import NO_ENVIRONMENT
from asp_telemetry.writer.batch import METRIC_COLUMNS, TRACE_COLUMNS, Change, Row

if TYPE_CHECKING:
    from langfuse.api import ObservationV2

KINDS: Final = frozenset(
    {"agent", "generation", "tool", "chain", "retriever", "evaluator", "guardrail", "embedding", "span"}
)
_MODELS: Final = frozenset({"generation", "embedding"})
_STILL_OPEN: Final = timedelta(days=1)
_NOISE: Final = frozenset({"resourceAttributes", "scope", "attributes"})
_PROVIDERS: Final = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "ls_provider")
_METRICS: Final = {
    "input_tokens": "Tokens_In",
    "output_tokens": "Tokens_Out",
    "cache_read_tokens": "Tokens_Cache_Read",
    "cache_write_tokens": "Tokens_Cache_Write",
    "reasoning_tokens": "Tokens_Reasoning",
    "input_audio_tokens": "Tokens_Audio_In",
    "output_audio_tokens": "Tokens_Audio_Out",
}
_ROLE, _VERSION, _PROVIDER, _UNTIL_100 = 50, 20, 50, 100


class Foreign:
    """Turn observations into items.

    Args:
        with_content: Whether inputs and outputs are wanted; secrets in them are redacted.
        now: When they are imported.
    """

    def __init__(self, *, with_content: bool, now: datetime) -> None:
        self._with_content = with_content
        self._now = now
        self.now = moment_text(now)
        """When they are imported, UTC text."""

    def items(self, one: "ObservationV2", agents: Sequence[str], scope: Mapping[str, Any]) -> list[Item]:
        """Return what an observation becomes.

        Args:
            one: The observation.
            agents: The names of the agents around it, the nearest first.
            scope: The task and project that the metadata around it name.

        Returns:
            The execution, and its task where it is the root of one; nothing for what may not have ended yet.
        """
        kind = one.type.lower()
        kind = kind if kind in KINDS else "span"
        started = utc(one.start_time)
        ended = None if one.end_time is None else utc(one.end_time)
        if ended is None and one.type.upper() == "EVENT":
            ended = started  # an event has no duration
        if ended is None and self._now - started < _STILL_OPEN:
            return []
        metadata = {key: _loaded(value) for key, value in (one.metadata or {}).items()}
        around = {key: _loaded(value) for key, value in scope.items()}
        trace = self._trace(one, kind, metadata, agents, started, ended)
        usage = _usage(one, metadata)
        if usage is not None:
            trace["usage"] = _json(usage)
        task_id = _text(metadata, "task_id") or _text(around, "task_id")
        if task_id:
            trace["task_id"] = identifier(task_id)
        item = Item(
            Change.INSERT_TRACE,
            tuple(trace[name] for name in TRACE_COLUMNS),
            f"observation {one.id} of trace {one.trace_id}",
            tuple(_metrics(one, trace, {**around, **metadata}, usage, agents)),
            trace["task_id"] if task_id else None,
        )
        if not task_id or trace["parent_id"] is not None:
            return [item]
        return [item, _task(trace, metadata, item)]

    def _trace(
        self,
        one: "ObservationV2",
        kind: str,
        metadata: Mapping[str, Any],
        agents: Sequence[str],
        started: datetime,
        ended: datetime | None,
    ) -> dict[str, Any]:
        trace_id, parent = one.trace_id or one.id, parent_of(one)
        root, name = root_id(trace_id), one.name or kind
        failed = str(one.level or "").rpartition(".")[2].upper() == "ERROR"
        status = "abandoned" if ended is None else "error" if failed else "success"
        message = one.status_message if failed else None
        role = name if kind == "agent" else _text(metadata, "agent_role") or (agents[0] if agents else name)
        return {
            **dict.fromkeys(TRACE_COLUMNS),
            "correlation_id": execution_id(trace_id, one.id),
            "root_id": root,
            "parent_id": None if parent is None else execution_id(trace_id, parent),
            "session_id": one.session_id or root,
            "user_id": one.user_id,
            "environment": None if one.environment == NO_ENVIRONMENT else one.environment,
            "release": one.release,
            "agent_iteration": _iteration(metadata),
            "source": "user_prompt" if parent is None else "agent_delegation",
            "kind": kind,
            "name": identifier(name, 500),
            "agent_role": identifier(role, _ROLE),
            "task_id": root,
            "started_at": moment_text(started),
            "completed_at": None if ended is None else moment_text(ended),
            "duration_ms": None if ended is None else milliseconds_text(ended - started),
            "status": status,
            "success": None if ended is None else int(not failed),
            "error_message": "Langfuse has no end of it" if ended is None else _without_secrets(message),
            "context": _json(_context(one, metadata)),
            "tags": _json(list(dict.fromkeys(one.tags))) if one.tags else None,
            "input": self._content(one.input),
            "output": self._content(one.output),
            "created_at": self.now,
            "updated_at": self.now,
        }

    def _content(self, text: Any) -> str | None:
        if text is None or not self._with_content:
            return None
        found = content(_loaded(text))
        return None if found is None else _json(found)


def _usage(one: "ObservationV2", metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what an execution's usage shows; None where neither tokens nor a cost are told."""
    counts = whole_counts(one.usage_details or {})
    cost = cost_of(one)
    if not counts and cost is None:
        return None
    usage: dict[str, Any] = {"model": _model(one), "provider": _provider(metadata), **counts}
    if cost is not None:
        usage |= {"cost": money_text(cost), "source": "provider"}
    return usage


def cost_of(one: "ObservationV2") -> Decimal | None:
    """Return what Langfuse says that an observation cost, in USD with the ten decimals that a ledger keeps.

    The shortest text of its floating-point number is what was meant. No cost is None, and a price of nothing is zero.
    """
    details = one.cost_details or {}
    if "total" in details:
        found: float | None = details["total"]
    else:
        found = sum(details.values()) if details else one.total_cost or None
    return None if found is None else Decimal(money_text(Decimal(repr(float(found)))))


def _metrics(
    one: "ObservationV2",
    trace: Mapping[str, Any],
    metadata: Mapping[str, Any],
    usage: Mapping[str, Any] | None,
    agents: Sequence[str],
) -> list[Row]:
    model = None if usage is None or usage["model"] is None else identifier(usage["model"])
    provider = None if usage is None else usage["provider"]
    values: list[tuple[str, str, str, str | None, str | None, str | None]] = []
    if trace["kind"] == "agent" and trace["duration_ms"] is not None:
        values.append(("Latency", trace["duration_ms"], "ms", None, None, None))
    elif trace["kind"] == "tool":
        values.append(("Tool_Calls", "1", "count", None, None, None))
    first = one.time_to_first_token
    if first is not None and first >= 0:
        text = milliseconds_text(timedelta(seconds=first))
        values.append(("Time_To_First_Token", text, "ms", model, provider, None))
    if usage is not None:
        values.extend(
            (metric, str(usage[name]), "tokens", model, provider, None)
            for name, metric in _METRICS.items()
            if name in usage
        )
        if "cost" in usage:
            facts = {
                "source": "provider",
                "reported_by": "langfuse",
                "at": trace["started_at"][:19],
                "usage": {**priced_units(usage), "cost": usage["cost"]},
            }
            values.append(("API_Cost", usage["cost"], "USD", model, provider, _json(facts)))
    version = one.version if trace["kind"] == "agent" else _text(metadata, "agent_version")
    row: dict[str, Any] = {
        "timestamp": trace["completed_at"] or trace["started_at"],
        "task_id": trace["task_id"],
        "subtask_id": None,
        "project_id": _limited(_text(metadata, "project_id"), _UNTIL_100),
        "user_id": _limited(one.user_id, _UNTIL_100),
        "correlation_id": trace["correlation_id"],
        "agent_role": trace["agent_role"],
        "agent_version": _limited(version, _VERSION),
        "agent_iteration": trace["agent_iteration"],
        "nested": int(trace["kind"] == "agent" and bool(agents)),
    }
    names = ("metric_type", "metric_value", "metric_unit", "llm_model", "llm_provider", "metadata")
    rows = [row | dict(zip(names, value, strict=True)) for value in values]
    return [tuple(found[name] for name in METRIC_COLUMNS) for found in rows]


def _context(one: "ObservationV2", metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Gather what has no column of its own; where it comes from is among it."""
    level = str(one.level or "DEFAULT").rpartition(".")[2].upper()
    facts: dict[str, Any] = {
        "imported_from": "langfuse",
        "trace_id": one.trace_id,
        "observation_id": one.id,
        "version": one.version,
        "project_id": _text(metadata, "project_id"),
        "trace_name": one.trace_name,
        "level": None if level in {"DEFAULT", "ERROR"} else level,
        "status_message": None if level == "ERROR" else _without_secrets(one.status_message),
        "model_parameters": _loaded(one.model_parameters) or None,
        "prompt": None
        if one.prompt_name is None
        else {"name": one.prompt_name, "version": one.prompt_version},
        "is_event": one.type.upper() == "EVENT" or None,
        "metadata": content({key: value for key, value in metadata.items() if key not in _NOISE}) or None,
    }
    return {key: value for key, value in facts.items() if value is not None}


def _task(trace: Mapping[str, Any], metadata: Mapping[str, Any], item: Item) -> Item:
    """Make the facts of a task whose root this is: it is as the root has ended."""
    facts: dict[str, Any] = {
        "task_id": trace["task_id"],
        "moment": trace["started_at"],
        "project_id": _limited(_text(metadata, "project_id"), _UNTIL_100),
        "user_id": _limited(trace["user_id"], _UNTIL_100),
        "task_type": _limited(_text(metadata, "task_type"), 50),
        "status": "completed" if trace["status"] == "success" else "failed",
    }
    return Item(Change.TASK, task_facts(facts), item.origin, task_id=trace["task_id"])


def task_facts(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a task with all the names that a store expects."""
    names = (
        "project_id", "user_id", "task_type", "task_description", "requirements_text", "semantic_units_json",
        "estimated_complexity", "actual_complexity", "estimated_cost_vector_json", "components_affected",
        "bootstrap_phase", "human_reviewed", "human_corrections_json", "status", "metadata",
    )  # fmt: skip
    return {**dict.fromkeys(names), **given}


def _provider(metadata: Mapping[str, Any]) -> str | None:
    attributes = metadata.get("attributes")
    for facts in (metadata, attributes if isinstance(attributes, dict) else {}):
        for name in _PROVIDERS:
            if isinstance(facts.get(name), str):
                return identifier(facts[name], _PROVIDER)
    return None


def _model(one: "ObservationV2") -> str | None:
    return one.model or None


def _iteration(metadata: Mapping[str, Any]) -> int:
    try:
        return max(1, min(int(metadata.get("iteration", 1)), 2**31 - 1))
    except (TypeError, ValueError):
        return 1


def _text(metadata: Mapping[str, Any], name: str) -> str | None:
    value = metadata.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


def _limited(text: str | None, limit: int) -> str | None:
    return None if text is None else identifier(text, limit)


def _without_secrets(text: str | None) -> str | None:
    if text is None:
        return None
    found = content(text)
    return found if isinstance(found, str) else None


def _loaded(value: Any) -> Any:
    """Take JSON text for what it says; other text is itself."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except ValueError:
        return value


def _json(value: Any) -> str:
    return orjson.dumps(plain(value), default=str, option=orjson.OPT_NON_STR_KEYS).decode()
