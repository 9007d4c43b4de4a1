"""Follow the chunks of a streamed answer and keep what they say about its usage.

Providers tell the usage of a stream in one or two of its chunks; the other hundreds are text. So a chunk's
class is looked at once, and remembered is only how to look at its instances: not at all, for most.

Wire formats: OpenAI chat completion chunks (usage in the last chunk, with empty `choices`) and responses
events (usage in the terminal event); Anthropic message events (usage in `message_start`, running totals in
`message_delta`), and the richer events of both client libraries' own stream helpers.
"""

from collections.abc import Callable
from typing import Any, Final

from asp_telemetry.capture.answers.anthropic import read_message
from asp_telemetry.capture.answers.fields import UsageError, field_of
from asp_telemetry.capture.answers.table import read_usage
from asp_telemetry.usage import Usage

_MOST_ANSWERS: Final = 256  # one generator may relay the streams of many calls, but memory stays bounded
_MOST_CLASSES: Final = 512


class StreamUsage:
    """Accumulate the usage of one stream; it never raises, whatever the chunks do when they are touched.

    A generator may relay several answers one after the other, as an agent's tool loop does. Chunks with the
    response id of the answer before them replace its figures, because every provider sends running totals.

    Attributes:
        chunks: How many chunks went by.
        error: Why something that looked like usage was not counted (the first reason), else None.
        dropped: How many answers came after the first 256 and were not kept.

    Example:
        >>> stream = StreamUsage()
        >>> stream.add({"id": "c", "choices": [{"delta": {"content": "Hi"}}], "usage": None})
        >>> stream.add({"id": "c", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1}})
        >>> stream.chunks, stream.result().output_tokens
        (2, 1)
    """

    __slots__ = ("_answers", "_begun", "_provider_chunk", "_tellers", "chunks", "dropped", "error")

    def __init__(self) -> None:
        self.chunks = 0
        self.dropped = 0
        self.error: str | None = None
        self._answers: list[Usage] = []
        self._tellers: list[object] = []
        self._begun: object = None
        self._provider_chunk: object = None

    def add(self, chunk: object) -> None:
        """Take note of one chunk.

        Args:
            chunk: Whatever the stream yielded.

        Example:
            >>> StreamUsage().add("just text")
        """
        self.chunks += 1
        try:
            look = _LOOKS[type(chunk)]
        except KeyError:
            look = _learn(type(chunk))
        except Exception:  # a metaclass may define a hash that raises; no provider's class does
            return
        if look is not None:
            try:
                look(self, chunk)
            except Exception as error:
                self._note(error)

    @property
    def saw_provider_chunks(self) -> bool:
        """Tell whether chunks of a known provider went by, so that missing usage is worth a warning."""
        return self._provider_chunk is not None

    @property
    def model(self) -> str | None:
        """Name the model as the provider's chunks do, also when the stream ended without usage."""
        if self._answers:
            return self._answers[-1].model
        try:
            model = field_of(self._provider_chunk, "model")
        except Exception as error:
            self._note(error)
            return None
        return model if type(model) is str else None

    def result(self) -> Usage | None:
        """Give the usage of the last answer in the stream, as far as it was told.

        Returns:
            The usage, or None when no chunk carried any.

        Example:
            >>> StreamUsage().result() is None
            True
        """
        return self._answers[-1] if self._answers else None

    def results(self) -> tuple[Usage, ...]:
        """Give the usage of every answer in the stream, in the order in which they began.

        Returns:
            One usage per response id; empty when no chunk carried any.

        Example:
            >>> StreamUsage().results()
            ()
        """
        return tuple(self._answers)

    def told(self) -> list[tuple[Usage, object]]:
        """Give the usage of every answer with the chunk that told it: what knows an answer that has no id.

        Returns:
            Pairs in the order in which the answers began.

        Example:
            >>> StreamUsage().told()
            []
        """
        return list(zip(self._answers, self._tellers, strict=True))

    def _keep(self, usage: Usage | None, teller: object) -> None:
        if usage is None:
            return
        answers = self._answers
        if answers and _is_same_answer(answers[-1], usage):
            answers[-1] = usage
            self._tellers[-1] = teller
        elif len(answers) < _MOST_ANSWERS:
            answers.append(usage)
            self._tellers.append(teller)
        else:
            self.dropped += 1

    def _note(self, error: Exception) -> None:
        if self.error is None:
            self.error = (
                str(error) if isinstance(error, UsageError) else "reading a chunk raised an exception"
            )


def _is_same_answer(before: Usage, now: Usage) -> bool:
    if before.response_id != now.response_id:
        return False
    # Without ids, running totals of one answer look alike; embeddings have no ids either, but each is its own.
    return now.response_id is not None or None not in (before.output_tokens, now.output_tokens)


_Look = Callable[[StreamUsage, Any], None]


def _look_at_answer(stream: StreamUsage, chunk: Any) -> None:
    if field_of(chunk, "usage") is not None:
        _take_answer(stream, chunk)
    elif field_of(chunk, "choices") is not None:
        stream._provider_chunk = chunk  # noqa: SLF001


def _look_at_chat(stream: StreamUsage, chunk: Any) -> None:
    stream._provider_chunk = chunk  # noqa: SLF001
    if chunk.usage is not None:
        _take_answer(stream, chunk)


def _look_at_event(stream: StreamUsage, chunk: Any) -> None:
    kind = chunk.type
    take = _EVENTS.get(kind) if type(kind) is str else None
    if take is not None:
        take(stream, chunk)


def _look_at_anything(stream: StreamUsage, chunk: Any) -> None:
    kind = field_of(chunk, "type")
    take = _EVENTS.get(kind) if type(kind) is str else None
    if take is not None:
        take(stream, chunk)
    else:
        _look_at_answer(stream, chunk)


def _take_answer(stream: StreamUsage, answer: Any) -> None:
    usage = read_usage(answer)
    if usage is not None:
        stream._provider_chunk = answer  # noqa: SLF001
        stream._keep(usage, answer)  # noqa: SLF001


def _take_response(stream: StreamUsage, event: Any) -> None:
    response = field_of(event, "response")
    if field_of(response, "object") == "response":
        stream._provider_chunk = response  # noqa: SLF001
        _take_answer(stream, response)


def _take_chat_chunk(stream: StreamUsage, event: Any) -> None:
    chunk = field_of(event, "chunk")
    if chunk is not None:
        _look_at_answer(stream, chunk)


def _begin_message(stream: StreamUsage, event: Any) -> None:
    message = field_of(event, "message")
    if field_of(message, "type") != "message":
        return
    stream._begun = stream._provider_chunk = message  # noqa: SLF001
    stream._keep(read_usage(message), message)  # noqa: SLF001


def _continue_message(stream: StreamUsage, event: Any) -> None:
    later = field_of(event, "usage")
    if field_of(later, "output_tokens") is None:
        return
    begun = stream._begun  # noqa: SLF001
    if begun is None:
        stream._provider_chunk = event  # noqa: SLF001
    stream._keep(read_message(begun, field_of(begun, "usage"), later), event)  # noqa: SLF001


def _end_message(stream: StreamUsage, event: Any) -> None:
    _take_answer(stream, field_of(event, "message"))


_EVENTS: Final[dict[str, _Look]] = {
    "chunk": _take_chat_chunk,
    "message": _take_answer,
    "message_start": _begin_message,
    "message_delta": _continue_message,
    "message_stop": _end_message,
    "response.created": _take_response,
    "response.completed": _take_response,
    "response.incomplete": _take_response,
    "response.failed": _take_response,
}
_PLAIN_LOOKS: Final[dict[type, _Look | None]] = {
    **dict.fromkeys((type(None), bool, int, float, complex, str, bytes, bytearray, list, tuple, set)),
    dict: _look_at_anything,
}
_LOOKS: Final[dict[type, _Look | None]] = dict(_PLAIN_LOOKS)


def _learn(kind: type) -> _Look | None:
    """Decide how to look at a class: models of the client libraries declare what they can carry."""
    declared = kind.__dict__.get("__pydantic_fields__")
    look: _Look | None = _look_at_anything
    if type(declared) is dict:
        if "type" in declared:
            look = _look_at_event if declared.keys() & {"usage", "message", "response", "chunk"} else None
        elif "usage" in declared:
            look = _look_at_chat if "choices" in declared else _look_at_answer
        else:
            look = None
    if len(_LOOKS) >= _MOST_CLASSES:
        # Classes made on the fly would otherwise be kept alive for ever; the usual ones are learned again.
        _LOOKS.clear()
        _LOOKS.update(_PLAIN_LOOKS)
    _LOOKS[kind] = look
    return look
