"""Turns finished executions into OpenTelemetry spans, by the semantic conventions for generative AI."""

from decimal import Decimal
from typing import Any

import orjson

from asp_telemetry.journal.layout import Kind
from asp_telemetry.journal.reader import Record
from asp_telemetry.sinks import otlp_names as names
from asp_telemetry.sinks.otlp_values import FAILED, encode_span
from asp_telemetry.writer.batch import METRIC_COLUMNS, TRACE_COLUMNS, Entry
from asp_telemetry.writer.definitions import Definitions, SiteFacts

_MILLISECONDS = 1000
_CLIENT_KINDS = frozenset({"generation", "embedding"})
_TYPE, _VALUE = METRIC_COLUMNS.index("metric_type"), METRIC_COLUMNS.index("metric_value")
_METADATA = METRIC_COLUMNS.index("metadata")
_TOKENS = {
    "Tokens_In": (names.INPUT_TOKENS,),
    "Tokens_Out": (names.OUTPUT_TOKENS,),
    "Tokens_Cache_Read": (names.CACHE_READ_TOKENS,),
    "Tokens_Cache_Write": (names.CACHE_WRITE_TOKENS, names.CACHE_CREATION_TOKENS),
    "Tokens_Reasoning": (names.REASONING_TOKENS,),
}
_FACTS = (
    ("session_id", names.SESSION),
    ("user_id", names.USER),
    ("environment", names.ENVIRONMENT),
    ("release", names.RELEASE),
    ("agent_iteration", names.ITERATION),
    ("subtask_id", names.SUBTASK),
    ("kind", names.KIND),
    ("agent_role", names.ROLE),
    ("task_id", names.TASK),
    ("status", names.STATUS),
)
_NAMED = {"agent": names.AGENT_NAME, "tool": names.TOOL_NAME, "task": names.WORKFLOW_NAME}
_CONTEXT = (
    ("project_id", names.PROJECT),
    ("completed", names.COMPLETED),
    ("chunks", names.CHUNKS),
    ("usage_source", names.USAGE_SOURCE),
    ("unpriced", names.UNPRICED),
)


class SpanEncoder:
    """Encode executions; one instance belongs to one thread."""

    def __init__(self) -> None:
        self._definitions = Definitions()

    def encode(self, record: Record, entry: Entry) -> bytes | None:
        """Encode one execution.

        Args:
            record: The record; it has the exact times.
            entry: What the record became in the database.

        Returns:
            A `ScopeSpans` message, see `encode_span`. None if the record is no finished execution.
        """
        slot = record.slot
        if slot[0] != Kind.EXECUTION:
            return None
        site = self._definitions.site(record.site)
        trace = dict(zip(TRACE_COLUMNS, entry.row, strict=True))
        attributes = _attributes(site, trace, entry)
        return encode_span(
            slot,
            trace_id=slot[5].to_bytes(8, "big") + slot[6].to_bytes(8, "big"),
            parent_id=slot[8],
            name=_name(site, attributes),
            kind=site.kind,
            status=trace["status"],
            message=trace["error_message"],
            attributes=attributes,
        )


def _name(site: SiteFacts, attributes: dict[str, Any]) -> str:
    operation = attributes.get(names.OPERATION)
    if operation is None:
        return site.name
    subject = attributes.get(names.REQUEST_MODEL) if site.kind in _CLIENT_KINDS else None
    return f"{operation} {subject or site.name}"


def _attributes(site: SiteFacts, trace: dict[str, Any], entry: Entry) -> dict[str, Any]:
    found: dict[str, Any] = {
        names.OPERATION: names.OPERATIONS.get(site.kind),
        names.REQUEST_MODEL: site.model,
        names.PROVIDER: _provider(site.provider),
        names.CONVERSATION: trace["session_id"],
    }
    for column, name in _FACTS:
        found[name] = trace[column]
    if site.kind in _NAMED:
        found[_NAMED[site.kind]] = site.name
    found[names.AGENT_VERSION if site.kind == "agent" else names.VERSION] = site.version
    if trace["status"] in FAILED:
        found[names.ERROR_TYPE] = trace["error_type"] or trace["status"]
    if trace["usage"] is not None:
        _add_models(found, orjson.loads(trace["usage"]))
    if trace["context"] is not None:
        _add_context(found, orjson.loads(trace["context"]))
    if trace["tags"] is not None:
        found[names.TAGS] = orjson.loads(trace["tags"])
    is_tool = site.kind == "tool"
    found[names.TOOL_ARGUMENTS if is_tool else names.INPUT] = trace["input"]
    found[names.TOOL_RESULT if is_tool else names.OUTPUT] = trace["output"]
    _add_metrics(found, entry)
    return found


def _add_metrics(found: dict[str, Any], entry: Entry) -> None:
    """Add tokens, cost and all other metrics as the database has them; several rows of one type are added up."""
    for metric in entry.metrics:
        kind, value = metric[_TYPE], metric[_VALUE]
        if kind == "API_Cost":
            _add_cost(found, Decimal(value), metric[_METADATA])
        elif kind in _TOKENS:
            for name in _TOKENS[kind]:
                found[name] = found.get(name, 0) + int(Decimal(value))
        elif kind == "Time_To_First_Token":
            found[names.TIME_TO_FIRST_CHUNK] = float(value) / _MILLISECONDS
            found[names.REQUEST_STREAM] = True
        elif kind != "Latency":  # the span's own duration
            key = names.METRIC + kind
            found[key] = found.get(key, 0.0) + float(value)


def _add_cost(found: dict[str, Any], cost: Decimal, metadata: str | None) -> None:
    provenance = {"source": "manual"} if metadata is None else orjson.loads(metadata)
    total = cost + Decimal(found.get(names.EXACT_COST, 0))
    found[names.EXACT_COST], found[names.COST] = f"{total:f}", float(total)
    found[names.COST_CURRENCY] = "USD"
    found[names.COST_SOURCE], found[names.PRICES] = (
        provenance.get("source", "manual"),
        provenance.get("prices"),
    )


def _add_context(found: dict[str, Any], context: dict[str, Any]) -> None:
    for key, name in _CONTEXT:
        found[name] = context.get(key)
    metadata = context.get("metadata")
    found[names.METADATA] = None if metadata is None else orjson.dumps(metadata).decode()


def _add_models(found: dict[str, Any], usage: dict[str, Any]) -> None:
    """Say which model has answered: the first, where several have within one execution."""
    models = usage.get("models", [usage])
    answered = [model["model"] for model in models if model.get("model") is not None]
    if answered:
        found[names.RESPONSE_MODEL] = answered[0]
        found[names.REQUEST_MODEL] = found[names.REQUEST_MODEL] or answered[0]
    providers = [model["provider"] for model in models if model.get("provider") is not None]
    if providers:
        found[names.PROVIDER] = _provider(providers[0])


def _provider(name: str | None) -> str | None:
    return None if name is None else names.PROVIDERS.get(name, name)
