"""Adds up what a run of learning has found, and says what could not be learned."""

from dataclasses import dataclass, field


@dataclass
class LearnReport:
    """Say what was learned.

    Attributes:
        traces: How many finished traces were looked at.
        successes: How many of them were successes.
        failures: How many were not, and taught no pattern.
        learned: How many new patterns there are.
        merged: How many successes were like a pattern that was known.
        without_prompt: How many successes taught no pattern because nobody knows what had been asked.
        wordless: How many were asked with values alone.
        chains: How often agents that called others were counted, in how many patterns of chaining that are new.
        new_chains: How many of these are new.
        uses: How many uses of patterns were found in decisions, or got their outcome.
        errors: How many failures were counted.
        new_errors: How many of their patterns are new.
        embedded: How many patterns got a vector of this embedder.
        missed: Which criteria the failures did not meet, and how often.
    """

    traces: int = 0
    successes: int = 0
    failures: int = 0
    learned: int = 0
    merged: int = 0
    without_prompt: int = 0
    wordless: int = 0
    chains: int = 0
    new_chains: int = 0
    uses: int = 0
    errors: int = 0
    new_errors: int = 0
    embedded: int = 0
    missed: dict[str, int] = field(default_factory=dict)

    @property
    def not_learned(self) -> tuple[str, ...]:
        """What could not be learned, and what would help."""
        found = []
        if self.without_prompt:
            found.append(
                f"what was asked is not known of {self.without_prompt} successes, so no pattern and no intent was learned "
                "from them, only who called whom: capture prompts with configure(capture_content=True) or "
                "ASP_CAPTURE_CONTENT=1, or record the decisions of your router with asp.routing()"
            )
        if self.wordless:
            found.append(
                f"{self.wordless} successes were asked for without a word that tells what they were about"
            )
        return tuple(found)
