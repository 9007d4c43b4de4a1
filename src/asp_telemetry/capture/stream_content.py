"""Gathers what a stream has said, where its content is to be stored: the text of a model's chunks, else the items.

Source: the chunks of each provider as the readers in `answers/` know them.
"""

from typing import Any, Final

from asp_telemetry.capture.answers.fields import field_of, items_of, text_of
from asp_telemetry.capture.encoder import plain

_MOST_CHARACTERS: Final = 1 << 20
_MOST_ITEMS: Final = 4096
_SILENT: Final = ("response.", "message_", "content_block_")
_BEDROCK: Final = ("messageStart", "contentBlockStart", "contentBlockStop", "messageStop", "metadata")


class StreamContent:
    """Gather what one stream says; what comes after very much is left out."""

    __slots__ = ("_characters", "_is_text", "_parts")

    def __init__(self) -> None:
        self._parts: list[Any] = []
        self._characters = 0
        self._is_text = True

    def add(self, item: Any) -> None:
        """Take what an item says, as it is now: its consumer may change it."""
        if self._characters >= _MOST_CHARACTERS or len(self._parts) >= _MOST_ITEMS:
            return
        said = said_in(item)
        if said is None:
            self._is_text = False
            self._parts.append(plain(item))
        elif said:
            self._characters += len(said)
            self._parts.append(said)

    def value(self) -> Any:
        """Return the text, or the items where some of them are no text; None if nothing has been said."""
        if not self._parts:
            return None
        return "".join(self._parts) if self._is_text else self._parts


def said_in(item: Any) -> str | None:
    """Return the text that a chunk adds to the answer, empty if it adds none; None for what is no chunk of a model's.

    Example:
        >>> said_in("Hel"), said_in({"choices": [{"delta": {"content": "lo"}}]}), said_in({"row": 1})
        ('Hel', 'lo', None)
    """
    if isinstance(item, str):
        return item
    if field_of(item, "choices") is not None:
        return "".join(
            text_of(field_of(choice, "delta"), "content") or text_of(choice, "text") or ""
            for choice in items_of(item, "choices")[:1]
        )
    if field_of(item, "candidates") is not None:
        parts = [
            part
            for candidate in items_of(item, "candidates")[:1]
            for part in items_of(field_of(candidate, "content"), "parts")
        ]
        return "".join(text_of(part, "text") or "" for part in parts if field_of(part, "thought") is not True)
    if field_of(item, "tool_call_chunks") is not None:
        return text_of(item, "content") or ""
    kind = text_of(item, "type")
    if kind is not None:
        return _said_in_event(item, kind)
    block = field_of(item, "contentBlockDelta")
    if block is not None:
        return text_of(field_of(block, "delta"), "text") or ""
    return "" if any(field_of(item, name) is not None for name in _BEDROCK) else None


def _said_in_event(item: Any, kind: str) -> str | None:
    """Read an event of OpenAI's responses or of Anthropic's messages."""
    if kind == "response.output_text.delta":
        return text_of(item, "delta") or ""
    if kind == "content_block_delta":
        return text_of(field_of(item, "delta"), "text") or ""
    # Anthropic's client adds events of its own, which repeat what the others say and have said.
    if kind.startswith(_SILENT) or kind == "ping" or field_of(item, "snapshot") is not None:
        return ""
    return None
