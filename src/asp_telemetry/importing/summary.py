"""What an import has done so far, in numbers and in the names of what was refused."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MOST_NAMED = 20
"""How many refusals are kept by name; all of them stand in rejected_records."""


class Refusal(NamedTuple):
    """Say what the database refused, by its name where it comes from, and why."""

    origin: str
    reason: str


@dataclass
class ImportSummary:
    """Count what was done, by what it is.

    Attributes:
        stored: What was written.
        skipped: What the ledger held already.
        rejected: What the database refused; it stands in rejected_records.
        refusals: The first of those by name.
        notes: What people should know of the rest, with how often it happened.
    """

    stored: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def found(self) -> int:
        """How many things were found in all.

        Example:
            >>> ImportSummary(stored=Counter(executions=2), skipped=Counter(executions=1)).found
            3
        """
        return self.stored.total() + self.skipped.total() + self.rejected.total()

    def refuse(self, noun: str, origin: str, reason: str) -> None:
        """Count a refusal, and name it if it is one of the first."""
        self.rejected[noun] += 1
        if len(self.refusals) < MOST_NAMED:
            self.refusals.append(Refusal(origin, reason))

    def as_dict(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return {
            "stored": dict(self.stored),
            "skipped": dict(self.skipped),
            "rejected": dict(self.rejected),
            "refusals": [refusal._asdict() for refusal in self.refusals],
            "notes": dict(self.notes.most_common()),
        }
