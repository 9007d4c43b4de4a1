"""Makes budgets: checks what users ask for."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from asp_telemetry.budgets.accounts import PERS
from asp_telemetry.budgets.amounts import TOKENS, USD, checked
from asp_telemetry.budgets.budget import Budget
from asp_telemetry.budgets.pricing import load_prices
from asp_telemetry.budgets.warnings import SoftLimit
from asp_telemetry.errors import ConfigurationError


def budget(
    *,
    usd: Any = None,
    tokens: int | None = None,
    per: str | None = None,
    window: timedelta | float | None = None,
    soft: float | None = None,
    on_soft: Callable[[Any], object] | None = None,
    enforce: bool = True,
    name: str | None = None,
    shared: bool = False,
) -> Budget:
    """Limit what is spent, with `with`, `async with` or as a decorator: calls that would be too much are refused.

    Inside, each answer is priced when it is recorded. Executions of the kinds agent, generation and embedding, and
    others that say what they expect to spend, raise `BudgetExceeded` before they run once a limit is reached, or when
    what they are expected to spend would cross it: their `expected_usd=` and `expected_tokens=`, else the running mean
    of what calls of the same function have spent. So much is reserved until they end. A call of which nothing is known
    is let through while anything is left: each concurrent caller may go beyond the limit with one call. An answer that
    has been paid for always reaches the caller. Nested budgets all apply. An answer that a tracked function returns is
    recorded when that has returned: a budget inside the function sees it only if it is given to `record_usage()`.

    Args:
        usd: The limit in USD, as text, Decimal or number.
        tokens: The limit in tokens, input and output together.
        per: Whose spending counts: `"task"`, `"session"`, `"user"`, `"project"` or `"process"`, in all budgets of this
            name and window in the process; by default what is spent in this block, or one call of the decorated
            function. As in the ledger, a call without a task or session has its trace for one.
        window: For how many seconds a spending counts (or a timedelta); for ever by default.
        soft: The share of a limit, above 0 to 1, from which on there is one warning: in the log, and by `on_soft`.
        on_soft: Called with a `SoftLimitReached` in the thread that spends; without `soft`, at the limit itself.
        enforce: Whether calls are refused; without it there are only warnings, by default at the limit itself.
        name: Tells budgets of different purposes apart, and stands in messages.
        shared: Whether the spending of all processes counts that record into the same database. It is read at the
            entry and every second; where it cannot be, this process's own spending counts alone.

    Returns:
        The budget.

    Raises:
        ConfigurationError: If an argument cannot be used.

    Example:
        >>> import asp_telemetry as asp
        >>> @asp.track(kind="generation", model="gpt-4o-mini")
        ... def ask() -> dict:
        ...     return {"id": "1", "model": "gpt-4o-mini", "usage": {"prompt_tokens": 9000, "completion_tokens": 0}}
        >>> with asp.budget(usd="0.002") as b:
        ...     answer = ask()
        ...     b.spent.usd, b.remaining.usd
        ...     try:
        ...         ask()
        ...     except asp.BudgetExceeded as refusal:
        ...         print(refusal.unit, refusal.asked)
        (Decimal('0.00135'), Decimal('0.00065'))
        USD 0.00135
    """
    limits = checked("usd", usd, USD), checked("tokens", tokens, TOKENS)
    if limits == (None, None):
        raise ConfigurationError("budget() has no limit; give usd= or tokens=, or both")
    if per is not None and per not in PERS:
        raise ConfigurationError(f"per={per!r} is unknown; use one of {', '.join(PERS)}, or leave it out")
    if shared and per in {None, "process"}:
        raise ConfigurationError(
            f"shared=True counts what many processes spend, and per={per!r} is one's own; "
            "use per= task, session, user or project"
        )
    if not (callable(on_soft) or on_soft is None):
        raise ConfigurationError(f"on_soft={on_soft!r} cannot be called; give a function")
    threshold = 1.0 if soft is None and (on_soft is not None or not enforce) else soft
    load_prices()
    return Budget(
        limits,
        per=per,
        window=_seconds(window),
        soft=None if threshold is None else SoftLimit(threshold, on_soft),
        enforce=bool(enforce),
        name=None if name is None else str(name),
        shared=bool(shared),
    )


def _seconds(window: Any) -> float | None:
    if window is None:
        return None
    seconds = window.total_seconds() if isinstance(window, timedelta) else window
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < float("inf"):
        raise ConfigurationError(f"window={window!r} is no time; give seconds above zero, or a timedelta")
    return float(seconds)
