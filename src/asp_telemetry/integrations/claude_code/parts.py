"""Takes single facts out of the lines of a transcript, whatever a version of Claude Code has made of them.

The lines are no documented interface (https://code.claude.com/docs/en/sessions); what is not as expected counts as absent.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2262, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INTERRUPTED = "[Request interrupted by user"
_REJECTED = ("The user doesn't want to", "The user does not want to", _INTERRUPTED, "User rejected")


def text(part: Any, name: str) -> str | None:
    """Return a text that is not empty, or None.

    Example:
        >>> text({"uuid": "u-1"}, "uuid"), text({"uuid": 5}, "uuid")
        ('u-1', None)
    """
    value = part.get(name) if isinstance(part, dict) else None
    return value if isinstance(value, str) and value else None


def record(part: Any, name: str) -> dict[str, Any]:
    """Return a JSON object, empty where there is none."""
    value = part.get(name) if isinstance(part, dict) else None
    return value if isinstance(value, dict) else {}


def blocks(message: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return the blocks of one type that a message consists of."""
    content = message.get("content")
    if not isinstance(content, list):
        return []
    return [block for block in content if isinstance(block, dict) and block.get("type") == kind]


def words(content: Any) -> str:
    """Return the text of a message's or a tool's content.

    Example:
        >>> words([{"type": "text", "text": "one"}, {"type": "image"}, {"type": "text", "text": "two"}])
        'one two'
    """
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return " ".join(block["text"] for block in content if isinstance(block, dict) and text(block, "text"))


def moment(line: dict[str, Any]) -> int | None:
    """Return when a line was written, in ns since the epoch; None if it does not say.

    Example:
        >>> moment({"timestamp": "1970-01-01T00:00:01.500Z"})
        1500000000
    """
    written = text(line, "timestamp")
    try:
        found = None if written is None else datetime.fromisoformat(written)
    except ValueError:
        return None
    if found is None:
        return None
    aware = found.replace(tzinfo=UTC) if found.tzinfo is None else found
    return (aware - _EPOCH) // _MICROSECOND * 1000 if _EPOCH <= aware <= _LATEST else None


def is_interruption(said: str) -> bool:
    """Tell whether a text is what Claude Code writes where the user has stopped it."""
    return said.lstrip().startswith(_INTERRUPTED)


def is_rejection(said: str) -> bool:
    """Tell whether the result of a tool is that the user did not let it run."""
    return said.lstrip().startswith(_REJECTED)
