"""Keeps patterns in memory so that the ones nearest to a request are found among ten thousand at once."""

from collections.abc import Hashable, Mapping, Sequence
from math import log
from typing import TYPE_CHECKING, Any

from asp_telemetry.learning.embedding import import_numpy
from asp_telemetry.learning.intents import UNKNOWN, votes_for
from asp_telemetry.learning.meaning import meaning_of
from asp_telemetry.learning.pattern import Pattern
from asp_telemetry.learning.scoring import WEIGHTS, Component
from asp_telemetry.learning.spelling import Speller

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float32]

# What a word of the request counts if the pattern has it, has one of the same meaning, or has what it was meant to be.
SAME, ALIKE, MEANT = 1.0, 0.8, 0.9


class PatternIndex:
    """Hold patterns and tell how well each fits a request; made anew when many have changed.

    Args:
        patterns: The patterns.
    """

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        numpy = import_numpy()
        self.patterns = tuple(patterns)
        postings: dict[str, list[int]] = {}
        meanings: dict[str, list[int]] = {}
        intents: dict[str, list[int]] = {}
        facts: dict[str, dict[Any, list[int]]] = {}
        for place, pattern in enumerate(self.patterns):
            intents.setdefault(pattern.intent, []).append(place)
            for word in pattern.keywords:
                postings.setdefault(word, []).append(place)
            for meaning in {found for word in pattern.keywords if (found := meaning_of(word))}:
                meanings.setdefault(meaning, []).append(place)
            for name, value in pattern.facts.items():
                if isinstance(value, Hashable) and value is not None:
                    facts.setdefault(name, {}).setdefault(value, []).append(place)
        self._postings = {word: numpy.array(places) for word, places in postings.items()}
        self._meanings = {meaning: numpy.array(places) for meaning, places in meanings.items()}
        self._intents = {intent: numpy.array(places) for intent, places in intents.items()}
        self._facts = {
            name: {value: numpy.array(places) for value, places in values.items()}
            for name, values in facts.items()
        }
        self._speller = Speller(postings)
        rarities = {word: self._rarity(word) for word in postings}
        self._weights = numpy.array(
            [sum(rarities[word] for word in pattern.keywords) for pattern in self.patterns],
            dtype=numpy.float32,
        )
        self._success = self._rates()

    def _rates(self) -> "Numbers":
        numpy = import_numpy()
        return numpy.array([pattern.success_rate for pattern in self.patterns], dtype=numpy.float32)  # type: ignore[no-any-return]

    def took(self, changed: Mapping[str, Pattern]) -> bool:
        """Take over patterns of which only the outcomes differ, which is nearly every change.

        Args:
            changed: The changed patterns by their ids.

        Returns:
            Whether that was enough; else the index has to be made anew.
        """
        known = {pattern.id: pattern for pattern in self.patterns}
        for name, pattern in changed.items():
            before = known.get(name)
            if before is None or (before.keywords, before.intent, before.facts, before.embedder) != (
                pattern.keywords,
                pattern.intent,
                pattern.facts,
                pattern.embedder,
            ):
                return False
        self.patterns = tuple(changed.get(pattern.id, pattern) for pattern in self.patterns)
        self._success = self._rates()
        return True

    def scores(
        self, words: Sequence[str], text: str, semantic: "Numbers", context: Mapping[str, Any]
    ) -> "tuple[Numbers, dict[str, Numbers]]":
        """Return how well each pattern fits, and the parts of that; what cannot be told of a pattern is NaN there.

        Args:
            words: The keywords of the request.
            text: The request without its values.
            semantic: How near each pattern's vector is, 0 to 1; NaN where it has none.
            context: What is known about where the request is made.
        """
        numpy = import_numpy()
        parts = {
            "semantic": semantic,
            "keywords": self._overlap(words),
            "intent": self._same_intent(text),
            "context": self._agreement(context),
            "historical": self._success,
        }
        total = numpy.zeros(len(self.patterns), dtype=numpy.float32)
        told = numpy.zeros(len(self.patterns), dtype=numpy.float32)
        for name, values in parts.items():
            known = ~numpy.isnan(values)
            total += WEIGHTS[name] * numpy.where(known, values, 0.0)
            told += WEIGHTS[name] * known
        return total / told, parts

    def explain(
        self,
        place: int,
        parts: "Mapping[str, Numbers]",
        words: Sequence[str],
        cosine: float | None,
        text: str,
    ) -> tuple[Component, ...]:
        """Explain the score of one pattern."""
        pattern = self.patterns[place]
        values = {
            name: None if numbers[place] != numbers[place] else float(numbers[place])
            for name, numbers in parts.items()
        }
        whole = sum(WEIGHTS[name] for name, value in values.items() if value is not None)
        shared = [word for word in words if self._shares(word, pattern)]
        best = max(votes, key=votes.__getitem__) if (votes := votes_for(text)) else UNKNOWN
        reasons = {
            "semantic": "it has no vector of this embedder" if cosine is None else f"cosine {cosine:.2f}",
            "keywords": f"shares {', '.join(shared)}" if shared else "shares no keyword",
            "intent": "the intent is not told"
            if values["intent"] is None
            else f"asked: {best}; learned: {pattern.intent}",
            "context": "nothing to compare"
            if values["context"] is None
            else f"learned where {_told(pattern.facts)}",
            "historical": f"{pattern.success_rate:.0%} of {pattern.uses} uses went well"
            if pattern.uses
            else "never used yet",
        }
        return tuple(
            Component(name, 0.0 if value is None else WEIGHTS[name] / whole, value, reasons[name])
            for name, value in values.items()
        )

    def by_keywords(self, words: Sequence[str], at_most: int) -> list[int]:
        """Return the places of the patterns that share most with a request, the best first."""
        numpy = import_numpy()
        overlap = self._overlap(words)
        best = numpy.argsort(-overlap, kind="stable")[:at_most]
        return [int(place) for place in best if overlap[place] > 0]

    def _rarity(self, word: str) -> float:
        """Weigh a word by how few patterns have it, as BM25 does (https://en.wikipedia.org/wiki/Okapi_BM25), never below 0."""
        places = self._postings.get(word)
        having = 0 if places is None else len(places)
        return log(1 + (len(self.patterns) - having + 0.5) / (having + 0.5))

    def _overlap(self, words: Sequence[str]) -> "Numbers":
        numpy = import_numpy()
        found = numpy.zeros(len(self.patterns), dtype=numpy.float32)
        asked = 0.0
        for word in words:
            credit = numpy.zeros(len(self.patterns), dtype=numpy.float32)
            meant = self._speller.meant(word)
            rarity = self._rarity(meant or word)
            asked += rarity
            if (meaning := meaning_of(meant or word)) in self._meanings:
                credit[self._meanings[meaning]] = ALIKE
            if meant is not None:
                credit[self._postings[meant]] = SAME if meant == word else MEANT
            found += rarity * credit
        # The geometric mean of both lengths: neither a long request nor a long pattern wins by its length.
        whole = numpy.sqrt(numpy.maximum(self._weights * asked, 1e-9))
        return numpy.minimum(found / whole, 1.0)  # type: ignore[no-any-return]

    def _same_intent(self, text: str) -> "Numbers":
        numpy = import_numpy()
        votes = votes_for(text)
        if not votes:
            return numpy.full(len(self.patterns), numpy.nan, dtype=numpy.float32)  # type: ignore[no-any-return]
        found = numpy.zeros(len(self.patterns), dtype=numpy.float32)
        most = max(votes.values())
        for intent, vote in votes.items():
            if intent in self._intents:
                found[self._intents[intent]] = vote / most
        if UNKNOWN in self._intents:
            found[self._intents[UNKNOWN]] = numpy.nan
        return found  # type: ignore[no-any-return]

    def _agreement(self, context: Mapping[str, Any]) -> "Numbers":
        numpy = import_numpy()
        same = numpy.zeros(len(self.patterns), dtype=numpy.float32)
        told = numpy.zeros(len(self.patterns), dtype=numpy.float32)
        for name, wanted in context.items():
            for value, places in self._facts.get(name, {}).items():
                told[places] += 1
                if value == wanted:
                    same[places] += 1
        return numpy.where(told > 0, same / numpy.maximum(told, 1), numpy.nan)  # type: ignore[no-any-return]

    def _shares(self, word: str, pattern: Pattern) -> bool:
        meant = self._speller.meant(word) or word
        if meant in pattern.keywords:
            return True
        meaning = meaning_of(meant)
        return meaning is not None and meaning in map(meaning_of, pattern.keywords)


def _told(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} is {value}" for name, value in facts.items() if value is not None)
