"""One agent of the registry, prepared so that requests can be compared with it quickly."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from asp_telemetry.agents.words import stems


@dataclass(frozen=True)
class CandidateRow:
    """Be one active agent as the database has it."""

    definition_id: str
    name: str
    version: str
    type: str
    domain: str | None
    capabilities: list[str] | None
    triggers: list[str] | None
    trigger_patterns: list[str] | None
    metadata: dict[str, Any] | None
    success_rate: Decimal | None
    quality_score: Decimal | None
    avg_execution_time_ms: int | None


class Phrase(NamedTuple):
    """Be a phrase and the stems of its words."""

    text: str
    words: tuple[str, ...]
    spaced: str

    @classmethod
    def of(cls, text: str) -> "Phrase":
        """Prepare a phrase."""
        words = stems(text)
        return cls(text, words, f" {' '.join(words)} ")


@dataclass(frozen=True)
class Candidate:
    """Be one agent, prepared.

    Attributes:
        row: What the database has.
        name: The agent's name, which calls for it, too.
        triggers: The phrases that call for it.
        capabilities: What it can do.
        context: What it fits: texts without their case, by name without its case.
        historical: How well it has done so far, from 0 to 1; 0.5 while nothing is known.
        can: The stems of each capability.
        words: The stems of all its phrases: a text with none of them names nothing of it.
        has_unspaced: Whether a trigger may stand in a text without being words of it.
    """

    row: CandidateRow
    name: Phrase
    triggers: tuple[Phrase, ...]
    capabilities: tuple[Phrase, ...]
    context: dict[str, frozenset[str]]
    historical: float
    can: frozenset[tuple[str, ...]] = field(repr=False)
    words: frozenset[str] = field(repr=False)
    has_unspaced: bool = field(repr=False)

    @classmethod
    def of(cls, row: CandidateRow) -> "Candidate":
        """Prepare an agent."""
        metadata = row.metadata if isinstance(row.metadata, dict) else {}
        fits = metadata.get("context")
        context = {
            name.casefold(): frozenset(str(value).casefold() for value in values)
            for name, values in (fits if isinstance(fits, dict) else {}).items()
            if isinstance(values, list)
        }
        if row.domain is not None:
            context.setdefault("domain", frozenset({row.domain.casefold()}))
        context.setdefault("type", frozenset({row.type.casefold()}))
        name, triggers, capabilities = Phrase.of(row.name), _phrases(row.triggers), _phrases(row.capabilities)
        known = [float(figure) for figure in (row.success_rate, row.quality_score) if figure is not None]
        return cls(
            row,
            name,
            triggers,
            capabilities,
            context,
            round(sum(known) / len(known), 4) if known else 0.5,
            frozenset(phrase.words for phrase in capabilities),
            frozenset(word for phrase in (name, *triggers, *capabilities) for word in phrase.words),
            not all(phrase.text.isascii() for phrase in (name, *triggers)),
        )


def _phrases(texts: Sequence[str] | None) -> tuple[Phrase, ...]:
    return tuple(phrase for phrase in map(Phrase.of, texts or ()) if phrase.words)
