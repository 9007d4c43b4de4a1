"""What budgets keep for one execution: what it may still spend of what was reserved for it, and what it has spent.

A reservation covers all that happens inside the execution: a call inside draws on it first, and what it reserves for
itself is lent by it. So an agent that has reserved a dollar and its model calls that cost it are counted once.
"""

from collections.abc import Iterator

from asp_telemetry.budgets import locking
from asp_telemetry.budgets.account import Account
from asp_telemetry.budgets.amounts import TOKENS, USD, Amounts
from asp_telemetry.budgets.history import note_call
from asp_telemetry.budgets.pricing import tell_unpriced
from asp_telemetry.budgets.shared_account import SharedAccount
from asp_telemetry.capture.definition import Site
from asp_telemetry.usage import Usage


class _Share:
    """Be what is left of a reservation in one account, how much the account gave, and who has lent the rest."""

    __slots__ = ("given", "left", "lent_by")

    def __init__(self, amounts: Amounts) -> None:
        self.left: Amounts = list(amounts)
        self.given: Amounts = list(amounts)
        self.lent_by: list[tuple[Hold, _Share, Amounts]] = []


class Hold:
    """Follow one execution inside budgets; everything but `close` is called with the lock held.

    Args:
        parent: That of the nearest enclosing execution that has one.
        site: What is executed; None for a reservation without an execution of its own.

    Attributes:
        is_open: Whether the execution still runs.
        limits_usd: Whether one of the budgets limits USD, so that unknown prices matter.
        process: In which process, counted in forks, it runs.
        shares: What is reserved for it, by account.
        subtree: What has been spent in it and all that happened inside.
    """

    __slots__ = (
        "_computed", "_reported", "_site", "_tokens", "_unpriced", "is_open", "limits_usd", "parent", "process",
        "shares", "subtree",
    )  # fmt: skip

    def __init__(self, parent: "Hold | None", site: Site | None) -> None:
        self.parent = parent
        self.is_open = True
        self.limits_usd = False
        self._site = site
        self.process = locking.process
        self.shares: dict[Account, _Share] = {}
        self.subtree: Amounts = [0, 0]
        self._computed = 0
        self._tokens = 0
        self._reported: int | None = None
        self._unpriced: list[str] = []

    @property
    def own(self) -> Amounts:
        """What this execution's own answers have cost; what the user's code reports beats the computed cost."""
        return [self._computed if self._reported is None else self._reported, self._tokens]

    def available(self, account: Account, unit: int) -> int:
        """Return how much of an account is reserved for this execution and those around it."""
        return sum(share.left[unit] for _, share in self.covering(account))

    def reserve(self, account: Account, asked: Amounts) -> None:
        """Reserve an amount: what those around have reserved comes first, the rest is the account's."""
        mine = _Share(asked)
        if self.parent is not None:
            for lender, share in self.parent.covering(account):
                lent = [min(mine.given[unit], share.left[unit]) for unit in (USD, TOKENS)]
                if any(lent):
                    mine.lent_by.append((lender, share, lent))
                for unit in (USD, TOKENS):
                    share.left[unit] -= lent[unit]
                    mine.given[unit] -= lent[unit]
        for unit in (USD, TOKENS):
            account.reserved[unit] += mine.given[unit]
        self.shares[account] = mine

    def take(self, usage: Usage, cost: int | None, *, anew: bool) -> None:
        """Take note of an answer, priced or not; `anew` forgets those before, which it replaces."""
        if anew:
            self._computed = self._tokens = 0
            self._unpriced = []
        if cost is None:
            self._unpriced.append(
                usage.model or (self._site and self._site.facts["model"]) or "an unnamed model"
            )
        else:
            self._computed += cost
        self._tokens += (usage.input_tokens or 0) + (usage.output_tokens or 0)

    def report(self, cost: int) -> None:
        """Take note of what the user's code says that the execution cost."""
        self._reported = cost

    def unpriced(self) -> int:
        """Return how many answers have no price that anybody knows."""
        return 0 if self._reported is not None else len(self._unpriced)

    def spend(self, account: Account, execution: str | None, change: Amounts, unpriced: int) -> None:
        """Move an amount from what is reserved, as far as it goes, to what is spent."""
        for unit in (USD, TOKENS):
            due = change[unit]
            for _, share in self.covering(account):
                if due <= 0:
                    break
                taken = min(due, share.left[unit])
                share.left[unit] -= taken
                account.reserved[unit] -= taken
                due -= taken
        if isinstance(account, SharedAccount):
            account.add_for(execution, change[USD], change[TOKENS], unpriced)
        else:
            account.add(change[USD], change[TOKENS], unpriced)

    def total(self, change: Amounts) -> None:
        """Add to what this execution and those around it have spent with all that happened inside them."""
        hold: Hold | None = self
        while hold is not None:
            for unit in (USD, TOKENS):
                hold.subtree[unit] += change[unit]
            hold = hold.parent

    def close(self) -> None:
        """Give back what is left, and remember what the call has spent."""
        with locking.lock:
            if not self.is_open:
                return
            for account, share in self.shares.items():
                self._give_back(account, share)
            self.is_open = False
            if self._site is not None:
                note_call(self._site, self.subtree)
        self.tell()

    def tell(self) -> None:
        """Warn of answers without a price where a budget limits USD; called without the lock."""
        if self._reported is None and self.limits_usd:
            for model in self._unpriced:
                tell_unpriced(model)

    def _give_back(self, account: Account, share: _Share) -> None:
        if self.process != locking.process:
            return
        for unit in (USD, TOKENS):
            # What was lent is spent first, that of the nearest lender before all: the order of drawing without a loan.
            free = min(share.left[unit], share.given[unit])
            back = share.left[unit] - free
            account.reserved[unit] -= free
            for lender, source, amounts in reversed(share.lent_by):
                part = min(back, amounts[unit])
                back -= part
                if lender.is_open:
                    source.left[unit] += part
                else:
                    account.reserved[unit] -= part
            share.left[unit] = 0

    def covering(self, account: Account) -> Iterator[tuple["Hold", _Share]]:
        """Yield what is reserved in an account for this execution and for those around it, the innermost first."""
        hold: Hold | None = self
        while hold is not None:
            share = hold.shares.get(account)
            if share is not None and hold.is_open and hold.process == locking.process:
                yield hold, share
            hold = hold.parent
