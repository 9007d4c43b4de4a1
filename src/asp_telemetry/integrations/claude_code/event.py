"""Reduces what Claude Code tells a hook to what is kept of it: facts always, content only where that was asked for.

Input of hooks: https://code.claude.com/docs/en/hooks#hook-input
"""

import json
import math
from typing import Any

_FACTS = (
    "session_id", "prompt_id", "transcript_path", "cwd", "permission_mode", "hook_event_name", "agent_id", "agent_type",
    "agent_transcript_path", "tool_name", "tool_use_id", "source", "model", "reason", "trigger", "stop_hook_active",
    "duration_ms", "is_interrupt", "notification_type",
)  # fmt: skip
# What identifies a sub-agent stands inside of what is content otherwise.
_INSIDE = {"tool_input": ("subagent_type", "run_in_background"), "tool_response": ("agentId", "status")}
_MAX_FACT = 4096
_MAX_ERROR = 2000
_MAX_FIELDS = 64
_LARGEST = (1 << 64) - 1


def reduced(event: dict[str, Any], content_bytes: int | None) -> dict[str, Any]:
    """Return what is kept of the input of a hook.

    Args:
        event: What the hook was told.
        content_bytes: The longest content that is kept of one field, as JSON; None to keep none.

    Returns:
        The facts; under `error` a message without secrets; under `bytes` how long each field of content is; under
        `content` those fields without secrets, where they are wanted.

    Example:
        >>> reduced({"hook_event_name": "UserPromptSubmit", "prompt": "hello"}, None)
        {'hook_event_name': 'UserPromptSubmit', 'bytes': {'prompt': 7}}
    """
    kept: dict[str, Any] = {}
    for name in _FACTS:
        value = _fact(event.get(name))
        if value is not None:
            kept[name] = value
    for name, inside in _INSIDE.items():
        field = event.get(name)
        for part in inside:
            value = _fact(field.get(part)) if isinstance(field, dict) else None
            if value is not None:
                kept.setdefault(name, {})[part] = value
    if isinstance(event.get("error"), str):
        kept["error"] = _redacted(event["error"][: 4 * _MAX_ERROR])[:_MAX_ERROR]
    others = [name for name in event if name not in _FACTS and name != "error"][:_MAX_FIELDS]
    if others:
        kept["bytes"] = {_clean(name)[:100]: len(_json(event[name])) for name in others}
    if content_bytes is not None and others:
        kept["content"] = {_clean(name)[:100]: _content(event[name], content_bytes) for name in others}
    return kept


def line_of(record: dict[str, Any]) -> bytes:
    """Write a record as the line that a spool holds."""
    return _json(record)


def _fact(value: Any) -> Any:
    if isinstance(value, str):
        return _clean(value)[:_MAX_FACT]
    return value if isinstance(value, (int, float)) and _can_be_read(value) else None


def _clean(text: str) -> str:
    """Take out what neither JSON's readers nor databases accept: half surrogates and NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), default=str).encode()


def _redacted(text: str) -> str:
    from asp_telemetry.capture.redaction import redact  # noqa: PLC0415 - few hooks have anything to redact

    return redact(_clean(text))


def _content(value: Any, limit: int) -> Any:
    from asp_telemetry.capture.redaction import Redactor  # noqa: PLC0415 - see above

    redacted = _plain(Redactor(4 * limit).values(value))
    text = redacted if isinstance(redacted, str) else _json(redacted).decode()
    return redacted if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, dict):
        return {_clean(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, (int, float)) and not _can_be_read(value):
        return str(value) if isinstance(value, int) else None
    return value


def _can_be_read(number: float) -> bool:
    """Tell whether a number can stand in JSON: Python's writes and reads some that others refuse."""
    return -_LARGEST <= number <= _LARGEST if isinstance(number, int) else math.isfinite(number)
