"""What an import of transcripts has found, in numbers: sessions, prompts, and what each model was paid for."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from asp_telemetry.importing import ImportSummary
from asp_telemetry.integrations.claude_code.execution import Execution, usage_of
from asp_telemetry.integrations.claude_code.lines import Unread
from asp_telemetry.writer.money import Value


@dataclass
class ModelFigures:
    """Add up what one model has answered.

    Attributes:
        answers: How many answers.
        input: Input tokens that no cache had to do with.
        cache_write_5m: Tokens written to the cache for five minutes.
        cache_write_1h: Tokens written to it for an hour.
        cache_read: Tokens read from it.
        output: Output tokens.
        cost: What they cost, in USD, as far as it is known.
        unpriced: How many answers have no known price.
    """

    answers: int = 0
    input: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    output: int = 0
    cost: Decimal = Decimal(0)
    unpriced: int = 0

    def add(self, found: Execution, values: Sequence[Value]) -> None:
        """Add an answer."""
        self.answers += 1
        if found.message is None or not found.usage:
            self.unpriced += 1
            return
        usage = usage_of(found.message, found.usage)
        read, written = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
        for_hour = usage.cache_write_1h_tokens or 0
        costs = [Decimal(value) for metric, value, *_ in values if metric == "API_Cost"]
        self.input += (usage.input_tokens or 0) - read - written
        self.cache_write_5m += written - for_hour
        self.cache_write_1h += for_hour
        self.cache_read += read
        self.output += usage.output_tokens or 0
        self.cost += sum(costs, Decimal(0))
        self.unpriced += not costs


@dataclass
class TranscriptSummary:
    """Tell what an import has done.

    Attributes:
        files: How many transcripts were read.
        sessions: Of how many sessions.
        prompts: How many prompts of users were answered in what was read.
        models: What was newly written, by model.
        kinds: How many executions were newly written, by kind.
        unread: The lines that could not be read.
        unknown: How many lines there were of types that this version does not know.
        broken: Files that could not be read, and why.
        written: What the ledger has taken, held already and refused.
    """

    files: int = 0
    sessions: int = 0
    prompts: int = 0
    models: dict[str, ModelFigures] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)
    unread: Unread = field(default_factory=Unread)
    unknown: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    written: ImportSummary = field(default_factory=ImportSummary)

    def add(self, found: Execution, values: Sequence[Value]) -> None:
        """Add an execution that the ledger did not hold."""
        self.kinds[found.kind] += 1
        if found.kind == "generation" and found.status == "success":
            self.models.setdefault(found.name, ModelFigures()).add(found, values)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it for JSON; money as the text of a decimal number."""
        return {
            "files": self.files,
            "sessions": self.sessions,
            "prompts": self.prompts,
            "models": {
                name: {**vars(figures), "cost": str(figures.cost)} for name, figures in self.models.items()
            },
            "kinds": dict(self.kinds),
            "unread": dict(self.unread.reasons),
            "unread_places": self.unread.places,
            "unknown": dict(self.unknown.most_common()),
            "broken": self.broken,
            **self.written.as_dict(),
        }
