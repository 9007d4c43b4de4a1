"""A budget in force: what a scope knows of it, and through which `capture` asks before a call and tells of answers."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from asp_telemetry.budgets import locking
from asp_telemetry.budgets.account import Account
from asp_telemetry.budgets.accounts import find_account, key_of
from asp_telemetry.budgets.amounts import TOKENS, UNITS, USD, Amounts, checked, dollars, shown
from asp_telemetry.budgets.history import usual
from asp_telemetry.budgets.hold import Hold
from asp_telemetry.budgets.pricing import cost_of
from asp_telemetry.budgets.shared_account import SharedAccount
from asp_telemetry.capture import state
from asp_telemetry.capture.definition import Expectation
from asp_telemetry.capture.details import Details, details_of
from asp_telemetry.errors import BudgetExceeded, ConfigurationError
from asp_telemetry.guard import trouble
from asp_telemetry.ids import execution_uuid
from asp_telemetry.journal.layout import DETAILS, FLAGS, PARENT, SITE, SPAN_ID, STARTED, TRACE_HIGH, Flag
from asp_telemetry.usage import Usage

if TYPE_CHECKING:
    from asp_telemetry.budgets.budget import Budget

SPENDING: Final = frozenset({"agent", "generation", "embedding"})
"""The kinds of executions that spend money; of the others only those that say what they expect to spend are refused."""

_UNSAMPLED: Final = int(Flag.UNSAMPLED)


class Link:
    """Be one budget in force within those further out.

    Args:
        budget: The budget.
        account: Its account where that is the block's own; else it is found by the key of each call.
        outer: The next one further out.
    """

    __slots__ = ("account", "budget", "outer")

    def __init__(self, budget: "Budget", account: Account | None, outer: "Link | None") -> None:
        self.budget = budget
        self.account = account
        self.outer = outer

    def chain(self) -> Iterator["Link"]:
        """Yield this one and those further out."""
        link: Link | None = self
        while link is not None:
            yield link
            link = link.outer

    def account_of(self, span: state.SpanList | None) -> Account | None:
        """Return the account on which an execution draws; None while it is not known whose that is."""
        if self.account is not None:
            return self.account
        budget = self.budget
        assert budget.per is not None, "without per= the account is the block's own"
        key = key_of(budget.per, span)
        if key is None:
            return None
        account = find_account(budget.name, budget.per, key, budget.window, shared=budget.shared)
        budget.latest = account
        return account

    def admit(self, span: state.SpanList, expected: Expectation | None) -> None:
        """Let a call begin and reserve what it is expected to spend, or refuse it.

        Raises:
            BudgetExceeded: If a limit is reached, or would be crossed.
        """
        site = span[SITE]
        said = _amounts(expected if expected is not None else site.expected)
        if said is None and site.kind not in SPENDING:
            return
        asked = usual(site)
        if said is not None:
            asked = [usually if wish is None else wish for usually, wish in zip(asked, said, strict=True)]
        hold = self.hold(span, Hold(enclosing(span[PARENT]), site), asked, site.name)
        details_of(span).hold = hold

    def hold(self, span: state.SpanList | None, hold: Hold, asked: Amounts, what: str) -> Hold:
        """Reserve an amount in every budget in force, or in none.

        Args:
            span: Whose keys count.
            hold: What is to have it.
            asked: Dollars and tokens.
            what: Who asks, for the message.

        Returns:
            The hold.

        Raises:
            BudgetExceeded: If a limit is reached, or would be crossed.
        """
        claims = self._claims(span)
        with locking.lock:
            self._check(claims, hold, asked, what)
            for account in {id(account): account for _, account in claims}.values():
                hold.reserve(account, asked)
        return hold

    def check(self, span: state.SpanList | None, hold: Hold, asked: Amounts, what: str) -> None:
        """Refuse what `hold` would, and reserve nothing."""
        claims = self._claims(span)
        with locking.lock:
            self._check(claims, hold, asked, what)

    def charge(
        self, span: state.SpanList, details: Details, usage: Usage | None, *, anew: bool = False
    ) -> None:
        """Tell all budgets in force of an answer, or of a cost that the user's code reports; never refuses.

        Args:
            span: The execution that has the answer.
            details: What is known of it.
            usage: The answer's usage; None where only the reported cost has changed.
            anew: Whether the answer replaces those before.
        """
        try:
            self._charge(span, details, usage, anew=anew)
        except Exception as error:
            trouble("an answer could not be charged to a budget", error)

    def _charge(self, span: state.SpanList, details: Details, usage: Usage | None, *, anew: bool) -> None:
        cost = None if usage is None else cost_of(usage, span[SITE], span[STARTED])
        around = enclosing(span[PARENT]) if details.hold is None else None
        execution = None
        if state.sample_costs or not span[FLAGS] & _UNSAMPLED:
            execution = execution_uuid(span[TRACE_HIGH], span[SPAN_ID])
        claims = [(link.budget, account) for link in self.chain() if (account := link.account_of(span))]
        warnings: list[Callable[[], None]] = []
        with locking.lock:
            hold: Hold = details.hold or Hold(around, span[SITE])
            details.hold = hold
            before, unpriced = hold.own, hold.unpriced()
            if usage is not None:
                hold.take(usage, cost, anew=anew)
            if details.cost is not None:
                hold.report(dollars(details.cost))
            change = [after - was for after, was in zip(hold.own, before, strict=True)]
            unknown = hold.unpriced() - unpriced
            hold.total(change)
            for account in {id(account): account for _, account in claims}.values():
                hold.spend(account, execution, change, unknown)
            for budget, account in claims:
                hold.limits_usd |= budget.limits[USD] is not None
                warnings += budget.warnings(account)
        if not hold.is_open:
            hold.tell()  # an attempt has ended before its operation returns the answer
        for warn in warnings:
            warn()

    def _claims(self, span: state.SpanList | None) -> list[tuple["Budget", Account]]:
        claims = [(link.budget, account) for link in self.chain() if (account := link.account_of(span))]
        for _, account in claims:
            if isinstance(account, SharedAccount):
                account.refresh()
        return claims

    def _check(self, claims: list[tuple["Budget", Account]], hold: Hold, asked: Amounts, what: str) -> None:
        for budget, account in claims:
            spent: Amounts | None = None
            for unit in (USD, TOKENS):
                limit = budget.limits[unit]
                if limit is None or not budget.enforce:
                    continue
                spent = account.spent() if spent is None else spent
                covered = 0 if hold.parent is None else hold.parent.available(account, unit)
                missing = max(0, asked[unit] - covered)
                taken = spent[unit] + account.reserved[unit]
                crosses = taken + missing > limit if missing else taken >= limit and not covered
                if spent[unit] >= limit or crosses:
                    raise _refusal(budget, account, unit, spent[unit], asked[unit], what)


def enclosing(span: state.SpanList | None) -> Hold | None:
    """Return what budgets keep for the innermost execution, from this one outwards, of which they keep anything."""
    while span is not None:
        details = span[DETAILS]
        if details is not None and details.hold is not None:
            hold: Hold = details.hold
            return hold
        span = span[PARENT]
    return None


def _amounts(expected: Expectation | None) -> list[int | None] | None:
    if expected is None:
        return None
    try:
        return [
            checked("expected_usd", expected[USD], USD),
            checked("expected_tokens", expected[TOKENS], TOKENS),
        ]
    except ConfigurationError as error:
        trouble("what a call is expected to spend was no amount", error)
        return None


def _refusal(
    budget: "Budget", account: Account, unit: int, spent: int, asked: int, what: str
) -> BudgetExceeded:
    limit = budget.limits[unit]
    assert limit is not None, "only a limit can be reached"
    name, key = UNITS[unit], account.key
    whose = "" if budget.per is None else f" per {budget.per}" + ("" if key is None else f" {key!r}")
    called = "" if budget.name is None else f" {budget.name!r}"
    wish = f"asks for {shown(asked, unit)} {name}" if asked else "is not begun"
    until = "" if budget.window is None else f" within {budget.window:g} s"
    return BudgetExceeded(
        f"the budget{called} of {shown(limit, unit)} {name}{whose}{until} has {shown(spent, unit)} spent and "
        f"{shown(account.reserved[unit], unit)} reserved, and {what!r} {wish}; raise the limit"
        + (", or wait until the window has moved on" if budget.window is not None else ""),
        limit=shown(limit, unit),
        spent=shown(spent, unit),
        reserved=shown(account.reserved[unit], unit),
        asked=shown(asked, unit),
        unit=name,
        per=budget.per,
        key=key,
        name=budget.name,
    )
