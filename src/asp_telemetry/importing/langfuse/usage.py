"""Reads the tokens of an observation: whole counts, whether the writer kept their classes apart or not.

Langfuse asks for classes that exclude each other, so that their sum is the total
(https://langfuse.com/docs/observability/features/token-and-cost-tracking). Not every writer keeps to it: some send the
whole input and, again, how much of it came from a cache. Where the total that stands beside them fits only one reading,
it decides.
"""

from collections.abc import Mapping
from typing import Any, Final

_TOTAL: Final = frozenset({"total", "total_tokens"})
_WHOLE_IN: Final = frozenset({"input", "input_tokens", "prompt_tokens"})
_WHOLE_OUT: Final = frozenset({"output", "output_tokens", "completion_tokens"})


def whole_counts(details: Mapping[str, Any]) -> dict[str, int]:
    """Return the counts by the names that a usage has in this package; input and output are whole.

    Args:
        details: `usageDetails` of an observation.

    Returns:
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, input_audio_tokens and
        output_audio_tokens, as far as they are told and more than nothing; what is measured in other units is left out.

    Example:
        >>> whole_counts({"input": 100, "cache_read_input_tokens": 900, "output": 50, "total": 1050})
        {'input_tokens': 1000, 'output_tokens': 50, 'cache_read_tokens': 900}
        >>> whole_counts({"input": 1000, "input_cached_tokens": 900, "output": 50, "total": 1050})
        {'input_tokens': 1000, 'output_tokens': 50, 'cache_read_tokens': 900}
    """
    plain_in = plain_out = total = None
    classes: dict[str, int] = {}
    extra_in = extra_out = 0
    for key, value in details.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            continue
        name = key.lower()
        if name in _TOTAL:
            total = value
        elif name in _WHOLE_IN:
            plain_in = value
        elif name in _WHOLE_OUT:
            plain_out = value
        else:
            side, found = _class_of(name)
            extra_in += value if side == "input" else 0
            extra_out += value if side == "output" else 0
            if found is not None:
                classes[found] = classes.get(found, 0) + value
    if plain_in is None and plain_out is None and not extra_in and not extra_out:
        counts = {} if total is None else {"input_tokens": total}  # all that some embeddings have
    else:
        counts = _added(plain_in, plain_out, extra_in, extra_out, total)
    return counts | {name: count for name, count in classes.items() if count}


def _added(
    plain_in: int | None, plain_out: int | None, extra_in: int, extra_out: int, total: int | None
) -> dict[str, int]:
    """Add the classes to their whole unless only the other reading makes the total."""
    whole_in, whole_out = plain_in or 0, plain_out or 0
    readings = [
        (whole_in + with_in, whole_out + with_out)
        for with_in, with_out in ((extra_in, extra_out), (0, 0), (extra_in, 0), (0, extra_out))
        # A class that is larger than the whole cannot be inside it.
        if (with_in or whole_in >= extra_in) and (with_out or whole_out >= extra_out)
    ]
    fitting = [reading for reading in readings if sum(reading) == total]
    found_in, found_out = (fitting or readings)[0]
    counts = {}
    if plain_in is not None or extra_in:
        counts["input_tokens"] = found_in
    if plain_out is not None or extra_out:
        counts["output_tokens"] = found_out
    return counts


def _class_of(name: str) -> tuple[str | None, str | None]:
    """Say which side a class belongs to, and what it is called here."""
    if "cache" in name:
        is_written = "creation" in name or "write" in name
        return "input", "cache_write_tokens" if is_written else "cache_read_tokens"
    if "reason" in name or "thought" in name or "thinking" in name:
        return "output", "reasoning_tokens"
    if name.startswith(("input", "prompt")):
        return "input", "input_audio_tokens" if "audio" in name else None
    if name.startswith(("output", "completion")):
        return "output", "output_audio_tokens" if "audio" in name else None
    return None, None
