"""Write answers the way OpenAI and Anthropic put them on the wire, plain and as streams of events.

Formats: OpenAI API reference (chat completions, responses, embeddings), Anthropic API reference (messages).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
CREATED = 1_790_000_000  # every answer has the same time stamp: the stub is deterministic


@dataclass(frozen=True)
class Reply:
    """Hold what the stub answers, before it is put into a provider's words."""

    number: str
    model: str
    text: str
    tool: str | None
    arguments: Json
    fresh_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int

    @property
    def input_tokens(self) -> int:
        """Count the whole input, cached or not."""
        return self.fresh_tokens + self.cache_read_tokens + self.cache_write_tokens

    @property
    def total_tokens(self) -> int:
        """Count input and output together."""
        return self.input_tokens + self.output_tokens

    def pieces(self) -> list[str]:
        """Cut the text, or a tool call's arguments, into what a stream sends at a time."""
        whole = json.dumps(self.arguments) if self.tool else self.text
        return [whole[start : start + 12] for start in range(0, len(whole), 12)]


def text_of(content: object) -> str:
    """Join the text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(text_of(part.get("text") or part.get("content") or "") for part in parts)


# OpenAI chat completions


def chat_completion(reply: Reply) -> Json:
    """Write a chat completion."""
    message: Json = {"role": "assistant", "content": None if reply.tool else reply.text, "refusal": None}
    if reply.tool:
        message["tool_calls"] = [_chat_tool_call(reply, json.dumps(reply.arguments))]
    choice = {"index": 0, "message": message, "finish_reason": _chat_finish(reply), "logprobs": None}
    return _chat_head(reply, "chat.completion") | {"choices": [choice], "usage": _chat_usage(reply)}


def chat_chunks(reply: Reply, *, include_usage: bool) -> Iterator[Json]:
    """Write a chat completion as chunks; its usage comes last and only when it was asked for."""
    head = _chat_head(reply, "chat.completion.chunk") | ({"usage": None} if include_usage else {})

    def chunk(delta: Json, finish: str | None = None) -> Json:
        return head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]}

    yield chunk({"role": "assistant", "content": None if reply.tool else ""})
    if reply.tool:
        yield chunk({"tool_calls": [{"index": 0} | _chat_tool_call(reply, "")]})
    for piece in reply.pieces():
        called = {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
        yield chunk(called if reply.tool else {"content": piece})
    yield chunk({}, _chat_finish(reply))
    if include_usage:
        yield head | {"choices": [], "usage": _chat_usage(reply)}


def _chat_head(reply: Reply, kind: str) -> Json:
    return {
        "id": f"chatcmpl-{reply.number}",
        "object": kind,
        "created": CREATED,
        "model": reply.model,
        "service_tier": "default",
        "system_fingerprint": "fp_stub",
    }


def _chat_tool_call(reply: Reply, arguments: str) -> Json:
    function = {"name": reply.tool, "arguments": arguments}
    return {"id": f"call_{reply.number}", "type": "function", "function": function}


def _chat_finish(reply: Reply) -> str:
    return "tool_calls" if reply.tool else "stop"


def _chat_usage(reply: Reply) -> Json:
    return {
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.total_tokens,
        "prompt_tokens_details": {"cached_tokens": reply.cache_read_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reply.reasoning_tokens, "audio_tokens": 0},
    }


def embeddings(model: str, inputs: list[str], tokens: int) -> Json:
    """Write embeddings of eight dimensions."""
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": [round(len(text) / (n + 7), 6) for n in range(8)],
        }
        for index, text in enumerate(inputs)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "model": model, "data": data, "usage": usage}


# OpenAI responses


def response(reply: Reply) -> Json:
    """Write an answer of the responses API."""
    return _response(reply, "completed", [_response_item(reply)], _response_usage(reply))


def response_events(reply: Reply) -> Iterator[Json]:
    """Write an answer of the responses API as events; its usage comes with the last one."""
    item = _response_item(reply)
    nothing: Json = {"arguments": ""} if reply.tool else {"content": []}
    begun = item | nothing | {"status": "in_progress"}
    events: list[Json] = [
        {"type": "response.created", "response": _response(reply, "in_progress", [], None)},
        {"type": "response.output_item.added", "output_index": 0, "item": begun},
    ]
    place = {"item_id": item["id"], "output_index": 0}
    if reply.tool:
        done = place | {"name": reply.tool, "arguments": item["arguments"]}
        kind = {"type": "response.function_call_arguments.delta"}
        events.extend(place | kind | {"delta": piece} for piece in reply.pieces())
        events.append(done | {"type": "response.function_call_arguments.done"})
    else:
        place["content_index"] = 0
        part = item["content"][0]
        events.append(place | {"type": "response.content_part.added", "part": part | {"text": ""}})
        kind = {"type": "response.output_text.delta"}
        events.extend(place | kind | {"delta": piece, "logprobs": []} for piece in reply.pieces())
        events.append(place | {"type": "response.output_text.done", "text": reply.text, "logprobs": []})
        events.append(place | {"type": "response.content_part.done", "part": part})
    events.append({"type": "response.output_item.done", "output_index": 0, "item": item})
    events.append({"type": "response.completed", "response": response(reply)})
    for number, event in enumerate(events):
        yield event | {"sequence_number": number}


def _response(reply: Reply, status: str, output: list[Json], usage: Json | None) -> Json:
    return {
        "id": f"resp_{reply.number}",
        "object": "response",
        "created_at": CREATED,
        "model": reply.model,
        "status": status,
        "output": output,
        "usage": usage,
        "service_tier": "default",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
    }


def _response_item(reply: Reply) -> Json:
    if reply.tool:
        call = {
            "name": reply.tool,
            "arguments": json.dumps(reply.arguments),
            "call_id": f"call_{reply.number}",
        }
        return call | {"id": f"fc_{reply.number}", "type": "function_call", "status": "completed"}
    text = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
    message = {"id": f"item_{reply.number}", "type": "message", "role": "assistant", "status": "completed"}
    return message | {"content": [text]}


def _response_usage(reply: Reply) -> Json:
    return {
        "input_tokens": reply.input_tokens,
        "input_tokens_details": {"cached_tokens": reply.cache_read_tokens, "cache_write_tokens": 0},
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
        "total_tokens": reply.total_tokens,
    }


# Anthropic messages


def message(reply: Reply) -> Json:
    """Write a message; what was read from a cache or written to one is not in its `input_tokens`."""
    return _message(reply, [_message_block(reply)], _message_stop(reply), _message_usage(reply))


def message_events(reply: Reply) -> Iterator[Json]:
    """Write a message as events: usage at the start, then the running total of the output at the end."""
    block = _message_block(reply)
    first_usage = _message_usage(reply) | {"output_tokens": 1}
    yield {"type": "message_start", "message": _message(reply, [], None, first_usage)}
    nothing: Json = {"input": {}} if reply.tool else {"text": ""}
    yield {"type": "content_block_start", "index": 0, "content_block": block | nothing}
    yield {"type": "ping"}
    for piece in reply.pieces():
        delta = {"partial_json": piece, "type": "input_json_delta"} if reply.tool else {"text": piece}
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta"} | delta}
    yield {"type": "content_block_stop", "index": 0}
    stop = {"stop_reason": _message_stop(reply), "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": reply.output_tokens}}
    yield {"type": "message_stop"}


def _message(reply: Reply, content: list[Json], stop: str | None, usage: Json) -> Json:
    return {
        "id": f"msg_{reply.number}",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }


def _message_block(reply: Reply) -> Json:
    if reply.tool:
        return {
            "type": "tool_use",
            "id": f"toolu_{reply.number}",
            "name": reply.tool,
            "input": reply.arguments,
        }
    return {"type": "text", "text": reply.text, "citations": None}


def _message_stop(reply: Reply) -> str:
    return "tool_use" if reply.tool else "end_turn"


def _message_usage(reply: Reply) -> Json:
    return {
        "input_tokens": reply.fresh_tokens,
        "output_tokens": reply.output_tokens,
        "cache_read_input_tokens": reply.cache_read_tokens,
        "cache_creation_input_tokens": reply.cache_write_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": reply.cache_write_tokens,
            "ephemeral_1h_input_tokens": 0,
        },
        "service_tier": "standard",
    }
