"""Knows a model call again that was seen twice but has no id in common: by its model and its exact counts.

An answer is counted once by its response id. But some instrumentations report none (embeddings have none, and
OpenInference hides it with the content), and whoever records bare counts names none. Then two reports are of one call
if at least one of them has no id, both have the same tokens (or one the same without those from a cache), their
models do not contradict each other, and one was recorded on the very execution, or on one around it, in which the instrumentation saw the call. In each execution a report stands
for one other only, so two equal calls stay two. Whatever else differs in a single token is another call.
"""

from collections.abc import Callable
from typing import Any

from asp_telemetry.capture import state
from asp_telemetry.journal.layout import DETAILS, PARENT, SITE, SPAN_ID, STATE
from asp_telemetry.usage import Usage

_MOST_SIGHTINGS = 64


class Sightings:
    """Hold what instrumentations have seen within one execution while it is open.

    Attributes:
        usages: What they have counted and nobody else has reported yet.
        twins: What was recorded on the execution first, and stands for what they have seen since.
        direct: Whether the execution is the innermost around any of it.
    """

    __slots__ = ("direct", "twins", "usages")

    def __init__(self) -> None:
        self.usages: list[Usage] = []
        self.twins: list[Usage] = []
        self.direct = False

    def take(self, usage: Usage) -> bool:
        """Tell whether an instrumentation has counted a call already; each sighting stands for one report.

        Args:
            usage: What is now recorded or detected on the execution.

        Returns:
            True if the call has been counted.
        """
        for place, seen in enumerate(self.usages):
            if _same_call(seen, usage):
                del self.usages[place]
                return True
        return False

    def pair(self, recorded: list[Usage], usage: Usage) -> bool:
        """Tell whether a call has been recorded on the execution, and by what no other call has been stood for.

        Args:
            recorded: What has been recorded or detected on the execution.
            usage: What an instrumentation now reports.

        Returns:
            True if it has.
        """
        for own in recorded:
            if _same_call(own, usage) and not any(own is twin for twin in self.twins):
                self.twins.append(own)
                return True
        return False


def is_recorded(span: state.SpanList | None, usage: Usage) -> bool:
    """Tell whether a call that an instrumentation reports has been recorded on an execution around it.

    Args:
        span: The innermost execution around the call.
        usage: What the instrumentation reports.

    Returns:
        True if it has, and no other report has stood for it.
    """
    for around in _spans_around(span):
        details = around[DETAILS]
        if details is not None and details.usage:
            details.seen = details.seen or Sightings()
            if details.seen.pair(details.usage, usage):
                return True
    return False


def announce(span: state.SpanList | None, usage: Usage, details_of: Callable[[state.SpanList], Any]) -> None:
    """Tell the executions around a call that an instrumentation has counted it.

    Args:
        span: The innermost execution around the call.
        usage: What was counted.
        details_of: Makes the details of a span that has none yet.
    """
    for depth, around in enumerate(_spans_around(span)):
        details = details_of(around)
        seen = details.seen = details.seen or Sightings()
        seen.usages = [*seen.usages[-_MOST_SIGHTINGS + 1 :], usage]
        seen.direct = seen.direct or depth == 0


def _spans_around(span: state.SpanList | None) -> list[state.SpanList]:
    """List the open executions around a call, the innermost first, without the stand-ins that `context()` makes."""
    found = []
    while span is not None:
        around = span[PARENT]
        is_stand_in = around is not None and around[SPAN_ID] == span[SPAN_ID]
        if span[SITE] is not None and not span[STATE] and not is_stand_in:
            found.append(span)
        span = around
    return found


def _same_call(one: Usage, other: Usage) -> bool:
    if one.response_id is not None and other.response_id is not None:
        return False  # told apart by their ids
    if (one.output_tokens or 0) != (other.output_tokens or 0):
        return False
    mine, others = one.input_tokens or 0, other.input_tokens or 0
    # Anthropic's own count leaves cached tokens out, and so does who records it as it stands in the answer.
    if mine != others and mine != others - _cached(other) and others != mine - _cached(one):
        return False
    if not (mine or others or one.output_tokens):
        return False
    if one.model is None or other.model is None:
        return True
    # `gpt-4o-mini` is asked, `gpt-4o-mini-2024-07-18` answers; gateways put the provider in front.
    asked, answered = one.model.rpartition("/")[2], other.model.rpartition("/")[2]
    return asked.startswith(answered) or answered.startswith(asked)


def _cached(usage: Usage) -> int:
    return (usage.cache_read_tokens or 0) + (usage.cache_write_tokens or 0)
