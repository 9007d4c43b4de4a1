"""The budget as users hold it: its figures, and what opens and closes it."""

from collections.abc import Callable
from threading import Event
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from asp_telemetry.budgets import locking
from asp_telemetry.budgets.account import Account
from asp_telemetry.budgets.amounts import TOKENS, USD, Amount, Amounts, checked, shown
from asp_telemetry.budgets.decorating import decorate
from asp_telemetry.budgets.hold import Hold
from asp_telemetry.budgets.hosts import runs_event_loop
from asp_telemetry.budgets.link import Link, enclosing
from asp_telemetry.budgets.reservation import Reservation
from asp_telemetry.budgets.shared_account import PATIENCE_SECONDS, SharedAccount
from asp_telemetry.budgets.warnings import SoftLimit
from asp_telemetry.capture import state
from asp_telemetry.capture.lifecycle import child_frame, leave_out_of_turn
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.guard import note, trouble
from asp_telemetry.journal.layout import PARENT, SCOPE

F = TypeVar("F", bound=Callable[..., Any])

_POLL_SECONDS: Final = 0.005


class Entry:
    """Be one entry into a budget: what is current inside, what was outside, and what is in force."""

    __slots__ = ("frame", "link", "outer")

    def __init__(self, frame: state.SpanList, outer: state.SpanList | None, link: Link) -> None:
        self.frame = frame
        self.outer = outer
        self.link = link

    def leave(self) -> None:
        """Make current again what was outside."""
        if state.get_current() is self.frame:
            state.set_current(self.outer)
        else:
            leave_out_of_turn(self.frame)


class Budget:
    """Limit what is spent inside a block or a decorated function; made by `budget()`.

    One budget may be entered many times, also at the same time. Only making and entering it raise
    `ConfigurationError`, and only calls that it refuses raise `BudgetExceeded`.
    """

    def __init__(
        self,
        limits: tuple[int | None, int | None],
        *,
        per: str | None,
        window: float | None,
        soft: SoftLimit | None,
        enforce: bool,
        name: str | None,
        shared: bool,
    ) -> None:
        self.limits = limits
        self.per = per
        self.window = window
        self.enforce = enforce
        self.name = name
        self.shared = shared
        self.latest: Account | None = None
        self._soft = soft
        self._entries: list[Entry] = []

    @property
    def limit(self) -> Amount:
        """The limits; None where there is none."""
        return _amount(self.limits)

    @property
    def spent(self) -> Amount:
        """What the task, session, user, project, process or block of the moment has spent; see `budget()`.

        Outside of any execution it is the one of the last call.
        """
        return _amount(self._spent())

    @property
    def remaining(self) -> Amount:
        """What is left of the limits, never below zero: neither spent nor reserved; None where there is no limit."""
        account = self._account()
        reserved = [0, 0] if account is None else account.reserved
        spent = self._spent()
        left = [
            None if limit is None else max(0, limit - spent[unit] - reserved[unit])
            for unit, limit in enumerate(self.limits)
        ]
        return _amount(left)

    @property
    def unpriced(self) -> int:
        """How many answers had no price that anybody knows: `spent.usd` is too low by what they cost."""
        account = self._account()
        return 0 if account is None else account.unpriced

    def check(self, *, usd: Any = None, tokens: int | None = None) -> None:
        """Refuse now what would cross a limit of this budget or of one around it; reserves nothing.

        Args:
            usd: What will be spent, as text, Decimal or number.
            tokens: How many tokens it will take.

        Raises:
            BudgetExceeded: If it would, or a limit is already reached.
            ConfigurationError: If an amount is none.

        Example:
            >>> import asp_telemetry as asp
            >>> with asp.budget(usd=5) as b:
            ...     b.check(usd="4.99")
        """
        span = state.get_current()
        asked = [checked("usd", usd, USD) or 0, checked("tokens", tokens, TOKENS) or 0]
        self._link(span).check(span, Hold(enclosing(span), None), asked, "check()")

    def reserve(self, *, usd: Any = None, tokens: int | None = None) -> Reservation:
        """Reserve an amount for a block, with `with` or `async with`: calls inside draw on it, the rest is given back.

        Args:
            usd: What will be spent at most, as text, Decimal or number.
            tokens: How many tokens it will take at most.

        Returns:
            A context manager; entering it raises `BudgetExceeded` where it would cross a limit.

        Raises:
            ConfigurationError: If an amount is none.

        Example:
            >>> import asp_telemetry as asp
            >>> with asp.budget(usd=5) as b, b.reserve(usd=2):
            ...     b.remaining.usd
            Decimal('3')
        """
        return Reservation(
            self._link, [checked("usd", usd, USD) or 0, checked("tokens", tokens, TOKENS) or 0]
        )

    def __call__(self, function: F) -> F:
        """Open the budget around each call of a function: plain, `async`, generator or async generator."""
        decorated: F = decorate(function, self)
        return decorated

    def __enter__(self) -> Self:
        self._entries.append(self.enter())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave()

    async def __aenter__(self) -> Self:
        self._entries.append(await self.aenter())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave()

    def enter(self) -> Entry:
        """Put the budget in force here; return what undoes it.

        Raises:
            ConfigurationError: If it is shared and an event loop runs here, which must not wait for a database.
        """
        if self.shared and runs_event_loop():
            raise ConfigurationError(
                "a budget with shared=True was entered by `with` where an event loop runs, which must not wait for the "
                "database; write `async with asp.budget(...)`, or decorate an async function"
            )
        entry, account = self._enter()
        if isinstance(account, SharedAccount):
            account.refresh()
        return entry

    async def aenter(self) -> Entry:
        """Put the budget in force here; the event loop, of asyncio or trio, goes on while the database is read."""
        entry, account = self._enter()
        if isinstance(account, SharedAccount) and account.is_due():
            coming = account.ask()
            if coming is not None:
                await _happens(coming, account)
        return entry

    def warnings(self, account: Account) -> list[Callable[[], None]]:
        """Return the warnings that are due now that an account has grown; the lock is held."""
        return [] if self._soft is None else self._soft.due(self, account)

    def _enter(self) -> tuple[Entry, Account | None]:
        if not state.enabled:
            note(
                "a budget was opened while recording is switched off",
                remedy="it sees no answers and refuses nothing",
            )
        outer = state.get_current()
        scope = state.default_scope if outer is None else outer[SCOPE]
        own = None
        if self.per is None:
            own = self.latest = Account(None, self.window)
        link = Link(self, own, scope.budget)
        frame = child_frame(outer, scope.with_budget(link))
        account = link.account_of(frame)
        state.set_current(frame)
        return Entry(frame, outer, link), account

    def _leave(self) -> None:
        try:
            here = state.get_current()
            entries = self._entries
            # Of several entries at the same time this is the one that surrounds the caller.
            while here is not None:
                for entry in reversed(entries):
                    if entry.frame is here:
                        entries.remove(entry)
                        entry.leave()
                        return
                here = here[PARENT]
            entries.pop().leave()
        except Exception as error:
            trouble("a budget could not be left", error)

    def _link(self, span: state.SpanList | None) -> Link:
        """Return what is in force here, if this budget is; else this budget alone."""
        innermost: Link | None = None if span is None else span[SCOPE].budget
        if innermost is not None and any(link.budget is self for link in innermost.chain()):
            return innermost
        return Link(self, self.latest, None)

    def _account(self) -> Account | None:
        span = state.get_current()
        innermost: Link | None = None if span is None else span[SCOPE].budget
        if innermost is not None:
            for link in innermost.chain():
                if link.budget is self:
                    return link.account_of(span) or self.latest
        return self.latest

    def _spent(self) -> Amounts:
        account = self._account()
        if account is None:
            return [0, 0]
        with locking.lock:
            return account.spent()

    def __repr__(self) -> str:
        limits = ", ".join(
            f"{name}={value}"
            for name, value in zip(("usd", "tokens"), self.limit, strict=True)
            if value is not None
        )
        return f"<Budget {limits}{'' if self.per is None else f' per {self.per}'}>"


async def _happens(event: Event, account: SharedAccount) -> None:
    """Wait until another thread has read the ledger, without keeping the event loop."""
    import anyio  # noqa: PLC0415 - only shared budgets in async code need it

    deadline = monotonic() + PATIENCE_SECONDS
    while not event.is_set():
        if monotonic() > deadline:
            account.fail(TimeoutError(f"the database did not answer within {PATIENCE_SECONDS:g} s"))
            break
        await anyio.sleep(_POLL_SECONDS)


def _amount(values: Any) -> Amount:
    usd, tokens = values
    return Amount(None if usd is None else shown(usd, USD), tokens)
