"""What executions of one day add up to, in the ledger and in Langfuse."""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any, NamedTuple

from asp_telemetry.prices.provenance import plain_text

_EXACT = Context(prec=100)  # the host may have lowered the precision


@dataclass
class Figures:
    """Add up executions.

    Attributes:
        executions: How many.
        tokens_in: Input tokens, cached ones included.
        tokens_out: Output tokens, reasoning included.
        cost: In USD.
    """

    executions: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: Decimal = Decimal(0)

    def add(self, tokens_in: int, tokens_out: int, cost: Decimal | None) -> None:
        """Add one execution."""
        self.executions += 1
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out
        self.cost = _EXACT.add(self.cost, cost or Decimal(0))

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON, the cost as exact text."""
        return {
            "executions": self.executions,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "cost_usd": plain_text(self.cost),
        }


class Known(NamedTuple):
    """Hold what the ledger says of one execution; a cost of None is unknown.

    `has_trace` is whether it has a row in a trace that sampling has kept.
    """

    tokens_in: int
    tokens_out: int
    cost: Decimal | None
    is_repriced: bool = False
    has_trace: bool = False
    is_ended: bool = False


@dataclass
class Apart:
    """Add up executions whose cost differs for a reason.

    Attributes:
        executions: How many.
        ledger: What the ledger says that they cost, in USD.
        langfuse: What Langfuse says.
    """

    executions: int = 0
    ledger: Decimal = Decimal(0)
    langfuse: Decimal = Decimal(0)

    def add(self, ledger: Decimal | None, langfuse: Decimal | None) -> None:
        """Add one execution."""
        self.executions += 1
        self.ledger = _EXACT.add(self.ledger, ledger or Decimal(0))
        self.langfuse = _EXACT.add(self.langfuse, langfuse or Decimal(0))

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON, costs as exact text."""
        return {
            "executions": self.executions,
            "ledger_usd": plain_text(self.ledger),
            "langfuse_usd": plain_text(self.langfuse),
        }


@dataclass
class Day:
    """Compare one day.

    Attributes:
        ledger: What the ledger has of executions that began on it, and have ended.
        langfuse: What Langfuse has, without `unsampled` and `unfinished`.
        repriced: Executions whose cost was computed anew after Langfuse got it.
        unpriced: Executions whose cost the ledger does not know, and Langfuse has worked out by its own prices.
        unsampled: Executions whose costs alone the ledger has, since sampling has left them out or pruning has taken them
            away, on the day that they ended; and the tasks that sampling has left out.
        unfinished: Executions that the ledger does not take for ended, and Langfuse has all the same.
        faults: How many executions are missing here or there, are there twice, or differ in tokens or cost.
    """

    ledger: Figures = field(default_factory=Figures)
    langfuse: Figures = field(default_factory=Figures)
    repriced: Apart = field(default_factory=Apart)
    unpriced: Apart = field(default_factory=Apart)
    unsampled: Apart = field(default_factory=Apart)
    unfinished: Apart = field(default_factory=Apart)
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def same(self) -> bool:
        """Whether nothing differs but what stands apart."""
        return not self.faults.total()

    def as_dict(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return {
            "same": self.same,
            "ledger": self.ledger.as_dict(),
            "langfuse": self.langfuse.as_dict(),
            "repriced": self.repriced.as_dict(),
            "unpriced": self.unpriced.as_dict(),
            "unsampled": self.unsampled.as_dict(),
            "unfinished": self.unfinished.as_dict(),
            "differences": dict(self.faults),
        }
