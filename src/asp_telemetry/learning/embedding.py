"""Turns texts into vectors that lie near each other where the texts mean much the same.

The default needs no model, no network and no training: a text's words, what they mean, the pairs of neighbours and the
letters inside are hashed into a fixed number of places ("feature hashing", https://arxiv.org/abs/0902.2206), so that the
same text has the same vector on every machine. A real model knows more; `embedders` has adapters.
"""

from collections.abc import Sequence
from hashlib import blake2b
from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from asp_telemetry.errors import ConfigurationError
from asp_telemetry.learning.meaning import common_words, meaning_of
from asp_telemetry.learning.words import words_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


@runtime_checkable
class Embedder(Protocol):
    """Be what turns texts into vectors; any object with these four will do.

    Attributes:
        name: Which model it is: vectors of two models have nothing to do with each other, so patterns remember it.
        unlike: The cosine of two texts that have nothing in common; it counts as 0.
        alike: The cosine from which two texts are the same request; it counts as 1.
    """

    name: str
    unlike: float
    alike: float

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Return one vector for each text, all of one width.

        Args:
            texts: Requests without values and secrets.
        """


class HashedNgrams:
    """Embed by hashing words and letters; offline, deterministic, English first.

    Args:
        width: The number of dimensions.

    Example:
        >>> len(HashedNgrams().embed(["fix the login bug"])[0])
        384
    """

    unlike = 0.05
    alike = 0.65

    def __init__(self, width: int = 384) -> None:
        if not 16 <= width <= 4000:
            raise ConfigurationError(
                f"width={width} makes no vectors; write a number of dimensions from 16 to 4000"
            )
        self.width = width
        self.name = f"hashed-ngrams-1/{width}"

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector of whole numbers for each text; only their direction tells."""
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> list[float]:
        places = [0.0] * self.width
        for feature, weight in features(text).items():
            digest = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest(), "little")
            places[(digest >> 1) % self.width] += weight if digest & 1 else -weight
        largest = max(map(abs, places))
        # Whole numbers take a fifth of the space as text, which is how SQLite keeps them, and err by a hundredth at most.
        return [float(round(place * 99 / largest)) for place in places] if largest else places


# What each kind of feature weighs; chosen on the training requests of tests/learning alone.
WORD, MEANING, PAIR, LETTERS, ANAGRAM = 0.3, 1.0, 0.2, 0.7, 0.4
OF_COMMON_WORDS = 0.25


def features(text: str) -> dict[str, float]:
    """Return what a text is made of, and how much each part weighs.

    Example:
        >>> [feature for feature in features("repair") if len(feature) > 4]
        ['w:repair', 'm:fix', 'a:raeipr']
    """
    words = words_of(text)
    found: dict[str, float] = {}

    def add(feature: str, weight: float) -> None:
        found[feature] = max(found.get(feature, 0.0), weight)

    for word in words:
        rarity = OF_COMMON_WORDS if word in common_words() else 1.0
        add(f"w:{word}", rarity * WORD)
        add(f"m:{meaning_of(word) or word}", rarity * MEANING)
        # The same letters in another order: most typing errors exchange neighbours.
        add(f"a:{word[0]}{''.join(sorted(word[1:]))}", rarity * ANAGRAM)
        grams = [f"<{word}>"[i : i + 3] for i in range(len(word))]
        for gram in grams:
            add(f"#{gram}", rarity * LETTERS / sqrt(len(grams)))
    for left, right in pairwise(words):
        add(f"p:{meaning_of(left) or left} {meaning_of(right) or right}", PAIR)
    return found


def import_numpy() -> Any:
    """Import numpy, which only learning needs.

    Raises:
        ConfigurationError: If it is not installed.
    """
    try:
        import numpy  # noqa: ICN001, PLC0415 - an extra, and 80 ms
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            'learning needs numpy, which is not installed; run: pip install "asp-telemetry[learning]"'
        ) from error
    return numpy


def unit_vectors(vectors: "Sequence[Sequence[float]] | Vectors") -> "Vectors":
    """Bring vectors to the length 1, so that their product is the cosine; one without direction stays 0.

    Example:
        >>> unit_vectors([[3.0, 4.0], [0.0, 0.0]]).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    numpy = import_numpy()
    matrix = numpy.asarray(vectors, dtype=numpy.float32)
    lengths = numpy.linalg.norm(matrix, axis=1, keepdims=True)
    return numpy.divide(matrix, lengths, out=numpy.zeros_like(matrix), where=lengths > 0)  # type: ignore[no-any-return]
