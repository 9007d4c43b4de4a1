"""Read what an answer of a model provider says about its own cost: tokens by class, model, tier.

No provider's library is imported: an answer is known by its shape, so that client objects, plain dicts and
look-alikes from compatible services all work. One row of `_SHAPES` describes one shape; a new provider is a
new row. This code runs in the caller's thread, after every tracked call: what cannot be an answer must leave
at once, and nothing but `UsageError` may come out, whatever the object does when it is touched.

Wire formats: OpenAI API reference (chat completions, responses, embeddings), Anthropic API reference
(messages).
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from asp_telemetry.usage import Usage


class UsageError(Exception):
    """Say why an answer that has a known shape cannot be counted; the caller counts the reason."""


class _Shape(NamedTuple):
    """Describe one kind of answer: where its usage lies, what tells it from others, who reads it."""

    place: str
    counter: str
    mark: str | None
    mark_value: str
    read: Callable[[Any, Any], Usage]


_NEVER_ANSWERS: Final = frozenset(
    {type(None), bool, int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, range}
)
_LIMIT: Final = 2**63  # what a 64-bit database column holds
_LONGEST_AMOUNT: Final = 64
_HIGHEST_AMOUNT: Final = 10**12
_name_of_type: Final = type.__dict__["__name__"].__get__  # a metaclass may have put a trap over `__name__`


def read_usage(answer: object) -> Usage | None:
    """Read the usage that a provider's answer carries.

    Args:
        answer: Whatever a tracked function returned: a client's response object, its JSON as a dict, or
            anything else.

    Returns:
        The usage with tokens as whole numbers, or None when this is no answer of a known shape or carries none.

    Raises:
        UsageError: The shape is known but a number is impossible, or touching the object raised.

    Example:
        >>> read_usage({"id": "chatcmpl-1", "model": "gpt-4o-mini", "usage": {"prompt_tokens": 9}}).input_tokens
        9
        >>> read_usage("just text") is None
        True
    """
    try:
        if type(answer) in _NEVER_ANSWERS:
            return None
        return _read(answer)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"reading the answer raised {_name_of_type(type(error))}") from error


def counted_usage(
    *,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    cache_read_tokens: int | None = None,
    cache_write_tokens: int | None = None,
    reasoning_tokens: int | None = None,
) -> Usage | None:
    """Make a usage of counts that the user's own code knows.

    Args:
        input_tokens: All input tokens, cached ones included.
        output_tokens: All output tokens, reasoning included.
        cache_read_tokens: How many of the input tokens were read from a cache.
        cache_write_tokens: How many of the input tokens were written to a cache.
        reasoning_tokens: How many of the output tokens were reasoning.

    Returns:
        The usage, or None when no count was given.

    Raises:
        UsageError: A count is not a whole number from 0 to 2**63 - 1, or a part is larger than its whole.

    Example:
        >>> counted_usage(input_tokens=1200, output_tokens=80).output_tokens
        80
    """
    given = {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cache_read_tokens": cache_read_tokens,
        "cache_write_tokens": cache_write_tokens,
        "reasoning_tokens": reasoning_tokens,
    }
    if all(count is None for count in given.values()):
        return None
    return _checked(
        Usage(
            input_tokens=_count(given, "input_tokens"),
            output_tokens=_count(given, "output_tokens"),
            cache_read_tokens=_count(given, "cache_read_tokens"),
            cache_write_tokens=_count(given, "cache_write_tokens"),
            reasoning_tokens=_count(given, "reasoning_tokens"),
        )
    )


def read_anthropic(answer: object, usage: object, later: object = None) -> Usage:
    """Read an Anthropic message, whose input count leaves cached tokens out and whose stream counts on.

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
        >>> read_anthropic(message, first, {"output_tokens": 40})[3:5]
        (105, 40)
    """

    def count(name: str) -> int | None:
        newest = _count(later, name)
        return newest if newest is not None else _count(usage, name)

    def part(name: str) -> object:
        newest = field_of(later, name)
        return newest if newest is not None else field_of(usage, name)

    fresh, cache_read, cache_write = (
        count("input_tokens"),
        count("cache_read_input_tokens"),
        count("cache_creation_input_tokens"),
    )
    by_lifetime = part("cache_creation")
    short_lived = _count(by_lifetime, "ephemeral_5m_input_tokens")
    long_lived = _count(by_lifetime, "ephemeral_1h_input_tokens")
    if cache_write is None and (short_lived is not None or long_lived is not None):
        cache_write = (short_lived or 0) + (long_lived or 0)
    return _checked(
        Usage(
            model=_text(answer, "model"),
            provider="anthropic",
            response_id=_text(answer, "id"),
            input_tokens=None if fresh is None else fresh + (cache_read or 0) + (cache_write or 0),
            output_tokens=count("output_tokens"),
            cache_read_tokens=cache_read,
            cache_write_tokens=cache_write,
            cache_write_1h_tokens=long_lived,
            reasoning_tokens=_count(part("output_tokens_details"), "thinking_tokens"),
            service_tier=_text(usage, "service_tier"),
            speed=_text(usage, "speed"),
            web_searches=_count(part("server_tool_use"), "web_search_requests"),
        )
    )


def _read(answer: object) -> Usage | None:
    place, usage = None, None
    for shape in _SHAPES:
        if shape.place != place:
            place, usage = shape.place, field_of(answer, shape.place)
            if usage is not None and (type(usage) in _NEVER_ANSWERS or callable(usage)):
                usage = None
        if usage is None or field_of(usage, shape.counter) is None:
            continue
        if shape.mark is None or _text(answer, shape.mark) == shape.mark_value:
            return shape.read(answer, usage)
    return None


def _read_openai_chat(answer: object, usage: object) -> Usage:
    """Read a chat completion, a text completion or embeddings, also of services that speak the same format."""
    total_input = _count(usage, "prompt_tokens")
    total_output = _count(usage, "completion_tokens")
    of_input = field_of(usage, "prompt_tokens_details")
    of_output = field_of(usage, "completion_tokens_details")
    reasoning = _count(of_output, "reasoning_tokens")
    if reasoning and total_input is not None and total_output is not None:
        grand_total = _count(usage, "total_tokens")
        # xAI counts reasoning beside the completion, not in it; only the grand total tells.
        if grand_total == total_input + total_output + reasoning:
            total_output += reasoning
    return _checked(
        Usage(
            model=_text(answer, "model"),
            provider="openai",
            response_id=_text(answer, "id"),
            input_tokens=total_input,
            output_tokens=total_output,
            cache_read_tokens=_count(of_input, "cached_tokens"),
            cache_write_tokens=_count(of_input, "cache_write_tokens"),
            reasoning_tokens=reasoning,
            cost=_money(usage, "cost"),
            service_tier=_text(answer, "service_tier"),
            input_audio_tokens=_count(of_input, "audio_tokens"),
            output_audio_tokens=_count(of_output, "audio_tokens"),
        )
    )


def _read_openai_response(answer: object, usage: object) -> Usage:
    of_input = field_of(usage, "input_tokens_details")
    return _checked(
        Usage(
            model=_text(answer, "model"),
            provider="openai",
            response_id=_text(answer, "id"),
            input_tokens=_count(usage, "input_tokens"),
            output_tokens=_count(usage, "output_tokens"),
            cache_read_tokens=_count(of_input, "cached_tokens"),
            cache_write_tokens=_count(of_input, "cache_write_tokens"),
            reasoning_tokens=_count(field_of(usage, "output_tokens_details"), "reasoning_tokens"),
            cost=_money(usage, "cost"),
            service_tier=_text(answer, "service_tier"),
        )
    )


_SHAPES: Final = (
    _Shape("usage", "prompt_tokens", None, "", _read_openai_chat),
    _Shape("usage", "input_tokens", "object", "response", _read_openai_response),
    _Shape("usage", "input_tokens", "type", "message", read_anthropic),
)


def _checked(usage: Usage) -> Usage:
    """Refuse parts that are larger than their whole: such numbers would be priced below zero."""
    cached = (usage.cache_read_tokens or 0) + (usage.cache_write_tokens or 0)
    for whole, whole_name, part, part_name in (
        (usage.input_tokens, "input tokens", cached, "cached tokens"),
        (usage.input_tokens, "input tokens", usage.input_audio_tokens, "audio tokens"),
        (usage.output_tokens, "output tokens", usage.reasoning_tokens, "reasoning tokens"),
        (usage.output_tokens, "output tokens", usage.output_audio_tokens, "audio tokens"),
        (usage.cache_write_tokens, "cache-write tokens", usage.cache_write_1h_tokens, "one-hour tokens"),
    ):
        if whole is not None and part is not None and part > whole:
            raise UsageError(f"{part_name} exceed {whole_name}")
    if usage.input_tokens is not None and usage.input_tokens >= _LIMIT:
        raise UsageError("input tokens are too many for a 64-bit number")
    return usage


def field_of(part: Any, name: str) -> Any:
    """Take a field from an object or a dict, None where it is not there.

    Args:
        part: A client's object, a piece of its JSON, or None.
        name: The field's name, the same in both.

    Returns:
        The field's value as it is.

    Example:
        >>> field_of({"usage": 1}, "usage"), field_of(object(), "usage")
        (1, None)
    """
    if isinstance(part, dict):
        return part.get(name)
    return None if part is None else getattr(part, name, None)


def _count(part: object, name: str) -> int | None:
    value = field_of(part, name)
    if value is None:
        return None
    if type(value) is not int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise UsageError(f"{name} is of type {_name_of_type(type(value))}, not a whole number")
        value = int.__add__(value, 0)  # the plain number, whatever a subclass makes of its operators
    if value < 0:
        raise UsageError(f"{name} is negative")
    if value >= _LIMIT:
        raise UsageError(f"{name} is too large for a 64-bit number")
    return value


def _text(part: object, name: str) -> str | None:
    value = field_of(part, name)
    # An empty id or model is none: some proxies send it, and all their answers would pass for the same one.
    return str.__str__(value) or None if isinstance(value, str) else None


def _money(part: object, name: str) -> str | None:
    value = field_of(part, name)
    if value is None:
        return None
    # Imported here: most answers carry no cost, and `import asp_telemetry` has to stay cheap.
    from decimal import Decimal, InvalidOperation  # noqa: PLC0415

    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise UsageError(f"{name} is of type {_name_of_type(type(value))}, not an amount")
    # A float's repr is the number the provider wrote; its binary value has fifty digits of noise.
    written = float.__repr__(value) if isinstance(value, float) else str(value)
    if len(written) > _LONGEST_AMOUNT:
        raise UsageError(f"{name} is longer than {_LONGEST_AMOUNT} characters")
    try:
        amount = Decimal(written)
    except InvalidOperation as error:
        raise UsageError(f"{name} is not an amount") from error
    if not amount.is_finite() or amount < 0 or amount >= _HIGHEST_AMOUNT:
        raise UsageError(f"{name} is not a finite amount between 0 and {_HIGHEST_AMOUNT} USD")
    return str(amount)
