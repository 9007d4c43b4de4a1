"""Watches the items of one tracked generator: when the first came, how many there were, and their usage."""

from time import perf_counter_ns
from typing import Any

from asp_telemetry.capture import state
from asp_telemetry.capture.details import add_usage, details_of
from asp_telemetry.capture.lifecycle import fail, finish
from asp_telemetry.capture.stream_usage import StreamUsage
from asp_telemetry.guard import trouble
from asp_telemetry.journal.layout import CLOCK, FLAGS, SITE, STATE, Flag

# Of other generators, a retriever's say, the first item is no token.
_SPEAKING = frozenset({"agent", "generation"})


class Stream:
    """Follow one generator from its first item to its end."""

    __slots__ = ("_first_token_ns", "_span", "_usage")

    def __init__(self, span: state.SpanList) -> None:
        self._span = span
        self._usage = StreamUsage()
        self._first_token_ns: int | None = None

    def add(self, item: Any) -> None:
        """Take note of an item on its way to the consumer."""
        if self._first_token_ns is None:
            self._first_token_ns = perf_counter_ns() - self._span[CLOCK]
        self._usage.add(item)

    def finish(self, value: Any, *, left: bool) -> None:
        """Close the span of a generator that has come to its end; it returned because it was left, or by itself."""
        if left and not self._span[STATE]:
            self._span[FLAGS] |= int(Flag.INCOMPLETE)
        self._conclude()
        finish(self._span, value)

    def fail(self, error: BaseException) -> None:
        """Close the span of a generator that failed or was left; what was known of its usage is kept."""
        self._conclude()
        fail(self._span, error)

    def _conclude(self) -> None:
        span, usage = self._span, self._usage
        if span[STATE] or not usage.chunks:
            return
        try:
            details = details_of(span)
            details.chunks = usage.chunks
            if span[SITE].kind in _SPEAKING or usage.saw_provider_chunks:
                details.first_token_ns = self._first_token_ns
            for answer, teller in usage.told():
                add_usage(span, answer, teller, explicit=False)
            if usage.error is not None:
                trouble("a stream's usage could not be read", remedy=usage.error)
            if usage.dropped:
                trouble(
                    "a stream relayed more answers than can be told apart", remedy="track each call by itself"
                )
            if usage.saw_provider_chunks:
                details.source = "provider" if usage.results() else "missing"
        except Exception as error:
            trouble("a stream could not be concluded", error)
