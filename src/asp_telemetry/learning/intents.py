"""Says in a word what a request is about."""

from functools import cache

from asp_telemetry.learning.meaning import known_word
from asp_telemetry.learning.vocabulary import INTENTS
from asp_telemetry.learning.words import stem, words_of

UNKNOWN = "general"
WEAK = 0.5
FIRST = 1.5  # the word that a request begins with is most often what shall be done


def intent_of(text: str) -> str:
    """Name the intent of a request by the words in it.

    Args:
        text: The request.

    Returns:
        Such as `debug`; `general` where no word tells.

    Example:
        >>> intent_of("please fix the login"), intent_of("good morning")
        ('debug', 'general')
    """
    votes = votes_for(text)
    return max(votes, key=votes.__getitem__) if votes else UNKNOWN


def votes_for(text: str) -> dict[str, float]:
    """Return how much speaks for each intent: a word that tells it first of all counts more than one that merely may.

    Example:
        >>> votes_for("test the refund")
        {'test': 0.75, 'support': 1.0}
    """
    votes: dict[str, float] = {}
    for place, word in enumerate(words_of(text)):
        for intent, weight in _lexicon().get(known_word(word), {}).items():
            votes[intent] = votes.get(intent, 0.0) + weight * (FIRST if place == 0 else 1.0)
    return votes


@cache
def _lexicon() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for intent, words in INTENTS.items():
        for weight, group in zip((1.0, WEAK), words.split("|"), strict=False):
            for word in group.split():
                found.setdefault(stem(word), {}).setdefault(intent, weight)
    return found
