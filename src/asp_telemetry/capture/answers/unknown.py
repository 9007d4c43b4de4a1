"""Says, once for each shape, that something looked like an answer of a model but was none that is known."""

from typing import Any, Final

from asp_telemetry.capture.answers.fields import name_of_type
from asp_telemetry.guard import note

_MOST_SHAPES: Final = 256
_MOST_NAMES: Final = 64
_LONGEST_NAME: Final = 40
_known_unknowns: set[tuple[str, ...]] = set()


def tell_unknown(answer: Any, usage: Any) -> None:
    """Note what a would-be answer was like, if its usage speaks of tokens and nothing has been said of it yet.

    Args:
        answer: What looked like an answer.
        usage: What lies where answers have their usage.
    """
    if type(usage) is dict:
        found = usage
    else:
        try:
            found = object.__getattribute__(usage, "__dict__")
        except AttributeError:
            return
    if type(found) is not dict:
        return
    names = [str.__str__(name)[:_LONGEST_NAME] for name in list(found)[:_MOST_NAMES] if isinstance(name, str)]
    counters = sorted(name for name in names if "token" in name.lower())
    if not counters:
        return
    kind = name_of_type(type(answer))[:_LONGEST_NAME]
    shape = (kind, *counters)
    if shape in _known_unknowns or len(_known_unknowns) >= _MOST_SHAPES:
        return
    _known_unknowns.add(shape)
    note(
        f"an answer of unknown shape was not counted: {kind} with {', '.join(counters[:4])}",
        remedy="record_usage(input_tokens=..., output_tokens=..., model=...) counts it",
    )
