"""Watches the items of one stream: when the first came, how many there were, and what they say of their usage."""

from time import perf_counter_ns
from typing import Any, Final

from asp_telemetry.capture import state
from asp_telemetry.capture.answers.fields import field_of
from asp_telemetry.capture.answers.stream_looks import LOOKS, look_for
from asp_telemetry.capture.answers.stream_usage import StreamUsage
from asp_telemetry.capture.content import captures, content
from asp_telemetry.capture.details import Details, add_usage, details_of
from asp_telemetry.capture.lifecycle import fail, finish
from asp_telemetry.capture.stream_content import StreamContent
from asp_telemetry.guard import note, trouble
from asp_telemetry.journal.layout import CLOCK, FLAGS, SITE, STATE, Flag
from asp_telemetry.usage import Usage

# Of other generators, a retriever's say, the first item is no token.
_SPEAKING: Final = frozenset({"agent", "generation"})
_MOST_MODELS: Final = 256
_LONGEST_MODEL: Final = 100
_told_of: set[str] = set()


class Stream:
    """Follow one stream from its first item to its end.

    Args:
        span: The stream's execution, which ends with it.
        is_answer: Whether it is a model's answer for sure; else that shows in its items.
    """

    __slots__ = ("_chunks", "_content", "_first_token_ns", "_is_answer", "_span", "_usage")

    def __init__(self, span: state.SpanList, *, is_answer: bool = False) -> None:
        self._span = span
        self._usage = StreamUsage()
        self._chunks = 0
        self._first_token_ns: int | None = None
        self._is_answer = is_answer
        self._content: StreamContent | None = None
        if state.may_capture and not span[STATE] and captures(span):
            self._content = StreamContent()

    def add(self, item: Any) -> None:
        """Take note of an item on its way to the consumer."""
        chunks = self._chunks
        self._chunks = chunks + 1
        if not chunks:
            self._first_token_ns = perf_counter_ns() - self._span[CLOCK]
        # Most chunks go no further than this: their class is known to carry nothing, or how to look at it.
        try:
            look = LOOKS[type(item)]
        except Exception:
            look = look_for(item)
        if look is not None:
            try:
                look(self._usage, item)
            except Exception as error:
                self._usage.note(error)
        if self._content is not None:
            self._keep(item)

    def _keep(self, item: Any) -> None:
        assert self._content is not None
        try:
            self._content.add(item)
        except Exception as error:
            self._content = None
            trouble("the content of a stream could not be kept", error)

    def finish(self, value: Any, *, left: bool) -> None:
        """Close the span of a stream that has come to its end; it returned because it was left, or by itself."""
        if left and not self._span[STATE]:
            self._span[FLAGS] |= int(Flag.INCOMPLETE)
        self._conclude(complete=not left)
        finish(self._span, value)

    def fail(self, error: BaseException) -> None:
        """Close the span of a stream that failed or was left; what was known of its usage is kept."""
        self._conclude(complete=False)
        fail(self._span, error)

    def _conclude(self, *, complete: bool) -> None:
        span = self._span
        if span[STATE] or not (self._chunks or self._is_answer):
            return
        try:
            self._tell(span, details_of(span), complete=complete)
        except Exception as error:
            trouble("a stream could not be concluded", error)

    def _tell(self, span: state.SpanList, details: Details, *, complete: bool) -> None:
        usage = self._usage
        details.chunks = self._chunks
        if self._content is not None and details.output is None:
            said = self._content.value()
            details.output = None if said is None else content(said)
        is_answer = self._is_answer or usage.saw_provider_chunks
        if self._chunks and (is_answer or span[SITE].kind in _SPEAKING):
            details.first_token_ns = self._first_token_ns
        told = usage.told()
        for answer, teller in told:
            add_usage(span, answer, teller, explicit=False)
        if usage.error is not None:
            trouble("a stream's usage could not be read", remedy=usage.error)
        if usage.dropped:
            trouble(
                "a stream relayed more answers than can be told apart", remedy="track each call by itself"
            )
        if not is_answer or (details.explicit and not told):
            return  # no answer, or one whose usage the user's own code has recorded
        details.source = "provider" if told else "missing"
        if details.source == "missing":
            guess = self._guess()
            if guess is not None:
                add_usage(span, guess._replace(model=usage.model), None, explicit=False)
                details.source = "estimated"
            elif complete:
                _warn(usage.model or span[SITE].facts["model"], usage.provider_chunk)

    def _guess(self) -> Usage | None:
        """Estimate what the provider did not tell, where somebody has said how."""
        return None


def _warn(model: str | None, chunk: object) -> None:
    """Say once for each model that its streams end without usage, and which option changes that."""
    name = "an unnamed model" if model is None else model[:_LONGEST_MODEL]
    if name not in _told_of:
        if len(_told_of) >= _MOST_MODELS:
            name = "further models"
        _told_of.add(name)
    if field_of(chunk, "tool_call_chunks") is not None:
        remedy = "create the chat model with stream_usage=True"
    elif field_of(chunk, "choices") is not None:
        remedy = 'ask with stream_options={"include_usage": True}'
    else:
        remedy = "its last event did not come, or its shape is unknown: asp.track_stream(..., estimate=...) counts it"
    note(f"a stream of {name} ended without usage", remedy=remedy)
