"""Adds up what a repricing has done, or would do."""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from asp_telemetry.repricing.plan import Plan


@dataclass
class RepriceSummary:
    """Say what a repricing has done, or would do.

    Attributes:
        executions: How many executions with tokens or costs were looked at.
        changed: How many costs have a new amount.
        noted: How many costs have the amount they had, and now say another computed figure or other unit prices.
        added: How many costs were unknown, and now are known.
        unchanged: How many costs are as they were.
        told: How many of all these are the provider's or somebody's own figure, and kept their amount for that.
        from_tokens: How many were computed from the token rows or the trace alone, because their row did not say more.
        old_total: What all costs that were looked at amounted to before, in USD.
        new_total: What they amount to now, the added ones included, in USD.
        left: How often a cost could not be computed, by reason; what stood there stays.
        tasks: How many tasks had their figures summed up anew.
        defects: How many defects had the cost of their fixing corrected.
    """

    executions: int = 0
    changed: int = 0
    noted: int = 0
    added: int = 0
    unchanged: int = 0
    told: int = 0
    from_tokens: int = 0
    old_total: Decimal = Decimal(0)
    new_total: Decimal = Decimal(0)
    left: Counter[str] = field(default_factory=Counter)
    tasks: set[str] = field(default_factory=set, repr=False)
    defects: set[str] = field(default_factory=set, repr=False)

    def add(self, plan: Plan) -> None:
        """Add what becomes of one execution."""
        self.executions += 1
        for change in plan.changes:
            self.changed += change.old != change.new
            self.noted += change.old == change.new
        self.added += len(plan.added)
        self.unchanged += plan.unchanged
        self.told += plan.told
        self.from_tokens += plan.from_tokens
        self.old_total += plan.old_total
        self.new_total += plan.new_total
        self.left.update(plan.left)
        self.tasks |= plan.tasks
        self.defects |= plan.defects.keys()

    @property
    def writes(self) -> int:
        """How many costs are written."""
        return self.changed + self.noted + self.added
