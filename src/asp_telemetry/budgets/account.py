"""The account of one key: what was spent, within a window or ever, and what is reserved."""

from collections import deque
from time import monotonic
from typing import Any, Final
from weakref import WeakSet

from asp_telemetry.budgets import locking
from asp_telemetry.budgets.amounts import Amounts

_SLICES: Final = 1000
"""Into how many slices a window is divided: what was spent leaves it late by that share of it, never early."""

_all: "WeakSet[Account]" = WeakSet()


class Account:
    """Hold what one key has spent and reserved; all but `add` is called with the lock held.

    Args:
        key: Whose it is; None where nobody is named.
        window: For how many seconds a spending counts; None for ever.
    """

    def __init__(self, key: str | None, window: float | None) -> None:
        self.key = key
        self.reserved: Amounts = [0, 0]
        self.unpriced = 0
        self.warned: set[Any] = set()
        self._window = window
        self._total: Amounts = [0, 0]
        self._slices: deque[list[Any]] = deque()
        self._coming: deque[tuple[int, int, int]] = deque()
        self._folding = False
        _all.add(self)

    def add(self, usd: int, tokens: int, unpriced: int = 0) -> None:
        """Add what an answer cost; less than nothing where an earlier figure turns out to be too high."""
        self._coming.append((usd, tokens, unpriced))
        with locking.lock:
            self._fold()

    def spent(self) -> Amounts:
        """Return what counts as spent now."""
        self._fold()
        self._expire()
        return list(self._total)

    def after_fork(self) -> None:
        """Forget, in a forked child, what calls of the parent have reserved."""
        self.reserved = [0, 0]
        self._folding = False

    def _fold(self) -> None:
        # A finaliser that spends in the middle of an addition only leaves its amount for this loop to find.
        if self._folding:
            return
        self._folding = True
        try:
            while self._coming:
                usd, tokens, unpriced = self._coming.popleft()
                self._total[0] += usd
                self._total[1] += tokens
                self.unpriced += unpriced
                if self._window is not None:
                    self._note(usd, tokens, self._window)
        finally:
            self._folding = False

    def _note(self, usd: int, tokens: int, window: float) -> None:
        now = monotonic()
        newest = self._slices[-1] if self._slices else None
        if newest is not None and now - newest[0] < window / _SLICES:
            newest[1] += usd
            newest[2] += tokens
        else:
            newest = [now, usd, tokens, now]
            self._slices.append(newest)
        newest[3] = now

    def _expire(self) -> None:
        if self._window is None or self._folding:
            return
        horizon = monotonic() - self._window
        while self._slices and self._slices[0][3] <= horizon:
            _, usd, tokens, _ = self._slices.popleft()
            self._total[0] -= usd
            self._total[1] -= tokens


def _after_fork() -> None:
    for account in list(_all):
        account.after_fork()


locking.in_child.append(_after_fork)
