"""An account that many processes share: what the ledger has committed, and what this process has not yet seen there."""

from threading import Event
from time import monotonic, time_ns
from typing import Final, NamedTuple, cast

from asp_telemetry.budgets import locking
from asp_telemetry.budgets.account import Account
from asp_telemetry.budgets.amounts import TOKENS, USD, Amounts, dollars
from asp_telemetry.budgets.hosts import runs_event_loop
from asp_telemetry.capture import state
from asp_telemetry.guard import note

STALE_SECONDS: Final = 5.0
"""How old the ledger's figures may be before a call waits for newer ones; they are renewed every second."""

PATIENCE_SECONDS: Final = 2.0
"""How long a call waits for them at most, and never where an event loop runs."""

_MOST_WAITING: Final = 10_000

_away: dict[int, float] = {}
"""Until when nobody waits for a database, because it has just failed."""


class Question(NamedTuple):
    """Ask the ledger for one key.

    Attributes:
        per: task, session, user or project.
        key: Whose spending; None asks for what belongs to nobody.
        since_ns: From when on it counts, in ns since the epoch; None for ever.
        executions: The ids of executions of which the ledger shall say whether it has them.
    """

    per: str
    key: str | None
    since_ns: int | None
    executions: list[str]


class Reading(NamedTuple):
    """Say what the ledger has committed at one moment: USD as decimal text, tokens, and which executions are among it."""

    usd: str
    tokens: int
    executions: list[str]


class SharedAccount(Account):
    """Add what the ledger has committed to what this process has spent and does not yet find there.

    Both are told apart by the ids of executions in one statement, that is on one state of the database: nothing is
    missed and nothing counted twice, whenever the writer commits.

    Args:
        per: task, session, user or project.
        key: Whose it is.
        window: For how many seconds a spending counts; None for ever.
    """

    def __init__(self, per: str, key: str | None, window: float | None) -> None:
        super().__init__(key, window)
        self.per = per
        self.used_at = monotonic()
        self._ledger = state.ledger_number
        self._committed: Amounts = [0, 0]
        self._read_at: float | None = None
        self._pending: Amounts = [0, 0]
        self._waiting: dict[str, tuple[int, int, float]] = {}

    def add_for(self, execution: str | None, usd: int, tokens: int, unpriced: int = 0) -> None:
        """Add what an answer of an execution cost; one that will have no row in the ledger has no id here."""
        if execution is None:
            self.add(usd, tokens, unpriced)
            return
        with locking.lock:
            self.used_at = monotonic()
            self.unpriced += unpriced
            before = self._waiting.pop(execution, (0, 0))
            self._waiting[execution] = (before[0] + usd, before[1] + tokens, self.used_at)
            self._pending[0] += usd
            self._pending[1] += tokens
            if len(self._waiting) > _MOST_WAITING:
                self.add(*self._let_go(next(iter(self._waiting))))
                note(
                    "a shared budget has not found its spending in the ledger for long",
                    remedy="it counts as this process's own from now on; asp_telemetry.stats() says what waits, and why",
                )

    def _let_go(self, execution: str) -> tuple[int, int]:
        usd, tokens, _ = self._waiting.pop(execution, (0, 0, 0.0))
        self._pending[0] -= usd
        self._pending[1] -= tokens
        return usd, tokens

    def spent(self) -> Amounts:
        """Return what counts as spent now, as far as this process knows."""
        own = super().spent()
        if self._window is not None:
            horizon = monotonic() - self._window
            for execution in [name for name, entry in self._waiting.items() if entry[2] <= horizon]:
                self._let_go(execution)
        return [own[unit] + self._pending[unit] + self._committed[unit] for unit in (USD, TOKENS)]

    def is_due(self) -> bool:
        """Tell whether the figures are missing or too old, and nobody has just found that they cannot be had."""
        now = monotonic()
        self.used_at = now
        if now < _away.get(self._ledger, 0.0):
            return False
        return self._read_at is None or now - self._read_at > STALE_SECONDS

    def refresh(self) -> None:
        """See to it that the figures are fresh: waits for them a little, unless an event loop runs here."""
        if not self.is_due():
            return
        coming = self.ask()
        if coming is not None and not runs_event_loop() and not coming.wait(PATIENCE_SECONDS):
            self.fail(TimeoutError(f"the database did not answer within {PATIENCE_SECONDS:g} s"))

    def ask(self) -> Event | None:
        """Have the account read soon; the event is set once that is done, or has failed."""
        if state.watch_spending is None:
            return None
        try:
            return cast("Event", state.watch_spending(self))
        except Exception as error:  # what is configured by variables may be wrong
            self.fail(error)
            return None

    def question(self) -> Question:
        """Return what the ledger is to be asked."""
        with locking.lock:
            since = None if self._window is None else time_ns() - int(self._window * 1e9)
            return Question(self.per, self.key, since, list(self._waiting))

    def learn(self, reading: Reading) -> None:
        """Take in what the ledger says."""
        with locking.lock:
            self._committed = [dollars(reading.usd), reading.tokens]
            for execution in reading.executions:
                self._let_go(execution)
            self._read_at = monotonic()
            _away.pop(self._ledger, None)

    def fail(self, error: Exception) -> None:
        """Take note that the ledger cannot be read: this process goes on with what it knows."""
        _away[self._ledger] = monotonic() + STALE_SECONDS
        note(
            "a shared budget could not read the ledger",
            error,
            "it goes on with what was read last and what this process spends; other processes' spending is missing",
        )

    def after_fork(self) -> None:
        """Leave to the parent what its executions have spent and not yet committed: the ledger will tell of it."""
        super().after_fork()
        self._read_at = None
