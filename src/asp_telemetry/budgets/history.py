"""What the calls of one site usually spend: the estimate for calls of which nobody says what they will."""

from typing import Any, Final

from asp_telemetry.budgets.amounts import Amounts
from asp_telemetry.capture.definition import Site

_MEMORY: Final = 20
"""Over how many calls the mean runs, so that it follows a change of model or prompt."""


def note_call(site: Site, spent: Amounts) -> None:
    """Remember what a call spent with all that happened inside it; one that spent nothing says nothing.

    Args:
        site: What was called.
        spent: Dollars and tokens; each has a mean of its own, over the calls that spent of it.
    """
    if not any(spent):
        return
    history: Any = site.history
    if history is None:
        history = site.history = [[0, 0], [0, 0]]
    for unit, amount in enumerate(spent):
        if amount > 0:
            calls, mean = history[unit]
            calls = min(calls + 1, _MEMORY)
            history[unit] = [calls, mean + (amount - mean) // calls]


def usual(site: Site) -> Amounts:
    """Return the running mean of what its calls have spent inside budgets of this process; 0 where none has."""
    return [0, 0] if site.history is None else [mean for _, mean in site.history]
