"""Says how much each likeness counts, and from which score on a pattern is offered, considered or replayed."""

from dataclasses import dataclass
from typing import Literal

WEIGHTS = {"semantic": 0.40, "keywords": 0.20, "intent": 0.20, "context": 0.10, "historical": 0.10}
OFFERED, CONSIDERED, REPLAYED = 0.70, 0.75, 0.85

Level = Literal["none", "offered", "considered", "replayed"]


@dataclass(frozen=True)
class Component:
    """Explain one part of a score.

    Attributes:
        name: semantic, keywords, intent, context or historical.
        weight: How much it counts, 0 to 1. Where one cannot be told, such as the context if none was given, the others
            share its weight in their proportions.
        value: How well it fits, 0 to 1; None where it cannot be told.
        reason: Why, for people.
    """

    name: str
    weight: float
    value: float | None
    reason: str


def level_of(score: float) -> Level:
    """Say what a score is good for.

    Example:
        >>> level_of(0.69), level_of(0.7), level_of(0.75), level_of(0.85)
        ('none', 'offered', 'considered', 'replayed')
    """
    # What is shown as 0.85 counts as that.
    score = round(score, 4)
    if score >= REPLAYED:
        return "replayed"
    if score >= CONSIDERED:
        return "considered"
    return "offered" if score >= OFFERED else "none"
