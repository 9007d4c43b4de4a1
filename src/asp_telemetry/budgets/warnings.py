"""Warns once when a share of a limit is spent, and again only after it has been less in between."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from asp_telemetry.budgets.account import Account
from asp_telemetry.budgets.amounts import UNITS, shown
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.guard import note, trouble

if TYPE_CHECKING:
    from asp_telemetry.budgets.budget import Budget

_PARTS: Final = 10**9


class SoftLimitReached(NamedTuple):
    """Say that a share of a limit is spent.

    Attributes:
        limit: The limit itself, in USD (a Decimal) or tokens (an int).
        spent: What has been spent of it.
        unit: `"USD"` or `"tokens"`.
        per: Whose budget it is, as in `budget()`.
        key: Whose in particular.
        name: The budget's name, if it has one.
    """

    limit: Any
    spent: Any
    unit: str
    per: str | None
    key: str | None
    name: str | None


class SoftLimit:
    """Be the share of a limit from which on a warning is due.

    Args:
        share: Above 0, at most 1.
        callback: Called with a `SoftLimitReached`, besides the log; what it raises is kept from the host.

    Raises:
        ConfigurationError: If the share is none.
    """

    def __init__(self, share: Any, callback: Callable[[SoftLimitReached], object] | None) -> None:
        if isinstance(share, bool) or not isinstance(share, (int, float, Decimal)) or not 0 < share <= 1:
            raise ConfigurationError(
                f"soft={share!r} is no share of a limit; give a number above 0, at most 1, such as 0.8"
            )
        self._parts = round(share * _PARTS)
        self._callback = callback

    def due(self, budget: "Budget", account: Account) -> list[Callable[[], None]]:
        """Return a warning for each limit of which the share has now been reached; the lock is held."""
        spent = account.spent()
        found: list[Callable[[], None]] = []
        for unit, limit in enumerate(budget.limits):
            if limit is None:
                continue
            mark = (limit, self._parts, unit)
            if spent[unit] * _PARTS < limit * self._parts:
                account.warned.discard(mark)
            elif mark not in account.warned:
                account.warned.add(mark)
                reached = SoftLimitReached(
                    shown(limit, unit),
                    shown(spent[unit], unit),
                    UNITS[unit],
                    budget.per,
                    account.key,
                    budget.name,
                )
                found.append(lambda reached=reached: self._tell(reached))  # type: ignore[misc]
        return found

    def _tell(self, reached: SoftLimitReached) -> None:
        whose = (
            ""
            if reached.per is None
            else f" per {reached.per}" + (f" {reached.key!r}" if reached.key else "")
        )
        called = "" if reached.name is None else f" {reached.name!r}"
        note(
            f"the soft limit of a budget{called} was reached",
            remedy=f"{reached.spent} of {reached.limit} {reached.unit}{whose} are spent",
        )
        if self._callback is None:
            return
        try:
            self._callback(reached)
        except Exception as error:
            trouble("the on_soft function of a budget raised", error)
