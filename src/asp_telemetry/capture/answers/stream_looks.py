"""Knows how to look at the chunks of each kind of stream: not at all, for most.

Wire formats: OpenAI chat completion chunks (usage in the last chunk, with empty `choices`), responses events
(usage in the terminal event), audio and realtime events; Anthropic message events (usage in `message_start`,
running totals in `message_delta`), and the richer events of both client libraries' own stream helpers; Gemini
chunks (running totals); the Interactions API's last event; Bedrock's `metadata` event; LangChain's message chunks
(parts that add up).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from asp_telemetry.capture.answers.anthropic import read_message
from asp_telemetry.capture.answers.bedrock import read_converse
from asp_telemetry.capture.answers.fields import field_of, items_of, text_of
from asp_telemetry.capture.answers.google import calls_in
from asp_telemetry.capture.answers.table import read_answers

if TYPE_CHECKING:
    from asp_telemetry.capture.answers.stream_usage import StreamUsage

Look = Callable[["StreamUsage", Any], None]
_MOST_CLASSES: Final = 512
_MOST_CALLS: Final = 4096


def look_for(chunk: object) -> Look | None:
    """Return how to look at a chunk, None if there is nothing to see."""
    try:
        return LOOKS[type(chunk)]
    except KeyError:
        return learn(type(chunk))
    except Exception:  # a metaclass may define a hash that raises; no provider's class does
        return None


def _look_at_chat(stream: "StreamUsage", chunk: Any) -> None:
    """Look at a chunk of the openai client, which has all of these fields."""
    stream.before_last, stream.last_but_one = stream.last_but_one, stream.provider_chunk
    stream.provider_chunk = chunk
    if chunk.usage is not None:
        _take_chat(stream, chunk)


def _look_at_answer(stream: "StreamUsage", chunk: Any) -> None:
    is_chat = field_of(chunk, "choices") is not None
    if is_chat:
        stream.before_last, stream.last_but_one = stream.last_but_one, stream.provider_chunk
        stream.provider_chunk = chunk
    if field_of(chunk, "usage") is not None:
        if is_chat:
            _take_chat(stream, chunk)
        else:
            _take_answer(stream, chunk)
    elif field_of(chunk, "usage_metadata") is not None:
        _take_answer(stream, chunk)


def _take_chat(stream: "StreamUsage", chunk: Any) -> None:
    """Take a chat's running total, and the number of calls from the chunks before.

    The pieces of a call bear its place among the calls, so that the last piece tells how many there are; looking
    into every chunk for it would cost as much as all the rest. After it come at most the chunk with the reason
    why the answer ended, and the one with the usage.
    """
    for usage, teller in read_answers(chunk):
        calls = usage.tool_calls or 0
        if usage.tool_calls is None:
            for earlier in (stream.before_last, stream.last_but_one, chunk):
                if earlier is not None and text_of(earlier, "id") == usage.response_id:
                    calls = max(calls, _calls_so_far(earlier))
            known = stream.result()
            if known is not None and known.response_id == usage.response_id is not None:
                calls = max(calls, known.tool_calls or 0)
        stream.provider_chunk = teller
        stream.keep(usage._replace(tool_calls=calls or None), teller)


def _calls_so_far(chunk: Any) -> int:
    highest = 0
    for choice in items_of(chunk, "choices"):
        for call in items_of(field_of(choice, "delta"), "tool_calls"):
            index = field_of(call, "index")
            if type(index) is int and 0 <= index < _MOST_CALLS:
                highest = max(highest, index + 1)
    return highest


def _look_at_gemini(stream: "StreamUsage", chunk: Any) -> None:
    stream.provider_chunk = chunk
    calls = calls_in(chunk)
    stream.pending_calls += calls
    for usage, teller in read_answers(chunk):
        stream.keep(usage._replace(tool_calls=None), teller)


def _look_at_langchain(stream: "StreamUsage", chunk: Any) -> None:
    stream.provider_chunk = chunk
    for call in items_of(chunk, "tool_call_chunks"):
        stream.pending_calls += field_of(call, "name") is not None
    for usage, teller in read_answers(chunk):
        # What a chunk shows as its calls are those whose pieces it holds; the pieces were counted above.
        calls, stream.pending_calls = stream.pending_calls, 0
        known = stream.result()
        same = known is not None and known.response_id == usage.response_id
        stream.keep(usage._replace(tool_calls=calls or None), teller, added=same)


def _look_at_event(stream: "StreamUsage", chunk: Any) -> None:
    kind = chunk.type
    take = _EVENTS.get(kind) if type(kind) is str else None
    if take is not None:
        take(stream, chunk)


def _look_at_interaction(stream: "StreamUsage", chunk: Any) -> None:
    interaction = field_of(chunk, "interaction")
    if interaction is not None:
        stream.provider_chunk = interaction
        if field_of(interaction, "usage") is not None:
            _take_answer(stream, interaction)


def _look_at_anything(stream: "StreamUsage", chunk: Any) -> None:
    kind = field_of(chunk, "type")
    take = _EVENTS.get(kind) if type(kind) is str else None
    if take is not None:
        take(stream, chunk)
    elif kind is None and field_of(chunk, "interaction") is not None:
        _look_at_interaction(stream, chunk)
    else:
        _look_at_answer(stream, chunk)


def _look_at_json(stream: "StreamUsage", chunk: dict[Any, Any]) -> None:
    if len(chunk) == 1:
        # Each of Bedrock's events is a dict of its only field.
        (name,) = chunk
        take = _BEDROCK_EVENTS.get(name) if type(name) is str else None
        if take is not None:
            take(stream, chunk[name])
            return
    if "candidates" in chunk or "usageMetadata" in chunk:
        _look_at_gemini(stream, chunk)
    else:
        _look_at_anything(stream, chunk)


def _take_answer(stream: "StreamUsage", answer: Any) -> None:
    for usage, teller in read_answers(answer):
        stream.provider_chunk = teller
        stream.keep(usage, teller)


def _take_response(stream: "StreamUsage", event: Any) -> None:
    response = field_of(event, "response")
    if field_of(response, "object") in {"response", "realtime.response"}:
        stream.provider_chunk = response
        _take_answer(stream, response)


def _take_chat_chunk(stream: "StreamUsage", event: Any) -> None:
    chunk = field_of(event, "chunk")
    if chunk is not None:
        _look_at_answer(stream, chunk)


def _begin_message(stream: "StreamUsage", event: Any) -> None:
    message = field_of(event, "message")
    if field_of(message, "type") != "message":
        return
    stream.begun = stream.provider_chunk = message
    _take_answer(stream, message)


def _begin_block(stream: "StreamUsage", event: Any) -> None:
    if field_of(field_of(event, "content_block"), "type") == "tool_use":
        stream.pending_calls += 1


def _continue_message(stream: "StreamUsage", event: Any) -> None:
    later = field_of(event, "usage")
    if field_of(later, "output_tokens") is None:
        return
    begun = stream.begun
    if begun is None:
        stream.provider_chunk = event
    usage = read_message(begun, field_of(begun, "usage"), later)
    # The client's helper fills the message that it began with while the stream goes on.
    stream.keep(usage._replace(tool_calls=None), event)


def _end_message(stream: "StreamUsage", event: Any) -> None:
    _take_answer(stream, field_of(event, "message"))


def _begin_converse(stream: "StreamUsage", event: Any) -> None:
    if field_of(event, "role") is not None:
        stream.provider_chunk = event


def _begin_converse_block(stream: "StreamUsage", event: Any) -> None:
    if field_of(field_of(event, "start"), "toolUse") is not None:
        stream.pending_calls += 1


def _end_converse(stream: "StreamUsage", event: Any) -> None:
    usage = field_of(event, "usage")
    if field_of(usage, "inputTokens") is not None:
        stream.provider_chunk = event
        stream.keep(read_converse(event, usage), event)


_EVENTS: Final[dict[str, Look]] = {
    "chunk": _take_chat_chunk,
    "message": _take_answer,
    "message_start": _begin_message,
    "message_delta": _continue_message,
    "message_stop": _end_message,
    "content_block_start": _begin_block,
    "response.created": _take_response,
    "response.completed": _take_response,
    "response.incomplete": _take_response,
    "response.failed": _take_response,
    "response.done": _take_response,
    "transcript.text.done": _take_answer,
    "speech.audio.done": _take_answer,
    "conversation.item.input_audio_transcription.completed": _take_answer,
}
_BEDROCK_EVENTS: Final[dict[str, Look]] = {
    "messageStart": _begin_converse,
    "contentBlockStart": _begin_converse_block,
    "metadata": _end_converse,
}
_PLAIN_LOOKS: Final[dict[type, Look | None]] = {
    **dict.fromkeys((type(None), bool, int, float, complex, str, bytes, bytearray, list, tuple, set)),
    dict: _look_at_json,
}
LOOKS: Final[dict[type, Look | None]] = dict(_PLAIN_LOOKS)
_EVENT_FIELDS: Final = frozenset({"usage", "message", "response", "chunk", "content_block"})


def learn(kind: type) -> Look | None:
    """Decide how to look at a class: models of the client libraries declare what they can carry."""
    declared = kind.__dict__.get("__pydantic_fields__")
    look: Look | None = _look_at_anything
    if type(declared) is dict:
        look = _look_by_fields(declared)
    if len(LOOKS) >= _MOST_CLASSES:
        # Classes made on the fly would otherwise be kept alive for ever; the usual ones are learned again.
        LOOKS.clear()
        LOOKS.update(_PLAIN_LOOKS)
    LOOKS[kind] = look
    return look


def _look_by_fields(declared: dict[str, Any]) -> Look | None:
    look: Look | None = None
    if "usage_metadata" in declared:
        look = _look_at_langchain if "tool_call_chunks" in declared else _look_at_gemini
    elif "interaction" in declared:
        look = _look_at_interaction
    elif "type" in declared:
        look = _look_at_event if not _EVENT_FIELDS.isdisjoint(declared) else None
    elif "choices" in declared:
        # LiteLLM's chunks have `usage` only where there is some.
        look = _look_at_chat if "usage" in declared else _look_at_answer
    elif "usage" in declared:
        look = _look_at_answer
    return look
