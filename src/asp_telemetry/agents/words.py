"""Takes texts apart into words, and words to their stems, so that `debugging` calls for what can `debug`."""

import re
from functools import lru_cache
from typing import Final

_WORD = re.compile(r"[^\W_]+")
# The longest first. English alone: words of other languages are compared as they are.
_ENDINGS: Final = ("ions", "ing", "ion", "ers", "ors", "er", "or", "ed", "es", "s")
_VOWELS: Final = frozenset("aeiouy")
_SHORTEST: Final = 3


def stems(text: str) -> tuple[str, ...]:
    """Return the stems of the words of a text, in order; what is between words does not count.

    Args:
        text: Any text.

    Example:
        >>> stems("Fix the log-in, debugging_tests!")
        ('fix', 'the', 'log', 'in', 'debug', 'test')
    """
    return tuple(stem(word) for word in _WORD.findall(text.lower()))


@lru_cache(maxsize=10_000)
def stem(word: str) -> str:
    """Take common endings off an English word in small letters.

    What is left is no word, only the same for its forms: a small part of what Porter's stemmer does
    (https://tartarus.org/martin/PorterStemmer/def.txt), so that people can foresee it.

    Example:
        >>> [stem(word) for word in ("debugger", "debugging", "debugs", "codes", "coding", "migration", "process", "go")]
        ['debug', 'debug', 'debug', 'cod', 'cod', 'migrat', 'proces', 'go']
    """
    if not word.isascii():
        return word
    for ending in _ENDINGS:
        rest = word.removesuffix(ending)
        if (
            rest != word
            and len(rest) >= _SHORTEST
            and not _VOWELS.isdisjoint(rest)
            and not word.endswith("ss")
        ):
            word = rest
            break
    if len(word) > _SHORTEST and word[-1] == word[-2]:
        word = word[:-1]
    return word[:-1] if len(word) > _SHORTEST and word.endswith("e") else word
