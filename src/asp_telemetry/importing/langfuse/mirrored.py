"""Turns observations that our own mirror has written back into the very rows that they were made of."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from asp_telemetry.importing.item import Item
from asp_telemetry.importing.langfuse.foreign import task_facts
from asp_telemetry.sinks.langfuse_content import stored
from asp_telemetry.sinks.langfuse_names import NO_ENVIRONMENT
from asp_telemetry.writer.batch import METRIC_COLUMNS, TRACE_COLUMNS, Change, Row

if TYPE_CHECKING:
    from langfuse.api import ObservationV2

KEYS: Final = (
    "correlation_id", "root_id", "parent_id", "task_id", "subtask_id", "project_id", "agent_role", "iteration",
    "kind", "status", "error_type", "error_message", "metrics", "started_at", "completed_at", "duration_ms", "context",
    "tags", "usage", "prompt_text", "environment", "user_id", "session_id",
)  # fmt: skip
"""The metadata that the mirror writes and the rows are made of; asked for whole, since values of 200 characters are cut."""

_UUID_LENGTH: Final = 36
_MARKS: Final = ("correlation_id", "root_id", "started_at", "kind", "status")


def is_ours(one: "ObservationV2") -> bool:
    """Tell whether our mirror has written an observation: no other writer names executions so."""
    metadata = one.metadata or {}
    return all(name in metadata for name in _MARKS) and len(str(metadata["correlation_id"])) == _UUID_LENGTH


def mirrored_items(one: "ObservationV2", now: str) -> list[Item]:
    """Return what an observation of our own becomes.

    Args:
        one: The observation, with the metadata named by `KEYS`.
        now: When it is imported, UTC text.

    Returns:
        The execution with its metrics, and its task, where it is an execution of one.

    Raises:
        KeyError: If a part of its metadata is missing; so ValueError and TypeError, if one cannot be read.
    """
    metadata = one.metadata or {}
    trace = _trace(one, metadata, now)
    metrics = tuple(_metric(told, trace, metadata) for told in _list(metadata.get("metrics")))
    named = trace["task_id"] if trace["task_id"] != trace["root_id"] else None
    is_run = trace["kind"] == "task" and named is not None
    origin = f"observation {one.id} of trace {one.trace_id}"
    row = tuple(trace[name] for name in TRACE_COLUMNS)
    items = [Item(Change.INSERT_TRACE, row, origin, metrics, named, is_run)]
    if is_run:
        facts = {
            "task_id": named,
            "moment": trace["started_at"],
            "project_id": _text(metadata, "project_id"),
            "user_id": trace["user_id"],
        }
        items.append(Item(Change.TASK, task_facts(facts), origin, task_id=named))
    return items


def _trace(one: "ObservationV2", metadata: Mapping[str, Any], now: str) -> dict[str, Any]:
    root, parent, status = str(metadata["root_id"]), _text(metadata, "parent_id"), str(metadata["status"])
    environment = None if one.environment == NO_ENVIRONMENT else one.environment
    return {
        "correlation_id": str(metadata["correlation_id"]),
        "root_id": root,
        "parent_id": parent,
        "session_id": _text(metadata, "session_id") or one.session_id or root,
        "user_id": _text(metadata, "user_id") or one.user_id,
        "environment": _text(metadata, "environment") or environment,
        "release": one.release,
        "agent_iteration": _whole(metadata.get("iteration")),
        "subtask_id": _text(metadata, "subtask_id"),
        "source": "user_prompt" if parent is None else "agent_delegation",
        "prompt_text": _text(metadata, "prompt_text"),
        "kind": str(metadata["kind"]),
        "name": one.name or "",
        "agent_role": _text(metadata, "agent_role"),
        "task_id": _text(metadata, "task_id") or root,
        "started_at": str(metadata["started_at"]),
        "completed_at": _text(metadata, "completed_at"),
        "duration_ms": _text(metadata, "duration_ms"),
        "status": status,
        "success": int(status == "success"),
        # An empty one stands in the metadata: Langfuse does not tell it from none.
        "error_message": metadata.get("error_message", None if status == "success" else one.status_message),
        "error_type": _text(metadata, "error_type"),
        "context": _json(metadata.get("context")),
        "tags": _json(metadata.get("tags")),
        "usage": _json(metadata.get("usage")),
        "input": _content(one.input),
        "output": _content(one.output),
        "created_at": now,
        "updated_at": now,
    }


def _metric(told: Mapping[str, Any], trace: Mapping[str, Any], metadata: Mapping[str, Any]) -> Row:
    row = {
        "timestamp": trace["completed_at"],
        "task_id": trace["task_id"],
        "subtask_id": trace["subtask_id"],
        "project_id": _text(metadata, "project_id"),
        "user_id": trace["user_id"],
        "correlation_id": trace["correlation_id"],
        "agent_role": trace["agent_role"],
        "agent_version": told.get("agent_version"),
        "agent_iteration": _whole(metadata.get("iteration")),
        "metric_type": told["type"],
        "metric_value": str(told["value"]),
        "metric_unit": told["unit"],
        "nested": int(bool(told.get("nested"))),
        "llm_model": told.get("model"),
        "llm_provider": told.get("provider"),
        "metadata": _json(told.get("metadata")),
    }
    return tuple(row[name] for name in METRIC_COLUMNS)


def _list(value: Any) -> list[dict[str, Any]]:
    found = orjson.loads(value) if isinstance(value, str) else value
    return list(found or ())


def _json(value: Any) -> str | None:
    """Return JSON text, whether the server has shown it as text or decoded it."""
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def _content(text: Any) -> str | None:
    """Return a stored input or output, whether the server has shown it as text or decoded it."""
    if text is None:
        return None
    return stored(text) if isinstance(text, str) else orjson.dumps(text).decode()


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _text(metadata: Mapping[str, Any], name: str) -> str | None:
    value = metadata.get(name)
    return None if value is None else str(value)
