"""Names the executions of Claude Code: the same prompt, answer, tool call or sub-agent has the same id wherever it is met.

Hooks and transcripts, a transcript and the copy that a resumed session begins with, tell of the same things; so the ids are
made of the names that Claude Code itself gives them.
"""

from hashlib import sha256

from asp_telemetry.ids import execution_uuid


def _number(*parts: str) -> int:
    return int.from_bytes(sha256("\0".join(parts).encode("utf-8", "replace")).digest()[:8], "big") or 1


_HIGH = _number("asp-telemetry", "claude-code")


def prompt_id(name: str) -> str:
    """Return the id of the root execution that answers a prompt.

    Args:
        name: The prompt's own id; the uuid of its line where it has none.
    """
    return execution_uuid(_HIGH, _number("prompt", name))


def answer_id(message: str) -> str:
    """Return the id of a model's answer.

    Args:
        message: The message's id, such as `msg_01…`.
    """
    return execution_uuid(_HIGH, _number("answer", message))


def tool_id(call: str) -> str:
    """Return the id of a tool call.

    Args:
        call: The call's id, such as `toolu_01…`.

    Example:
        >>> tool_id("toolu_1") == tool_id("toolu_1")
        True
    """
    return execution_uuid(_HIGH, _number("tool", call))


def agent_id(session: str, agent: str) -> str:
    """Return the id of a sub-agent's execution.

    Args:
        session: The id of the session that it runs in.
        agent: The sub-agent's id; the uuid of its first line where it has none.
    """
    return execution_uuid(_HIGH, _number("agent", session, agent))


def session_id(session: str) -> str:
    """Return the id that stands for a whole session, for what belongs to no prompt.

    Args:
        session: The session's id.
    """
    return execution_uuid(_HIGH, _number("session", session))
