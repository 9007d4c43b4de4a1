"""Reads OpenAI's answers, and those of the many services and proxies that speak its formats.

Wire formats: OpenAI API reference (chat completions, embeddings, responses, audio, realtime); OpenRouter
(https://openrouter.ai/docs/use-cases/usage-accounting); LiteLLM (`ModelResponse`, `_hidden_params`).
"""

from typing import Any, Final

from asp_telemetry.capture.answers.checks import checked
from asp_telemetry.capture.answers.fields import (
    amount_of,
    count_of,
    field_of,
    first_count,
    items_of,
    text_of,
)
from asp_telemetry.usage import Usage

# LiteLLM's names of providers, where the price list and OpenTelemetry use others.
_LITELLM_PROVIDERS: Final = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex_ai": "gcp.vertex_ai",
    "xai": "x_ai",
}


def read_chat(answer: Any, usage: Any) -> Usage:
    """Read a chat completion, a text completion or embeddings, also of services that speak the same format.

    Raises:
        UsageError: A number is impossible.

    Example:
        >>> read_chat({"model": "grok-4"}, {"prompt_tokens": 9, "completion_tokens": 2}).output_tokens
        2
    """
    whole_in, whole_out = count_of(usage, "prompt_tokens"), count_of(usage, "completion_tokens")
    of_input = field_of(usage, "prompt_tokens_details")
    of_output = field_of(usage, "completion_tokens_details")
    reasoning = count_of(of_output, "reasoning_tokens")
    if reasoning and whole_in is not None and whole_out is not None:
        grand_total = count_of(usage, "total_tokens")
        # xAI counts reasoning beside the completion, not in it; only the grand total tells.
        if grand_total == whole_in + whole_out + reasoning:
            whole_out += reasoning
    read = count_of(of_input, "cached_tokens")
    if read is None:
        # Of LiteLLM (as Anthropic names it), and of DeepSeek itself.
        read = first_count(usage, "cache_read_input_tokens", "prompt_cache_hit_tokens")
    written = first_count(of_input, "cache_write_tokens", "cache_creation_tokens")
    if written is None:
        written = count_of(usage, "cache_creation_input_tokens")
    lifetimes = field_of(of_input, "cache_creation_token_details")
    cost, provider = amount_of(usage, "cost"), "openai"
    if cost is not None and text_of(answer, "provider") is not None:
        provider = "openrouter"  # it names there whom it asked
        cost = _with_upstream_cost(usage, cost)
    # Compatible services are many; LiteLLM alone says in a private place who answered and what it cost.
    hidden = field_of(answer, "_hidden_params")
    if hidden is not None:
        known = text_of(hidden, "custom_llm_provider")
        provider = provider if known is None else _LITELLM_PROVIDERS.get(known, known)
        cost = amount_of(hidden, "response_cost") or cost
    return checked(
        Usage(
            model=text_of(answer, "model"),
            provider=provider,
            response_id=text_of(answer, "id"),
            input_tokens=whole_in,
            output_tokens=whole_out,
            cache_read_tokens=read,
            cache_write_tokens=written,
            cache_write_1h_tokens=count_of(lifetimes, "ephemeral_1h_input_tokens") or None,
            reasoning_tokens=reasoning,
            cost=cost,
            service_tier=text_of(answer, "service_tier"),
            speed=text_of(usage, "speed"),
            web_searches=count_of(field_of(usage, "server_tool_use"), "web_search_requests"),
            input_audio_tokens=count_of(of_input, "audio_tokens"),
            output_audio_tokens=count_of(of_output, "audio_tokens"),
            tool_calls=_called_in_chat(answer),
        )
    )


def read_response(answer: Any, usage: Any) -> Usage:
    """Read an answer of the responses API.

    Raises:
        UsageError: A number is impossible.

    Example:
        >>> read_response({"id": "resp_1"}, {"input_tokens": 9, "output_tokens": 2}).input_tokens
        9
    """
    of_input = field_of(usage, "input_tokens_details")
    output = items_of(answer, "output")
    calls = sum(1 for item in output if text_of(item, "type") in _CALLS_OF_RESPONSES)
    return checked(
        Usage(
            model=text_of(answer, "model"),
            provider="openai",
            response_id=text_of(answer, "id"),
            input_tokens=count_of(usage, "input_tokens"),
            output_tokens=count_of(usage, "output_tokens"),
            cache_read_tokens=count_of(of_input, "cached_tokens"),
            cache_write_tokens=count_of(of_input, "cache_write_tokens"),
            reasoning_tokens=count_of(field_of(usage, "output_tokens_details"), "reasoning_tokens"),
            cost=amount_of(usage, "cost"),
            service_tier=text_of(answer, "service_tier"),
            web_searches=sum(1 for item in output if _is_search(item)) or None,
            tool_calls=calls or None,
        )
    )


_CALLS_OF_RESPONSES: Final = frozenset({"function_call", "custom_tool_call"})


def read_realtime(answer: Any, usage: Any) -> Usage:
    """Read a realtime response, or a transcription: text and audio have prices of their own.

    Raises:
        UsageError: A number is impossible.

    Example:
        >>> usage = {"input_tokens": 9, "output_tokens": 2, "input_token_details": {"audio_tokens": 8}}
        >>> read_realtime({"object": "realtime.response"}, usage).input_audio_tokens
        8
    """
    of_input = field_of(usage, "input_token_details")
    calls = sum(1 for item in items_of(answer, "output") if text_of(item, "type") == "function_call")
    return checked(
        Usage(
            model=text_of(answer, "model"),
            provider="openai",
            response_id=text_of(answer, "id") or text_of(answer, "item_id"),
            input_tokens=count_of(usage, "input_tokens"),
            output_tokens=count_of(usage, "output_tokens"),
            cache_read_tokens=count_of(of_input, "cached_tokens"),
            cache_audio_read_tokens=count_of(field_of(of_input, "cached_tokens_details"), "audio_tokens"),
            input_audio_tokens=count_of(of_input, "audio_tokens"),
            output_audio_tokens=count_of(field_of(usage, "output_token_details"), "audio_tokens"),
            tool_calls=calls or None,
        )
    )


def read_speech(_answer: Any, usage: Any) -> Usage:
    """Read the last event of synthesised speech, whose whole output is audio.

    Raises:
        UsageError: A number is impossible.

    Example:
        >>> read_speech(None, {"input_tokens": 14, "output_tokens": 101}).output_audio_tokens
        101
    """
    spoken = count_of(usage, "output_tokens")
    return checked(
        Usage(
            provider="openai",
            input_tokens=count_of(usage, "input_tokens"),
            output_tokens=spoken,
            output_audio_tokens=spoken,
        )
    )


def calls_in(message: Any) -> int:
    """Count the calls of tools in a chat message: one function, as in the oldest format, or many tools."""
    if message is None:
        return 0
    return len(items_of(message, "tool_calls")) or int(field_of(message, "function_call") is not None)


def _called_in_chat(answer: Any) -> int | None:
    return sum(calls_in(field_of(choice, "message")) for choice in items_of(answer, "choices")) or None


def _is_search(item: Any) -> bool:
    """Tell whether an output item is a web search that is charged: opening a page found is not."""
    if text_of(item, "type") != "web_search_call":
        return False
    return text_of(field_of(item, "action"), "type") in {None, "search"}


def _with_upstream_cost(usage: Any, cost: str) -> str:
    """Add what the provider charges to the user's own key: OpenRouter's cost is then its fee alone."""
    if field_of(usage, "is_byok") is not True:
        return cost
    upstream = amount_of(field_of(usage, "cost_details"), "upstream_inference_cost")
    if upstream is None:
        return cost
    from decimal import Decimal  # noqa: PLC0415 - see amount_of

    return str(Decimal(cost) + Decimal(upstream))
