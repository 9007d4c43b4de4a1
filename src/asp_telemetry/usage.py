"""What one answer of a model provider cost in tokens: the form in which capture hands it to the writer."""

from typing import NamedTuple


class Usage(NamedTuple):
    """Hold what one answer cost in tokens, None where the answer does not say.

    `input_tokens` is the whole input, cached tokens included, and `output_tokens` the whole output, reasoning
    included; the other classes say how much of them. `cost` is what the provider itself charged, in USD, as
    the text of a decimal number. `tool_calls` is how many calls of tools the answer asks for.

    Example:
        >>> Usage(model="gpt-4o-mini", input_tokens=12).output_tokens is None
        True
    """

    model: str | None = None
    provider: str | None = None
    response_id: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: str | None = None
    service_tier: str | None = None
    speed: str | None = None
    web_searches: int | None = None
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    tool_calls: int | None = None
    cache_audio_read_tokens: int | None = None
