"""Refuses usages whose parts exceed their wholes: such numbers would be priced below zero."""

from asp_telemetry.capture.answers.fields import MOST_TOKENS, UsageError, count_of
from asp_telemetry.usage import Usage


def checked(usage: Usage) -> Usage:
    """Return a usage as it is if its numbers are possible.

    Raises:
        UsageError: A part is larger than its whole, or a sum too large for the database.

    Example:
        >>> checked(Usage(input_tokens=1, cache_read_tokens=2))
        Traceback (most recent call last):
        ...
        asp_telemetry.capture.answers.fields.UsageError: cached tokens exceed input tokens
    """
    whole_in, whole_out, written = usage.input_tokens, usage.output_tokens, usage.cache_write_tokens or 0
    read = usage.cache_read_tokens or 0
    # Compared one by one, not in a loop over a table: this runs in the caller's thread after each answer.
    if whole_in is not None:
        if read + written > whole_in:
            raise UsageError("cached tokens exceed input tokens")
        if whole_in > MOST_TOKENS:
            raise UsageError("input tokens are too many for one answer")
    if whole_out is not None:
        if (usage.reasoning_tokens or 0) > whole_out:
            raise UsageError("reasoning tokens exceed output tokens")
        if whole_out > MOST_TOKENS:
            raise UsageError("output tokens are too many for one answer")
    if (usage.cache_write_1h_tokens or 0) > written:
        raise UsageError("one-hour tokens exceed cache-write tokens")
    if usage.input_audio_tokens or usage.output_audio_tokens or usage.cache_audio_read_tokens:
        _check_audio(usage)
    return usage


def _check_audio(usage: Usage) -> None:
    heard, cached = usage.input_audio_tokens or 0, usage.cache_audio_read_tokens or 0
    if usage.input_tokens is not None and heard > usage.input_tokens:
        raise UsageError("audio tokens exceed input tokens")
    if usage.output_tokens is not None and (usage.output_audio_tokens or 0) > usage.output_tokens:
        raise UsageError("audio tokens exceed output tokens")
    if cached > (usage.cache_read_tokens or 0) or cached > heard:
        raise UsageError("cached audio tokens exceed cached tokens or audio tokens")


def counted_usage(
    *,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    cache_read_tokens: int | None = None,
    cache_write_tokens: int | None = None,
    reasoning_tokens: int | None = None,
) -> Usage | None:
    """Make a usage of counts that the user's own code knows.

    Args:
        input_tokens: All input tokens, cached ones included.
        output_tokens: All output tokens, reasoning included.
        cache_read_tokens: How many of the input tokens were read from a cache.
        cache_write_tokens: How many of the input tokens were written to a cache.
        reasoning_tokens: How many of the output tokens were reasoning.

    Returns:
        The usage, or None when no count was given.

    Raises:
        UsageError: A count is not a whole number from 0 to 10**13, or a part is larger than its whole.

    Example:
        >>> counted_usage(input_tokens=1200, output_tokens=80).output_tokens
        80
    """
    given = {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cache_read_tokens": cache_read_tokens,
        "cache_write_tokens": cache_write_tokens,
        "reasoning_tokens": reasoning_tokens,
    }
    if all(count is None for count in given.values()):
        return None
    return checked(
        Usage(
            input_tokens=count_of(given, "input_tokens"),
            output_tokens=count_of(given, "output_tokens"),
            cache_read_tokens=count_of(given, "cache_read_tokens"),
            cache_write_tokens=count_of(given, "cache_write_tokens"),
            reasoning_tokens=count_of(given, "reasoning_tokens"),
        )
    )
