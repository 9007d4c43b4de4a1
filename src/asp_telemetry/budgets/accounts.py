"""Finds the account of a key; those that were used least recently are forgotten once there are very many."""

from typing import Any, Final

from asp_telemetry.budgets import locking
from asp_telemetry.budgets.account import Account
from asp_telemetry.budgets.shared_account import SharedAccount
from asp_telemetry.capture import state
from asp_telemetry.guard import note
from asp_telemetry.ids import execution_uuid
from asp_telemetry.journal.layout import SCOPE, SPAN_ID, TRACE_HIGH, TRACE_LOW

PERS: Final = ("task", "session", "user", "project", "process")
_MOST: Final = 10_000
_LOOKED_AT: Final = 100

_accounts: dict[tuple[Any, ...], Account] = {}


def key_of(per: str, span: state.SpanList | None) -> tuple[bool, str | None]:
    """Say whose account an execution draws on, by the same rules as its row: a task or session defaults to the trace.

    Args:
        per: One of `PERS`.
        span: The execution, or what stands in for one; None outside of any.

    Returns:
        Whether that is known yet, and the key.
    """
    if per == "process":
        return True, None
    facts = (state.default_scope if span is None else span[SCOPE]).facts
    key: str | None = facts.get(f"{per}_id")
    if key is None and per in {"task", "session"}:
        if span is None or not span[SPAN_ID]:
            return False, None
        return True, execution_uuid(span[TRACE_HIGH], span[TRACE_LOW])
    return True, key


def find_account(
    name: str | None, per: str, key: str | None, window: float | None, *, shared: bool
) -> Account:
    """Return the account of a key, made when first asked for."""
    # The ledger knows nothing of the names of budgets.
    place = (state.ledger_number if shared else name, shared, per, window, key)
    with locking.lock:
        found = _accounts.pop(place, None)
        if found is None:
            if len(_accounts) >= _MOST:
                _forget_one()
            found = SharedAccount(per, key, window) if shared else Account(key, window)
        _accounts[place] = found
    return found


def _forget_one() -> None:
    for _, (place, account) in zip(range(_LOOKED_AT), _accounts.items(), strict=False):
        if not any(account.reserved):
            del _accounts[place]
            break
    note(
        "a budget forgot what was spent longest ago",
        remedy=f"{_MOST} keys are kept in memory; use a window=, or shared=True, which asks the database",
    )


def _after_fork() -> None:
    for place in [place for place in _accounts if place[2] == "process"]:
        del _accounts[place]


locking.in_child.append(_after_fork)
