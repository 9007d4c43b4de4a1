"""What a router looks for, prepared so that it can be compared with many agents quickly."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from asp_telemetry.agents.candidate import Phrase
from asp_telemetry.agents.words import stems

LONGEST_TEXT: Final = 4_000
"""How many characters of a text are looked at; the rest does not count."""
_LONGEST_VALUE: Final = 255
_MAX_ENTRIES: Final = 100


@dataclass(frozen=True)
class Request:
    """Be what is looked for.

    Attributes:
        text: The head of the text; empty without one.
        words: The stems of its words.
        spaced: The same with a space before and behind each.
        capabilities: What the agent shall be able to do; None if nothing is asked for.
        context: What it shall fit: texts without their case by name, each with how it was written; None without a context.
    """

    text: str
    words: frozenset[str]
    spaced: str
    capabilities: tuple[Phrase, ...] | None
    context: Mapping[str, tuple[str, frozenset[str]]] | None

    @classmethod
    def of(
        cls, text: str | None, capabilities: str | Iterable[str] | None, context: Mapping[str, Any] | None
    ) -> "Request":
        """Prepare a request; what is too long or too much is left out."""
        head = "" if text is None else str(text)[:LONGEST_TEXT]
        words = stems(head)
        asked = None
        if capabilities is not None:
            several = [capabilities] if isinstance(capabilities, str) else capabilities
            phrases = [Phrase.of(str(one)[:_LONGEST_VALUE]) for one in islice(several, _MAX_ENTRIES)]
            asked = tuple({phrase.words: phrase for phrase in phrases if phrase.words}.values()) or None
        fits = {} if context is None else dict(islice(context.items(), _MAX_ENTRIES))
        wanted = {str(name).casefold(): _values(value) for name, value in fits.items() if value is not None}
        return cls(head, frozenset(words), f" {' '.join(words)} ", asked, wanted or None)


def _values(value: Any) -> tuple[str, frozenset[str]]:
    several = value if isinstance(value, list | tuple | set | frozenset) else [value]
    texts = [str(one)[:_LONGEST_VALUE] for one in islice(several, _MAX_ENTRIES)]
    return " or ".join(sorted(texts)), frozenset(text.casefold() for text in texts)
