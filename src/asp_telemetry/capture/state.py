"""The process-wide state of capture: the current span, the live spans, and where finished ones go.

The hot path reads these as globals of this module, the cheapest look-up there is; only `recorder` sets them.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from asp_telemetry.capture.definition import Scope
from asp_telemetry.guard import trouble
from asp_telemetry.ids import span_ids
from asp_telemetry.journal.layout import STATE

SpanList = list[Any]
Append = Callable[[int, int, int, SpanList, bytes | None], bool]

FINISHED = 1
FOREIGN = 2

current: ContextVar[SpanList | None] = ContextVar("asp_telemetry_span", default=None)
get_current = current.get
set_current = current.set

live: dict[int, SpanList] = {}
"""Every open span by its id, oldest first: the writer looks here for executions that have been open for long."""

watch_spending: Callable[[Any], Any] | None = None
"""Has an account of a shared budget read from the ledger; the recorder puts its own function here."""

ledger_number = 0
"""Which database it is that is configured: another one has another number."""

enabled = True
capture_content = False
may_capture = False
"""Whether any call's content may be stored: everywhere, or where a decorator asks for it."""
_decorators_capture = False
sample_rate = 1.0
private_prices: Any = None
"""The user's own prices, for whoever prices an answer in its caller's thread."""
sample_costs = True
default_scope = Scope({})


def let_capture(everywhere: bool | None) -> None:
    """Set whether content is stored; None notes that one of the decorators asks for it."""
    global capture_content, may_capture, _decorators_capture
    if everywhere is None:
        _decorators_capture = True
    else:
        capture_content = everywhere
    may_capture = capture_content or _decorators_capture


def at_first_span() -> None:
    """Do what is due when the first span begins; the recorder puts its own function here."""


def _first_id() -> int:
    global next_id
    next_id = _ids
    try:
        at_first_span()
    except Exception as error:
        trouble("the recorder could not be started", error)
    return _ids()


_ids = span_ids()
next_id: Callable[[], int] = _first_id
"""Makes the next id; the first call does more, so that `begin` need not ask whether it is the first."""


def expect_first_span() -> None:
    """Call `at_first_span` again when the next span begins."""
    global next_id
    next_id = _first_id


def use_ids(make: Callable[[], int]) -> Callable[[], int]:
    """Make ids in another way from now on; return the way before."""
    global _ids, next_id
    before, _ids = _ids, make
    if next_id is not _first_id:
        next_id = make
    return before


def unconnected(_kind: int, _status: int, _duration: int, _span: SpanList, _payload: bytes | None) -> bool:
    """Keep nothing: no recorder has been connected."""
    return False


append: Append = unconnected


def after_fork() -> None:
    """Make a forked child its own: new ids, no live spans; the parent's spans are the parent's to finish."""
    global _ids, live
    _ids = span_ids()
    expect_first_span()
    for span in list(live.values()):
        span[STATE] = FOREIGN
    live = {}
