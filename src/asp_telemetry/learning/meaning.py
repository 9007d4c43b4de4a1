"""Tells what a word means among the words that are known, also where it is misspelt."""

from functools import cache, lru_cache

from asp_telemetry.learning.spelling import Speller, anagram
from asp_telemetry.learning.vocabulary import COMMON, INTENTS, SYNONYMS
from asp_telemetry.learning.words import stem

_LONG = 6


@lru_cache(maxsize=65_536)
def meaning_of(word: str) -> str | None:
    """Return the first of the words that mean the same; None of a word that has no such.

    Args:
        word: Stemmed.

    Example:
        >>> meaning_of("repair"), meaning_of("rpeair"), meaning_of("penguin")
        ('fix', 'fix', None)
    """
    return concepts().get(known_word(word))


@lru_cache(maxsize=65_536)
def known_word(word: str) -> str:
    """Return the word that was meant: itself, or the one of the vocabulary whose letters are out of order or one off.

    Short words are only put in order, because every short word is one letter away from another.

    Example:
        >>> known_word("mirgat"), known_word("cart")
        ('migrat', 'cart')
    """
    meant = _speller().meant(word)
    return meant if meant is not None and (len(word) >= _LONG or anagram(meant) == anagram(word)) else word


@cache
def concepts() -> dict[str, str]:
    """Return for each known word, stemmed, the first word of its line."""
    found: dict[str, str] = {}
    for line in SYNONYMS.strip().splitlines():
        words = [stem(word) for word in line.split()]
        for word in words:
            found.setdefault(word, words[0])
    return found


@cache
def common_words() -> frozenset[str]:
    """Return the common words, stemmed."""
    return frozenset(map(stem, COMMON))


@cache
def _speller() -> Speller:
    telling = (stem(word) for words in INTENTS.values() for word in words.split() if word != "|")
    return Speller([*concepts(), *telling, *common_words()])
