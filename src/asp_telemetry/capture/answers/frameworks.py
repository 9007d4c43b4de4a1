"""Reads answers that a framework has put into its own words: LangChain's messages, pydantic-ai's responses and runs.

Formats: langchain-core `UsageMetadata`, `AIMessage.response_metadata`; pydantic-ai `RequestUsage`,
`ModelResponse`, `AgentRunResult`.
"""

from collections.abc import Iterator
from typing import Any, Final

from asp_telemetry.capture.answers.checks import checked
from asp_telemetry.capture.answers.fields import count_of, field_of, first_count, items_of, text_of
from asp_telemetry.usage import Usage

# The frameworks' names of providers, where OpenTelemetry uses others.
_PROVIDERS: Final = {
    "azure": "azure.ai.openai",
    "amazon_bedrock": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "google": "gcp.gemini",
    "google-cloud": "gcp.vertex_ai",
    "google-gla": "gcp.gemini",
    "google-vertex": "gcp.vertex_ai",
    "google_genai": "gcp.gemini",
    "google_vertexai": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
}
_module_of_type: Final = type.__dict__["__module__"].__get__  # a metaclass may have put a trap over it


def read_langchain(answer: Any, usage: Any) -> Usage:
    """Read an `AIMessage`, or a chunk of one; its model, provider and tier stand in `response_metadata`.

    Raises:
        UsageError: A number is impossible.

    Example:
        >>> message = {"response_metadata": {"model_name": "gpt-4o-mini", "model_provider": "openai"}}
        >>> read_langchain(message, {"input_tokens": 9, "output_tokens": 2}).model
        'gpt-4o-mini'
    """
    told, of_input = field_of(answer, "response_metadata"), field_of(usage, "input_token_details")
    of_output = field_of(usage, "output_token_details")
    native = field_of(told, "usage")  # Anthropic's own
    long_lived = count_of(of_input, "ephemeral_1h_input_tokens")
    written = count_of(of_input, "cache_creation")
    if not written:
        # Where the lifetimes are known, langchain-anthropic leaves the sum at zero lest it be added to them.
        short_lived = count_of(of_input, "ephemeral_5m_input_tokens")
        written = (short_lived or 0) + (long_lived or 0) or written
    return checked(
        Usage(
            model=text_of(told, "model_name") or text_of(told, "model") or text_of(told, "model_id"),
            provider=_provider(text_of(told, "model_provider")),
            response_id=text_of(told, "id") or text_of(answer, "id"),
            input_tokens=count_of(usage, "input_tokens"),
            output_tokens=count_of(usage, "output_tokens"),
            cache_read_tokens=count_of(of_input, "cache_read"),
            cache_write_tokens=written,
            cache_write_1h_tokens=long_lived,
            reasoning_tokens=count_of(of_output, "reasoning"),
            service_tier=text_of(told, "service_tier") or text_of(native, "service_tier"),
            speed=text_of(native, "speed"),
            web_searches=count_of(field_of(native, "server_tool_use"), "web_search_requests"),
            input_audio_tokens=count_of(of_input, "audio"),
            output_audio_tokens=count_of(of_output, "audio"),
            tool_calls=len(items_of(answer, "tool_calls")) or None,
        )
    )


def read_pydantic_ai(answer: Any, usage: Any) -> Usage:
    """Read a `ModelResponse`; its totals include what was cached, whoever the provider is.

    Raises:
        UsageError: A number is impossible.

    Example:
        >>> read_pydantic_ai({"model_name": "gpt-4o"}, {"input_tokens": 9, "output_tokens": 2}).model
        'gpt-4o'
    """
    details = field_of(usage, "details")
    reasoning = first_count(usage, "output_reasoning_tokens") or first_count(
        details, "reasoning_tokens", "thoughts_tokens"
    )
    calls = sum(1 for part in items_of(answer, "parts") if text_of(part, "part_kind") == "tool-call")
    return checked(
        Usage(
            model=text_of(answer, "model_name"),
            provider=_provider(text_of(answer, "provider_name")),
            response_id=text_of(answer, "provider_response_id"),
            input_tokens=count_of(usage, "input_tokens"),
            output_tokens=count_of(usage, "output_tokens"),
            cache_read_tokens=count_of(usage, "cache_read_tokens"),
            cache_write_tokens=count_of(usage, "cache_write_tokens"),
            cache_write_1h_tokens=count_of(usage, "cache_write_1h_tokens"),
            reasoning_tokens=reasoning,
            input_audio_tokens=count_of(usage, "input_audio_tokens"),
            output_audio_tokens=count_of(usage, "output_audio_tokens"),
            cache_audio_read_tokens=count_of(usage, "cache_audio_read_tokens"),
            tool_calls=calls or None,
        )
    )


def is_pydantic_ai(kind: type) -> bool:
    """Tell whether a class is pydantic-ai's own, whose methods may be called without harm."""
    module = _module_of_type(kind)
    return type(module) is str and module.partition(".")[0] == "pydantic_ai"


def responses_of_run(run: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the model responses of a pydantic-ai run result, each with its usage.

    The run's own `usage` is not read: it is a method or a property, depending on the version, does not name
    its models, and contains what other runs had spent before where a usage is shared between agents.

    Example:
        >>> list(responses_of_run(object()))
        []
    """
    new_messages = getattr(run, "new_messages", None)
    if new_messages is None:
        return
    for message in items_of({"messages": new_messages()}, "messages"):
        usage = field_of(message, "usage")
        if text_of(message, "kind") == "response" and field_of(usage, "input_tokens") is not None:
            yield message, usage


def _provider(name: str | None) -> str | None:
    return None if name is None else _PROVIDERS.get(name, name)
