"""Reads OpenAI's answers, and those of the many services and proxies that speak its formats.

Wire formats: OpenAI API reference (chat completions, embeddings, responses, audio, realtime).
"""

from typing import Any, Final

from asp_telemetry.capture.answers.checks import checked
from asp_telemetry.capture.answers.compatible import with_additions
from asp_telemetry.capture.answers.fields import amount_of, count_of, field_of, has_any, items_of, text_of
from asp_telemetry.usage import Usage


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
    reasoning = None if of_output is None else count_of(of_output, "reasoning_tokens")
    if reasoning and whole_in is not None and whole_out is not None:
        grand_total = count_of(usage, "total_tokens")
        # xAI counts reasoning beside the completion, not in it; only the grand total tells.
        if grand_total == whole_in + whole_out + reasoning:
            whole_out += reasoning
    read = written = heard = None
    if of_input is not None:
        read, heard = count_of(of_input, "cached_tokens"), count_of(of_input, "audio_tokens")
        written = count_of(of_input, "cache_write_tokens")
    found = Usage(
        model=text_of(answer, "model"),
        provider="openai",
        response_id=text_of(answer, "id"),
        input_tokens=whole_in,
        output_tokens=whole_out,
        cache_read_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
        service_tier=text_of(answer, "service_tier"),
        input_audio_tokens=heard,
        output_audio_tokens=None if of_output is None else count_of(of_output, "audio_tokens"),
        tool_calls=_called_in_chat(answer),
    )
    return checked(with_additions(found, answer, usage))


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
    calls = field_of(message, "tool_calls")
    if calls is not None:
        return len(calls) if type(calls) is list else 0
    return int(has_any(message, _OLD_CALL) and field_of(message, "function_call") is not None)


_OLD_CALL: Final = frozenset({"function_call"})


def _called_in_chat(answer: Any) -> int | None:
    calls = 0
    for choice in items_of(answer, "choices"):
        calls += calls_in(field_of(choice, "message"))
    return calls or None


def _is_search(item: Any) -> bool:
    """Tell whether an output item is a web search that is charged: opening a page found is not."""
    if text_of(item, "type") != "web_search_call":
        return False
    return text_of(field_of(item, "action"), "type") in {None, "search"}
