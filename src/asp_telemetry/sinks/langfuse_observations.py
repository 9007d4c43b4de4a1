"""Turns finished executions into Langfuse's observations, one span each, complete the first time it is sent.

What Langfuse makes of a span's attributes: https://langfuse.com/integrations/native/opentelemetry
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import orjson

from asp_telemetry.clock import utc_text
from asp_telemetry.journal.layout import Flag, Kind
from asp_telemetry.journal.reader import Record
from asp_telemetry.prices.provenance import plain_text
from asp_telemetry.sinks import langfuse_names as names
from asp_telemetry.sinks.langfuse_content import shown
from asp_telemetry.sinks.langfuse_ids import trace_id
from asp_telemetry.sinks.otlp_values import FAILED, encode_span
from asp_telemetry.writer.batch import METRIC_COLUMNS, TRACE_COLUMNS, Entry, Row
from asp_telemetry.writer.definitions import Definitions, SiteFacts

_TASK_BEGINS = int(Flag.TASK_BEGINS)
_TYPE, _VALUE = METRIC_COLUMNS.index("metric_type"), METRIC_COLUMNS.index("metric_value")
_DETAILS = tuple(
    (name, METRIC_COLUMNS.index(column))
    for name, column in (
        ("agent_version", "agent_version"),
        ("model", "llm_model"),
        ("provider", "llm_provider"),
    )
)
_ITERATION = METRIC_COLUMNS.index("agent_iteration")
_UNIT, _NESTED = METRIC_COLUMNS.index("metric_unit"), METRIC_COLUMNS.index("nested")
_METRIC_METADATA = METRIC_COLUMNS.index("metadata")
_ENVIRONMENT = re.compile(rf"(?!langfuse)[a-z0-9_-]{{1,{names.LONGEST_ENVIRONMENT}}}")
_PREFIX = f"{names.METADATA}."
_KEPT = {
    f"{_PREFIX}{key}": column
    for key, column in {
        "correlation_id": "correlation_id", "root_id": "root_id", "parent_id": "parent_id", "task_id": "task_id",
        "subtask_id": "subtask_id", "agent_role": "agent_role", "iteration": "agent_iteration", "kind": "kind",
        "status": "status", "error_type": "error_type", "started_at": "started_at", "completed_at": "completed_at",
        "duration_ms": "duration_ms", "context": "context", "tags": "tags", "usage": "usage",
        "prompt_text": "prompt_text",
    }.items()
}  # fmt: skip


class ObservationEncoder:
    """Encode executions; one instance belongs to one thread."""

    def __init__(self) -> None:
        self._definitions = Definitions()

    def encode(self, record: Record, entry: Entry) -> bytes | None:
        """Encode one execution.

        Args:
            record: The record; it has the exact times.
            entry: What the record became in the database: cost and tokens are those of its metrics.

        Returns:
            A `ScopeSpans` message, see `encode_span`. None if the record is no finished execution.
        """
        slot = record.slot
        if slot[0] != Kind.EXECUTION:
            return None
        site = self._definitions.site(record.site)
        row = dict(zip(TRACE_COLUMNS, entry.row, strict=True))
        return encode_span(
            slot,
            trace_id=bytes.fromhex(trace_id(row["task_id"], row["root_id"])),
            # Where a task begins, the parent is in another of Langfuse's traces: it would be a phantom in this one.
            parent_id=0 if slot[2] & _TASK_BEGINS else slot[8],
            name=site.name,
            kind=site.kind,
            status=row["status"],
            message=row["error_message"],
            attributes=_attributes(site, row, entry.metrics, slot[9]),
        )


def _attributes(
    site: SiteFacts, row: Mapping[str, Any], metrics: Iterable[Row], started_ns: int
) -> dict[str, Any]:
    metrics = list(metrics)
    context = {} if row["context"] is None else orjson.loads(row["context"])
    found: dict[str, Any] = {
        names.TYPE: site.kind if site.kind in names.TYPES else "span",
        names.TRACE_NAME: _trace_name(site, row),
        names.RELEASE: row["release"],
        names.VERSION: site.version,
        names.INPUT: None if row["input"] is None else shown(row["input"]),
        names.OUTPUT: None if row["output"] is None else shown(row["output"]),
    }
    if row["status"] in FAILED or row["status"] == "cancelled":
        found[names.LEVEL] = "ERROR" if row["status"] in FAILED else "WARNING"
        found[names.STATUS_MESSAGE] = row["error_message"] or None
        if not row["error_message"]:
            # Langfuse does not tell an empty message from none.
            found[f"{_PREFIX}error_message"] = row["error_message"]
    for key, column in _KEPT.items():
        found[key] = None if row[column] is None else str(row[column])
    found[f"{_PREFIX}project_id"] = context.get("project_id")
    found[f"{_PREFIX}version"] = context.get("version")
    if metrics:
        found[f"{_PREFIX}metrics"] = orjson.dumps([_metric(metric, row) for metric in metrics]).decode()
    _add_scope(found, row)
    _add_model(found, site, row, metrics)
    _add_first_token(found, metrics, started_ns)
    return found


def _trace_name(site: SiteFacts, row: Mapping[str, Any]) -> str | None:
    if row["task_id"] != row["root_id"]:
        return str(row["task_id"])
    return site.name if row["parent_id"] is None else None


def _add_scope(found: dict[str, Any], row: Mapping[str, Any]) -> None:
    """Add user, session, tags and environment; where Langfuse cannot take one as it is, the metadata has it whole."""
    session = None if row["session_id"] == row["root_id"] else row["session_id"]
    for name, key, value in (
        (names.USER, "user_id", row["user_id"]),
        (names.SESSION, "session_id", session),
    ):
        if value is not None:
            found[name if len(value) <= names.LONGEST_VALUE else f"{_PREFIX}{key}"] = value
    if row["tags"] is not None:
        tags = [tag for tag in orjson.loads(row["tags"]) if len(tag) <= names.LONGEST_VALUE]
        found[names.TAGS] = tags or None
    given = row["environment"]
    if given is not None:
        found[names.ENVIRONMENT] = environment(given)
        if found[names.ENVIRONMENT] != given or given == names.NO_ENVIRONMENT:
            found[f"{_PREFIX}environment"] = given


def environment(given: str) -> str:
    """Return an environment as Langfuse takes it: lower case, no other signs than - and _, not its own name in front.

    Example:
        >>> environment("Prod EU"), environment("langfuse"), environment("x" * 50) == "x" * 40
        ('prod-eu', 'env-langfuse', True)
    """
    if _ENVIRONMENT.fullmatch(given):
        return given
    name = re.sub(r"[^a-z0-9_-]", "-", given.lower())
    if not name or name.startswith("langfuse"):
        name = f"env-{name}"
    return name[: names.LONGEST_ENVIRONMENT]


def _add_model(found: dict[str, Any], site: SiteFacts, row: Mapping[str, Any], metrics: list[Row]) -> None:
    """Add model, usage and cost.

    A model without usage would have Langfuse count the tokens of input and output itself and put a price on them, so
    what has no tokens of its own names its model in the metadata only.
    """
    used = {} if row["usage"] is None else orjson.loads(row["usage"])
    answers = used.get("models", [used])
    model = _first(answers, "model") or site.model
    usage = _usage(metrics)
    if usage:
        found[names.USAGE] = orjson.dumps(usage).decode()
    found[names.MODEL if usage else f"{_PREFIX}model"] = model
    found[f"{_PREFIX}provider"] = _first(answers, "provider") or site.provider
    costs = [_number(metric[_VALUE]) for metric in metrics if metric[_TYPE] == "API_Cost"]
    if costs:
        # Written by hand: a double could not hold every digit. One given key stops Langfuse's own pricing, and only
        # "total" is shown as what it cost.
        found[names.COST] = f'{{"{names.TOTAL_COST}":{plain_text(sum(costs, Decimal(0)))}}}'


def _usage(metrics: list[Row]) -> dict[str, int]:
    """Return the usage in Langfuse's classes, none of which contains another, unlike ours."""
    counts: dict[str, int] = {}
    for metric in metrics:
        kind = metric[_TYPE]
        if kind.startswith("Tokens_"):
            counts[kind] = counts.get(kind, 0) + int(_number(metric[_VALUE]))
    read, written = counts.get("Tokens_Cache_Read"), counts.get("Tokens_Cache_Write")
    reasoned = counts.get("Tokens_Reasoning")
    usage: dict[str, int | None] = {
        names.INPUT_TOKENS: _rest(counts.get("Tokens_In"), read, written),
        names.OUTPUT_TOKENS: _rest(counts.get("Tokens_Out"), reasoned),
        names.CACHE_READ_TOKENS: read,
        names.CACHE_WRITE_TOKENS: written,
        names.REASONING_TOKENS: reasoned,
    }
    sent = {key: value for key, value in usage.items() if value is not None}
    if sent:
        sent[names.TOTAL_TOKENS] = counts.get("Tokens_In", 0) + counts.get("Tokens_Out", 0)
    return sent


def _rest(whole: int | None, *parts: int | None) -> int | None:
    return None if whole is None else max(0, whole - sum(part or 0 for part in parts))


def _add_first_token(found: dict[str, Any], metrics: list[Row], started_ns: int) -> None:
    for metric in metrics:
        if metric[_TYPE] == "Time_To_First_Token":
            moment = utc_text(started_ns + int(_number(metric[_VALUE]) * 1_000_000))
            found[names.COMPLETION_START] = f"{moment.replace(' ', 'T')}Z"
            return


def _metric(metric: Row, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a metric's row says beyond the execution's own."""
    facts: dict[str, Any] = {
        "type": metric[_TYPE],
        "value": plain_text(_number(metric[_VALUE])),
        "unit": metric[_UNIT],
    }
    if metric[_ITERATION] != row["agent_iteration"]:
        # An attempt's own iteration is its number; its metrics bear that of the agent.
        facts["agent_iteration"] = metric[_ITERATION]
    if metric[_NESTED]:
        facts["nested"] = True
    facts |= {name: metric[place] for name, place in _DETAILS if metric[place] is not None}
    if metric[_METRIC_METADATA] is not None:
        facts["metadata"] = orjson.loads(metric[_METRIC_METADATA])
    return facts


def _number(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _first(answers: list[dict[str, Any]], name: str) -> str | None:
    return next((answer[name] for answer in answers if answer.get(name) is not None), None)
