"""Finds out what kind of answer something is, and has it read: one table of shapes, one row each.

No provider's library is imported: an answer is known by its shape, so that client objects, plain dicts and
look-alikes from compatible services all work. A new provider is a new row and a small reader. This code runs in
the caller's thread, after every tracked call: what cannot be an answer must leave at once, and nothing but
`UsageError` may come out, whatever the object does when it is touched.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

from asp_telemetry.capture.answers import openai
from asp_telemetry.capture.answers.anthropic import read_message
from asp_telemetry.capture.answers.bedrock import read_converse
from asp_telemetry.capture.answers.fields import (
    NEVER_ANSWERS,
    UsageError,
    field_of,
    name_of_type,
    text_of,
)
from asp_telemetry.capture.answers.frameworks import (
    is_pydantic_ai,
    read_langchain,
    read_pydantic_ai,
    responses_of_run,
)
from asp_telemetry.capture.answers.google import read_gemini, read_gemini_json, read_interaction
from asp_telemetry.capture.answers.unknown import tell_unknown
from asp_telemetry.usage import Usage

Answer = tuple[Usage, Any]
"""What an answer cost, and the object that said so: it is known by that where it has no id."""


class _Shape(NamedTuple):
    """Describe one kind of answer: the counter that its usage has, what else tells it from others, who reads it."""

    counter: str
    mark: str | None
    mark_value: str
    read: Callable[[Any, Any], Usage]


# By the place where the usage lies; the first row that fits is taken.
_SHAPES: Final[dict[str, tuple[_Shape, ...]]] = {
    "usage": (
        _Shape("prompt_tokens", None, "", openai.read_chat),
        _Shape("input_tokens", "object", "response", openai.read_response),
        _Shape("input_tokens", "type", "message", read_message),
        _Shape("input_tokens", "object", "realtime.response", openai.read_realtime),
        _Shape("input_tokens", "type", "transcript.text.done", openai.read_realtime),
        _Shape(
            "input_tokens",
            "type",
            "conversation.item.input_audio_transcription.completed",
            openai.read_realtime,
        ),
        _Shape("input_tokens", "type", "speech.audio.done", openai.read_speech),
        _Shape("inputTokens", None, "", read_converse),
        _Shape("total_input_tokens", None, "", read_interaction),
        _Shape("input_tokens", "kind", "response", read_pydantic_ai),
    ),
    "usage_metadata": (
        _Shape("prompt_token_count", None, "", read_gemini),
        _Shape("total_token_count", None, "", read_gemini),
        _Shape("input_tokens", None, "", read_langchain),
    ),
    "usageMetadata": (
        _Shape("promptTokenCount", None, "", read_gemini_json),
        _Shape("totalTokenCount", None, "", read_gemini_json),
    ),
}


def read_usage(answer: object) -> Usage | None:
    """Read the usage that a provider's answer carries.

    Args:
        answer: Whatever a tracked function returned: a client's response object, its JSON as a dict, or
            anything else.

    Returns:
        The usage with tokens as whole numbers, or None when this is no answer of a known shape or carries none;
        of a run of several model calls, that of the last.

    Raises:
        UsageError: The shape is known but a number is impossible, or touching the object raised.

    Example:
        >>> read_usage({"id": "chatcmpl-1", "model": "gpt-4o-mini", "usage": {"prompt_tokens": 9}}).input_tokens
        9
        >>> read_usage("just text") is None
        True
    """
    found = read_answers(answer)
    return found[-1][0] if found else None


def read_answers(answer: object) -> list[Answer]:
    """Read every usage that something carries: of one answer, or of each model call of a framework's run.

    Args:
        answer: As in `read_usage`.

    Returns:
        Usages, each with the object that told it; empty when there is none. What looks like an answer but has
        no known shape is told to the log, once for each shape.

    Raises:
        UsageError: The shape is known but a number is impossible, or touching the object raised.

    Example:
        >>> [usage.output_tokens for usage, _ in read_answers({"usage": {"inputTokens": 9, "outputTokens": 2}})]
        [2]
    """
    try:
        if type(answer) in NEVER_ANSWERS:
            return []
        return _read(answer)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"reading the answer raised {name_of_type(type(error))}") from error


def _read(answer: Any) -> list[Answer]:
    usage = field_of(answer, "usage")
    if usage is not None:
        if type(usage) not in NEVER_ANSWERS and not callable(usage):
            found = _read_at("usage", answer, usage)
            if found is not None:
                return [(found, answer)]
        if not isinstance(answer, dict) and is_pydantic_ai(type(answer)):
            return [(read_pydantic_ai(message, part), message) for message, part in responses_of_run(answer)]
    metadata = field_of(answer, "usage_metadata")
    if metadata is not None and type(metadata) not in NEVER_ANSWERS and not callable(metadata):
        found = _read_at("usage_metadata", answer, metadata)
        if found is not None:
            return [(found, answer)]
    if isinstance(answer, dict):
        return _read_json(answer, usage)
    if usage is not None or metadata is not None:
        tell_unknown(answer, usage if usage is not None else metadata)
    return []


def _read_json(answer: Any, usage: Any) -> list[Answer]:
    """Read what only JSON has: Gemini's names on the wire, and answers that are wrapped into something."""
    metadata = answer.get("usageMetadata")
    if metadata is not None and type(metadata) not in NEVER_ANSWERS:
        found = _read_at("usageMetadata", answer, metadata)
        if found is not None:
            return [(found, answer)]
    if answer.get("custom_id") is not None:
        return _read_batch_line(answer)
    if usage is not None or metadata is not None:
        tell_unknown(answer, usage if usage is not None else metadata)
    return []


def _read_batch_line(line: Any) -> list[Answer]:
    """Read one line of a batch's results, which costs what batches cost, whatever the answer in it says."""
    body = field_of(field_of(line, "response"), "body")
    wrapped = body if body is not None else field_of(field_of(line, "result"), "message")
    if not isinstance(wrapped, dict) or "custom_id" in wrapped:
        return []
    return [(usage._replace(service_tier="batch"), wrapped) for usage, _ in _read(wrapped)]


def _read_at(place: str, answer: Any, usage: Any) -> Usage | None:
    kinds = (type(answer), type(usage))
    says_its_shape = not isinstance(usage, _ANY_SHAPE)
    if says_its_shape:
        # A missing field of the clients' models costs a microsecond: their classes are tried once.
        shape = _known.get(kinds)
        if shape is not None and _fits(shape, answer, usage):
            return shape.read(answer, usage)
    for shape in _SHAPES[place]:
        if _fits(shape, answer, usage):
            if says_its_shape:
                if len(_known) >= _MOST_KINDS:
                    _known.clear()
                _known[kinds] = shape
            return shape.read(answer, usage)
    if (
        place == "usage"
        and text_of(usage, "type") == "tokens"
        and field_of(usage, "input_tokens") is not None
    ):
        return openai.read_realtime(answer, usage)  # a plain transcription bears no mark of its own
    return None


_MOST_KINDS: Final = 256
# Everybody's answers may be of these classes.
_ANY_SHAPE: Final = (dict, SimpleNamespace)
_known: dict[tuple[type, type], _Shape] = {}


def _fits(shape: _Shape, answer: Any, usage: Any) -> bool:
    if field_of(usage, shape.counter) is None:
        return False
    return shape.mark is None or text_of(answer, shape.mark) == shape.mark_value
