"""Reads what services and proxies that speak OpenAI's format add to it: what a call cost, who answered, caches.

Formats: OpenRouter (https://openrouter.ai/docs/use-cases/usage-accounting), LiteLLM (`Usage`, `_hidden_params`),
DeepSeek API reference.
"""

from typing import Any, Final

from asp_telemetry.capture.answers.fields import (
    amount_of,
    count_of,
    field_of,
    first_count,
    has_any,
    private_of,
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
_ADDITIONS: Final = frozenset(
    {
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "cost",
        "prompt_cache_hit_tokens",
        "server_tool_use",
        "speed",
    }
)


def with_additions(found: Usage, answer: Any, usage: Any) -> Usage:
    """Complete a chat's usage by what compatible services say beyond OpenAI's own fields.

    Args:
        found: What OpenAI's fields say.
        answer: The answer.
        usage: Its usage.

    Raises:
        UsageError: A number is impossible.

    Example:
        >>> with_additions(Usage(), {}, {"cost": "0.25"}).cost
        '0.25'
    """
    if has_any(usage, _ADDITIONS):
        found = _with_fields(found, answer, usage)
    hidden = private_of(answer, "_hidden_params")
    if hidden is not None:
        # LiteLLM says there who answered, and what that costs by its own reckoning.
        known = text_of(hidden, "custom_llm_provider")
        found = found._replace(
            provider=found.provider if known is None else _LITELLM_PROVIDERS.get(known, known),
            cost=amount_of(hidden, "response_cost") or found.cost,
        )
    return found


def _with_fields(found: Usage, answer: Any, usage: Any) -> Usage:
    of_input = field_of(usage, "prompt_tokens_details")
    read, written, cost = found.cache_read_tokens, found.cache_write_tokens, amount_of(usage, "cost")
    if read is None:
        read = first_count(usage, "cache_read_input_tokens", "prompt_cache_hit_tokens")
    if written is None:
        written = count_of(usage, "cache_creation_input_tokens")
    lifetimes = field_of(of_input, "cache_creation_token_details")
    provider = found.provider
    if cost is not None and text_of(answer, "provider") is not None:
        provider = "openrouter"  # it names there whom it asked
        cost = _with_upstream_cost(usage, cost)
    return found._replace(
        provider=provider,
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=count_of(lifetimes, "ephemeral_1h_input_tokens") or None,
        cost=cost,
        speed=text_of(usage, "speed"),
        web_searches=count_of(field_of(usage, "server_tool_use"), "web_search_requests"),
    )


def _with_upstream_cost(usage: Any, cost: str) -> str:
    """Add what the provider charges to the user's own key: OpenRouter's cost is then its fee alone."""
    if field_of(usage, "is_byok") is not True:
        return cost
    upstream = amount_of(field_of(usage, "cost_details"), "upstream_inference_cost")
    if upstream is None:
        return cost
    from decimal import Decimal  # noqa: PLC0415 - see amount_of

    return str(Decimal(cost) + Decimal(upstream))
