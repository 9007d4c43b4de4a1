"""Follows a client's stream: its execution ends with it, or when nobody can take chunks from it any more."""

from collections.abc import Callable, Mapping
from typing import Any

from asp_telemetry.capture import state
from asp_telemetry.capture.answers.checks import counted_usage
from asp_telemetry.capture.stream import Stream
from asp_telemetry.guard import note, trouble
from asp_telemetry.usage import Usage

Estimate = Callable[[list[Any]], Mapping[str, int] | None]


class Watch(Stream):
    """Follow one client's stream."""

    __slots__ = ()

    def __init__(self, span: state.SpanList) -> None:
        super().__init__(span, is_answer=True)

    def leave(self) -> None:
        """Close the span of a stream that its consumer has closed, if it had not come to its end."""
        self.finish(None, left=True)

    def __del__(self) -> None:
        try:
            self.leave()
        except Exception as error:
            note("a stream that was left could not be concluded", error)


class EstimatingWatch(Watch):
    """Keep the chunks, for the user's own function to estimate the usage if the provider does not tell it."""

    __slots__ = ("_estimate", "_kept")

    def __init__(self, span: state.SpanList, estimate: Estimate) -> None:
        super().__init__(span)
        self._estimate = estimate
        self._kept: list[Any] = []

    def add(self, item: Any) -> None:
        """Take note of an item, and keep it."""
        self._kept.append(item)
        super().add(item)

    def _guess(self) -> Usage | None:
        kept, self._kept = self._kept, []
        try:
            counts = self._estimate(kept)
            return None if counts is None else counted_usage(**counts)
        except Exception as error:
            trouble("the estimate of a stream's usage failed", error)
            return None
