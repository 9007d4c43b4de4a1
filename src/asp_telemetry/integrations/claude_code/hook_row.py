"""Turns what a hook was told into a row of `hook_executions`."""

from hashlib import sha256
from typing import Any

import orjson

from asp_telemetry.capture.encoder import identifier
from asp_telemetry.clock import utc_text
from asp_telemetry.ids import execution_uuid
from asp_telemetry.integrations.claude_code.identity import agent_id, prompt_id, session_id, tool_id
from asp_telemetry.writer.rows import milliseconds

SCRIPT = "asp-telemetry hook"
_COLUMNS = ("hook_event_name", "tool_name")


def hook_row(record: dict[str, Any], name: str, now: str) -> dict[str, Any]:
    """Return the columns of a hook.

    Args:
        record: What the spool holds of it.
        name: Its unique name.
        now: When the row is written, UTC text.

    Example:
        >>> event = {"hook_event_name": "Stop", "session_id": "s-1", "prompt_id": "p-1"}
        >>> row = hook_row({"at": 0, "took": 1_500_000, "event": event}, "spool 1", "2026-01-15 09:00:00.000000")
        >>> row["hook_type"], row["duration_ms"], row["correlation_id"] == prompt_id("p-1")
        ('Stop', '1.500000', True)
    """
    event: dict[str, Any] = record["event"]
    digest = sha256(name.encode()).digest()
    own = execution_uuid(int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big"))
    started, took = record["at"], max(record["took"], 0)
    return {
        "id": own,
        "execution_id": own,
        "correlation_id": execution_of(event) or own,
        "parent_id": None,
        "hook_type": identifier(event["hook_event_name"]),
        "tool_name": identifier(event["tool_name"]) if isinstance(event.get("tool_name"), str) else None,
        "hook_script": SCRIPT,
        "started_at": utc_text(started),
        "completed_at": utc_text(started + took),
        "duration_ms": milliseconds(took),
        "status": "success",
        "intelligence_functions_executed": None,
        "rag_queries_executed": None,
        "quality_gates_validated": None,
        "success": 1,
        "error_message": None,
        "modifications_made": None,
        "context": orjson.dumps(
            {name: value for name, value in event.items() if name not in _COLUMNS}
        ).decode(),
        "created_at": now,
    }


def execution_of(event: dict[str, Any]) -> str | None:
    """Return the execution that a hook ran around: a tool call, a sub-agent, the answer to a prompt, or the session."""
    call, agent, prompt, session = (
        value if isinstance(value := event.get(name), str) and value else None
        for name in ("tool_use_id", "agent_id", "prompt_id", "session_id")
    )
    if call is not None:
        return tool_id(call)
    if agent is not None and session is not None:
        return agent_id(session, agent)
    if prompt is not None:
        return prompt_id(prompt)
    return None if session is None else session_id(session)
