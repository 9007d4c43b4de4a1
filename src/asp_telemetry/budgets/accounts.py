"""Finds the account of a key; those that were used least recently are forgotten once there are very many."""

from collections import OrderedDict
from typing import Any, Final, NamedTuple

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

# A plain dict slows down where entries at its front are deleted again and again.
_Accounts = OrderedDict[tuple[Any, ...], Account]
_accounts: _Accounts = OrderedDict()
_accounts_of_traces: _Accounts = OrderedDict()


class Key(NamedTuple):
    """Say whose an account is: by name, or, where nobody is named, by the trace that stands for a task or session."""

    value: str | None
    is_trace: bool = False


def key_of(per: str, span: state.SpanList | None) -> Key | None:
    """Say whose account an execution draws on, by the same rules as its row: a task or session defaults to the trace.

    Args:
        per: One of `PERS`.
        span: The execution, or what stands in for one; None outside of any.

    Returns:
        The key; None while it is not known, before a trace begins.
    """
    if per == "process":
        return Key(None)
    facts = (state.default_scope if span is None else span[SCOPE]).facts
    value: str | None = facts.get(f"{per}_id")
    if value is not None or per not in {"task", "session"}:
        return Key(value)
    if span is None or not span[SPAN_ID]:
        return None
    return Key(execution_uuid(span[TRACE_HIGH], span[TRACE_LOW]), is_trace=True)


def find_account(name: str | None, per: str, key: Key, window: float | None, *, shared: bool) -> Account:
    """Return the account of a key, made when first asked for."""
    # The ledger knows nothing of the names of budgets.
    place = (state.ledger_number if shared else name, shared, per, window, key.value)
    accounts = _accounts_of_traces if key.is_trace else _accounts
    with locking.lock:
        found = accounts.get(place)
        if found is not None:
            accounts.move_to_end(place)
            return found
        if len(accounts) >= _MOST:
            _forget_one(accounts)
        found = SharedAccount(per, key.value, window) if shared else Account(key.value, window)
        accounts[place] = found
        return found


def _forget_one(accounts: _Accounts) -> None:
    for _, (place, account) in zip(range(_LOOKED_AT), accounts.items(), strict=False):
        if not any(account.reserved):
            del accounts[place]
            break
    # A trace does not come again, a user does.
    if accounts is _accounts:
        note(
            "a budget forgot what was spent longest ago",
            remedy=f"{_MOST} keys are kept in memory; use shared=True, which asks the database",
        )


def _after_fork() -> None:
    for place in [place for place in _accounts if place[2] == "process"]:
        del _accounts[place]


locking.in_child.append(_after_fork)
