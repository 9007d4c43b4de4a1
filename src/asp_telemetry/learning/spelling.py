"""Finds the known word that a misspelt one was meant to be.

By the words that are left when one letter is taken away: two words one error apart have such a rest in common
("symmetric delete", https://wolfgarbe.medium.com/1000x-faster-spelling-correction-algorithm-2012-8701fcd87a5f).
"""

from collections.abc import Iterable

_SHORTEST = 4


class Speller:
    """Know words, and find the one that another is most likely meant to be.

    Args:
        words: The known words.

    Example:
        >>> speller = Speller(["login", "refund"])
        >>> speller.meant("lgoin"), speller.meant("refnud"), speller.meant("penguin")
        ('login', 'refund', None)
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._known: set[str] = set()
        self._rests: dict[str, list[str]] = {}
        for word in words:
            self.add(word)

    def add(self, word: str) -> None:
        """Know one more word."""
        if word in self._known:
            return
        self._known.add(word)
        if len(word) >= _SHORTEST:
            for rest in _rests(word):
                self._rests.setdefault(rest, []).append(word)

    def meant(self, word: str) -> str | None:
        """Return the known word one error away: the word itself, one with the same first letter, else any; None if none."""
        if word in self._known:
            return word
        if len(word) < _SHORTEST:
            return None
        found = {near for rest in _rests(word) for near in self._rests.get(rest, ())}
        if not found:
            return None
        return min(found, key=lambda near: (near[0] != word[0], anagram(near) != anagram(word), near))


def anagram(word: str) -> str:
    """Return the first letter and the others in the order of the alphabet: most typing errors exchange neighbours.

    Example:
        >>> anagram("teh") == anagram("the")
        True
    """
    return word[:1] + "".join(sorted(word[1:]))


def _rests(word: str) -> set[str]:
    return {word} | {word[:place] + word[place + 1 :] for place in range(len(word))}
