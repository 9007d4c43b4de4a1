"""Reserves an amount for a block of code, whichever calls it makes."""

from collections.abc import Callable
from types import TracebackType

from asp_telemetry.budgets.amounts import Amounts
from asp_telemetry.budgets.hold import Hold
from asp_telemetry.budgets.link import Link, enclosing
from asp_telemetry.capture import state
from asp_telemetry.capture.details import details_of
from asp_telemetry.capture.lifecycle import child_frame, leave_out_of_turn
from asp_telemetry.journal.layout import SCOPE


class Reservation:
    """Hold an amount while a block runs; made by `Budget.reserve()`, for one use.

    Args:
        link_here: Finds the budgets that are in force where the block begins.
        asked: Dollars and tokens.
    """

    def __init__(self, link_here: Callable[[state.SpanList | None], Link], asked: Amounts) -> None:
        self._link_here = link_here
        self._asked = asked
        self._hold: Hold | None = None
        self._frame: state.SpanList | None = None
        self._outer: state.SpanList | None = None

    def __enter__(self) -> None:
        """Reserve it.

        Raises:
            BudgetExceeded: If it would cross a limit; then the block does not begin.
        """
        outer = state.get_current()
        link = self._link_here(outer)
        self._hold = link.hold(outer, Hold(enclosing(outer), None), self._asked, "reserve()")
        self._outer = outer
        self._frame = child_frame(outer, state.default_scope if outer is None else outer[SCOPE])
        # Executions inside look outwards for what is reserved for them.
        details_of(self._frame).hold = self._hold
        state.set_current(self._frame)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        frame, hold = self._frame, self._hold
        if frame is None or hold is None:
            return
        if state.get_current() is frame:
            state.set_current(self._outer)
        else:
            leave_out_of_turn(frame)
        hold.close()

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)
