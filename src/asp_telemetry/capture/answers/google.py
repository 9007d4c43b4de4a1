"""Reads Gemini's answers: of the Gemini API and Vertex AI as objects and as JSON, and of the Interactions API.

Wire formats: https://ai.google.dev/api/generate-content#UsageMetadata, google-genai
`GenerateContentResponseUsageMetadata` and `interactions.Usage`.
"""

from typing import Any, Final

from asp_telemetry.capture.answers.checks import checked
from asp_telemetry.capture.answers.fields import count_of, field_of, items_of, sum_of, text_of
from asp_telemetry.usage import Usage

# What Vertex AI calls the way in which it served a request, by the tier that has a price.
_TIERS: Final = {
    "ON_DEMAND_PRIORITY": "priority",
    "ON_DEMAND_FLEX": "flex",
    "PRIORITY": "priority",
    "FLEX": "flex",
}


def read_gemini(answer: Any, usage: Any) -> Usage:
    """Read a `GenerateContentResponse`: thoughts are output, and results of tools input, beside the other counts.

    Raises:
        UsageError: A number is impossible.

    Example:
        >>> read_gemini({}, {"prompt_token_count": 9, "candidates_token_count": 2, "thoughts_token_count": 5})[4]
        7
    """
    return _read(answer, usage, _SNAKE_CASE)


def read_gemini_json(answer: Any, usage: Any) -> Usage:
    """Read the same as it is on the wire.

    Raises:
        UsageError: A number is impossible.

    Example:
        >>> read_gemini_json({"modelVersion": "gemini-2.5-flash"}, {"promptTokenCount": 9}).model
        'gemini-2.5-flash'
    """
    return _read(answer, usage, _CAMEL_CASE)


def read_interaction(answer: Any, usage: Any) -> Usage:
    """Read an answer of the Interactions API.

    Raises:
        UsageError: A number is impossible.

    Example:
        >>> read_interaction({}, {"total_input_tokens": 9, "total_output_tokens": 2}).input_tokens
        9
    """
    prompt, tools = count_of(usage, "total_input_tokens"), count_of(usage, "total_tool_use_tokens")
    output, thoughts = count_of(usage, "total_output_tokens"), count_of(usage, "total_thought_tokens")
    calls = sum(1 for item in items_of(answer, "outputs") if text_of(item, "type") == "function_call")
    calls += sum(1 for item in items_of(answer, "steps") if text_of(item, "type") == "function_call")
    return checked(
        Usage(
            model=text_of(answer, "model"),
            provider="gcp.gemini",
            response_id=text_of(answer, "id"),
            input_tokens=sum_of(prompt, tools),
            output_tokens=sum_of(output, thoughts),
            cache_read_tokens=count_of(usage, "total_cached_tokens"),
            reasoning_tokens=thoughts,
            input_audio_tokens=_audio(usage, "input_tokens_by_modality", "tokens"),
            output_audio_tokens=_audio(usage, "output_tokens_by_modality", "tokens"),
            cache_audio_read_tokens=_audio(usage, "cached_tokens_by_modality", "tokens"),
            tool_calls=calls or None,
        )
    )


def calls_in(answer: Any) -> int:
    """Count the calls of functions that the candidates of an answer, or of a chunk of one, ask for.

    Example:
        >>> calls_in({"candidates": [{"content": {"parts": [{"functionCall": {"name": "search"}}]}}]})
        1
    """
    return sum(
        1
        for candidate in items_of(answer, "candidates")
        for part in items_of(field_of(candidate, "content"), "parts")
        if field_of(part, "function_call") is not None or field_of(part, "functionCall") is not None
    )


_SNAKE_CASE: Final = {
    "model": "model_version",
    "id": "response_id",
    "prompt": "prompt_token_count",
    "tools": "tool_use_prompt_token_count",
    "candidates": "candidates_token_count",
    "thoughts": "thoughts_token_count",
    "cached": "cached_content_token_count",
    "of_prompt": "prompt_tokens_details",
    "of_candidates": "candidates_tokens_details",
    "of_cached": "cache_tokens_details",
    "count": "token_count",
    "traffic": "traffic_type",
    "tier": "service_tier",
}
_CAMEL_CASE: Final = {
    "model": "modelVersion",
    "id": "responseId",
    "prompt": "promptTokenCount",
    "tools": "toolUsePromptTokenCount",
    "candidates": "candidatesTokenCount",
    "thoughts": "thoughtsTokenCount",
    "cached": "cachedContentTokenCount",
    "of_prompt": "promptTokensDetails",
    "of_candidates": "candidatesTokensDetails",
    "of_cached": "cacheTokensDetails",
    "count": "tokenCount",
    "traffic": "trafficType",
    "tier": "serviceTier",
}


def _read(answer: Any, usage: Any, names: dict[str, str]) -> Usage:
    thoughts, each = count_of(usage, names["thoughts"]), names["count"]
    traffic = text_of(usage, names["tier"]) or text_of(usage, names["traffic"])
    return checked(
        Usage(
            model=text_of(answer, names["model"]),
            provider="gcp.gemini",
            response_id=text_of(answer, names["id"]),
            input_tokens=sum_of(count_of(usage, names["prompt"]), count_of(usage, names["tools"])),
            output_tokens=sum_of(count_of(usage, names["candidates"]), thoughts),
            cache_read_tokens=count_of(usage, names["cached"]),
            reasoning_tokens=thoughts,
            service_tier=None if traffic is None else _TIERS.get(traffic.upper()),
            input_audio_tokens=_audio(usage, names["of_prompt"], each),
            output_audio_tokens=_audio(usage, names["of_candidates"], each),
            cache_audio_read_tokens=_audio(usage, names["of_cached"], each),
            tool_calls=calls_in(answer) or None,
        )
    )


def _audio(usage: Any, name: str, count: str) -> int | None:
    """Add up the audio tokens of a breakdown by modality."""
    return sum_of(
        *(
            count_of(part, count)
            for part in items_of(usage, name)
            if (text_of(part, "modality") or "").upper() == "AUDIO"
        )
    )
