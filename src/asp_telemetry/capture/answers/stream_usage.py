"""Put together what the chunks of a streamed answer say about its usage.

A chunk's class is looked at once, and remembered is only how to look at its instances (`stream_looks`): providers
tell the usage of a stream in one or two of its chunks, and the other hundreds are text.
"""

from typing import Final

from asp_telemetry.capture.answers.fields import UsageError, field_of, sum_of
from asp_telemetry.capture.answers.stream_looks import look_for
from asp_telemetry.usage import Usage

_MOST_ANSWERS: Final = 256  # one generator may relay the streams of many calls, but memory stays bounded
_ADDED: Final = tuple(name for name, kind in Usage.__annotations__.items() if "int" in str(kind))


class StreamUsage:
    """Accumulate the usage of one stream; it never raises, whatever the chunks do when they are touched.

    A generator may relay several answers one after the other, as an agent's tool loop does. Chunks with the
    response id of the answer before them replace its figures, because every provider sends running totals.

    Attributes:
        provider_chunk: The last chunk of a known provider that went by, else None.
        last_but_one: Of a chat, the chunk before.
        before_last: And the one before that.
        pending_calls: How many calls of tools went by since usage was last told.
        begun: What a message's stream began with.
        error: Why something that looked like usage was not counted (the first reason), else None.
        dropped: How many answers came after the first 256 and were not kept.

    Example:
        >>> stream = StreamUsage()
        >>> stream.add({"id": "c", "choices": [{"delta": {"content": "Hi"}}], "usage": None})
        >>> stream.add({"id": "c", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1}})
        >>> stream.result().output_tokens
        1
    """

    __slots__ = (
        "_answers", "_tellers", "before_last", "begun", "dropped", "error", "last_but_one", "pending_calls",
        "provider_chunk",
    )  # fmt: skip

    def __init__(self) -> None:
        self.dropped = 0
        self.error: str | None = None
        self.begun: object = None
        self.provider_chunk: object = None
        self.last_but_one: object = None
        self.before_last: object = None
        self.pending_calls = 0
        self._answers: list[Usage] = []
        self._tellers: list[object] = []

    def add(self, chunk: object) -> None:
        """Take note of one chunk.

        Args:
            chunk: Whatever the stream yielded.

        Example:
            >>> StreamUsage().add("just text")
        """
        look = look_for(chunk)
        if look is not None:
            try:
                look(self, chunk)
            except Exception as error:
                self.note(error)

    @property
    def saw_provider_chunks(self) -> bool:
        """Tell whether chunks of a known provider went by, so that missing usage is worth a warning."""
        return self.provider_chunk is not None

    @property
    def model(self) -> str | None:
        """Name the model as the provider's chunks do, also when the stream ended without usage."""
        if self._answers:
            return self._answers[-1].model
        try:
            model = field_of(self.provider_chunk, "model")
        except Exception as error:
            self.note(error)
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
        if self.pending_calls and self.begun is not None and self._answers:
            # A message whose stream was left before its next running total.
            self.keep(self._answers[-1]._replace(tool_calls=None), self._tellers[-1])
        return list(zip(self._answers, self._tellers, strict=True))

    def keep(self, usage: Usage | None, teller: object, *, added: bool = False) -> None:
        """Keep what a chunk says of an answer: a running total, or a part that is added to those before it.

        Args:
            usage: The chunk's figures.
            teller: The chunk.
            added: Whether they come in parts, as LangChain's do.
        """
        if usage is None:
            return
        answers = self._answers
        calls, self.pending_calls = self.pending_calls, 0
        if answers and _is_same_answer(answers[-1], usage):
            before = answers[-1]
            answers[-1] = _sum(before, usage) if added else _newest(before, usage, calls)
            self._tellers[-1] = teller
        elif len(answers) < _MOST_ANSWERS:
            answers.append(usage._replace(tool_calls=calls) if calls and usage.tool_calls is None else usage)
            self._tellers.append(teller)
        else:
            self.dropped += 1

    def note(self, error: Exception) -> None:
        """Keep the first reason why a chunk could not be read."""
        if self.error is None:
            self.error = (
                str(error) if isinstance(error, UsageError) else "reading a chunk raised an exception"
            )


def _is_same_answer(before: Usage, now: Usage) -> bool:
    if before.response_id != now.response_id:
        return False
    # Without ids, running totals of one answer look alike; embeddings have no ids either, but each is its own.
    return now.response_id is not None or None not in (before.output_tokens, now.output_tokens)


def _newest(before: Usage, usage: Usage, calls: int) -> Usage:
    """Replace running totals; calls of tools are told by and by, unless the chunk has the whole answer."""
    if usage.tool_calls is None and (calls or before.tool_calls):
        usage = usage._replace(tool_calls=(before.tool_calls or 0) + calls)
    return usage


def _sum(before: Usage, part: Usage) -> Usage:
    """Add up the parts of an answer; what else is known of it may come with any of them."""
    now = part._asdict()
    for name, value in before._asdict().items():
        if name in _ADDED:
            now[name] = sum_of(value, now[name])
        elif now[name] is None:
            now[name] = value
    return Usage(**now)
