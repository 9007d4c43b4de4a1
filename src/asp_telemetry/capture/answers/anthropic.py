"""Reads Anthropic's messages, whose input count leaves cached tokens out and whose streams count on.

Wire format: Anthropic API reference (messages, streaming messages, message batches).
"""

from typing import Any

from asp_telemetry.capture.answers.checks import checked
from asp_telemetry.capture.answers.fields import count_of, field_of, items_of, sum_of, text_of
from asp_telemetry.usage import Usage


def read_message(answer: Any, usage: Any, later: Any = None) -> Usage:
    """Read a message.

    Args:
        answer: The message, or None when only its usage is known.
        usage: The message's usage, as it stood when the message began.
        later: The usage of a later `message_delta`: running totals that replace what it mentions.

    Returns:
        The usage with cached tokens added to the input.

    Raises:
        UsageError: A number is impossible.

    Example:
        >>> message = {"id": "msg_1", "type": "message", "model": "claude-sonnet-4-20250514"}
        >>> first = {"input_tokens": 5, "cache_read_input_tokens": 100, "output_tokens": 1}
        >>> read_message(message, first, {"output_tokens": 40})[3:5]
        (105, 40)
    """

    def count(name: str) -> int | None:
        newest = None if later is None else count_of(later, name)
        return newest if newest is not None else count_of(usage, name)

    def part(name: str) -> object:
        newest = None if later is None else field_of(later, name)
        return newest if newest is not None else field_of(usage, name)

    fresh, cache_read, cache_write = (
        count("input_tokens"),
        count("cache_read_input_tokens"),
        count("cache_creation_input_tokens"),
    )
    by_lifetime = part("cache_creation")
    short_lived = count_of(by_lifetime, "ephemeral_5m_input_tokens")
    long_lived = count_of(by_lifetime, "ephemeral_1h_input_tokens")
    if cache_write is None:
        cache_write = sum_of(short_lived, long_lived)
    calls = sum(1 for block in items_of(answer, "content") if text_of(block, "type") == "tool_use")
    return checked(
        Usage(
            model=text_of(answer, "model"),
            provider="anthropic",
            response_id=text_of(answer, "id"),
            input_tokens=None if fresh is None else fresh + (cache_read or 0) + (cache_write or 0),
            output_tokens=count("output_tokens"),
            cache_read_tokens=cache_read,
            cache_write_tokens=cache_write,
            cache_write_1h_tokens=long_lived,
            reasoning_tokens=count_of(part("output_tokens_details"), "thinking_tokens"),
            service_tier=text_of(usage, "service_tier"),
            speed=text_of(usage, "speed"),
            web_searches=count_of(part("server_tool_use"), "web_search_requests"),
            tool_calls=calls or None,
        )
    )
