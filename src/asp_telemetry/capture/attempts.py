"""Tells the attempts of one operation apart: each a child execution of its own, the operation without tokens of its own.

An attempt that succeeds often returns its answer through the operation, whose end is where the usage is found. So the
record of a successful attempt without usage waits for that: until the operation ends, or tries again.
"""

from time import perf_counter_ns
from types import TracebackType
from typing import Any, Self

from asp_telemetry.capture import state
from asp_telemetry.capture.definition import Site, site_for
from asp_telemetry.capture.details import details_of
from asp_telemetry.capture.lifecycle import NOTHING, begin, close, fail, finish, submit
from asp_telemetry.capture.span import Span
from asp_telemetry.errors import BudgetExceeded
from asp_telemetry.guard import trouble
from asp_telemetry.journal.layout import CLOCK, RETRIES, SITE, STATE, TRACE_LOW, Status

# What an agent or a task tries again is the call of a model; a tool would be counted once per attempt.
_KINDS = {"agent": "generation", "task": "span", "tool": "span"}


class Attempts:
    """Follow the attempts of one operation.

    Attributes:
        answering: The attempt that the operation's answer belongs to: the one that began or succeeded last.
        loose: An open attempt of which nobody may tell the end.
    """

    __slots__ = (
        "_backoff_ns", "_count", "_ended_ns", "_is_over", "_model_ns", "_open", "_waiting_ns", "answering", "loose",
    )  # fmt: skip

    def __init__(self) -> None:
        self.answering: state.SpanList | None = None
        self.loose: state.SpanList | None = None
        self._waiting_ns: int | None = None
        self._is_over = False
        self._open = 0
        self._count = 0
        self._ended_ns = 0
        self._model_ns = 0
        self._backoff_ns = 0

    def begin(
        self, operation: state.SpanList, *, number: int | None = None, kind: str | None = None
    ) -> state.SpanList:
        """Open an attempt and make it the current span.

        Args:
            operation: The span of what is tried.
            number: Which attempt of its call it is, from 1; the next one of the operation if left out.
            kind: The kind of its execution; one that fits the operation if left out.

        Returns:
            The attempt's span; one that ignores everything when recording is switched off.

        Raises:
            BudgetExceeded: If a budget refuses it.
        """
        self._submit_waiting()
        attempt = begin(_site_of(operation[SITE], kind))
        if attempt is NOTHING:
            return attempt
        self._count += 1
        number = self._count if number is None else number
        if number > 1:
            operation[RETRIES] += 1
            if not self._open and self._ended_ns:
                self._backoff_ns += attempt[CLOCK] - self._ended_ns
        details_of(attempt).attempt = number
        self._open += 1
        self.answering = attempt
        return attempt

    def end(self, attempt: state.SpanList, error: BaseException | None = None) -> None:
        """Close an attempt that has succeeded or raised an error."""
        if not self._note_end(attempt):
            return
        if error is not None:
            self._disown(attempt)
            fail(attempt, error)
        elif self._is_over or details_of(attempt).usage is not None:
            self._disown(attempt)
            finish(attempt)
        else:
            self._submit_waiting()
            self._waiting_ns = close(attempt)
            self.answering = None if self._waiting_ns is None else attempt

    def end_with_answer(self, attempt: state.SpanList, answer: Any) -> None:
        """Close an attempt whose answer is known already."""
        if self._note_end(attempt):
            self._disown(attempt)
            finish(attempt, answer)

    def refuse(self, attempt: state.SpanList, error_type: str, message: str) -> None:
        """Close an attempt that was answered with an error, which nobody has raised yet."""
        if self._note_end(attempt):
            self._disown(attempt)
            duration = close(attempt)
            if duration is not None:
                details_of(attempt).error = (error_type, message)
                submit(attempt, int(Status.ERROR), duration)

    def prolong(self, attempt: state.SpanList) -> None:
        """Let an attempt that has ended last until now, if its record still waits: its answer was still coming."""
        if self.answering is attempt and self._waiting_ns is not None:
            self._ended_ns = perf_counter_ns()
            lasted = self._ended_ns - attempt[CLOCK]
            self._model_ns += lasted - self._waiting_ns
            self._waiting_ns = lasted

    def concluded(self) -> tuple[int, int, int]:
        """End with the operation; return how many attempts there were, the ns they took, and the ns between them."""
        self._is_over = True
        if self.loose is not None:
            self.end(self.loose)
        self._submit_waiting()
        self.answering = None
        return self._count, self._model_ns, self._backoff_ns

    def _note_end(self, attempt: state.SpanList) -> bool:
        """Count the time that an attempt took; False if it has ended before."""
        if attempt[STATE] == state.FINISHED:
            return False
        self._open -= 1
        self._ended_ns = perf_counter_ns()
        self._model_ns += self._ended_ns - attempt[CLOCK]
        if self.loose is attempt:
            self.loose = None
        return True

    def _disown(self, attempt: state.SpanList) -> None:
        if self.answering is attempt:
            self.answering = None

    def _submit_waiting(self) -> None:
        attempt, duration = self.answering, self._waiting_ns
        if attempt is not None and duration is not None:
            self.answering = self._waiting_ns = None
            submit(attempt, int(Status.SUCCESS), duration)


class Attempt(Span):
    """Be one attempt of an operation; made by `Span.attempt()`.

    As a call it counts a retry. As a block, `with` or `async with`, it is a child execution of its own, of which the
    first of an operation counts none.
    """

    __slots__ = ("_attempts", "_is_counted", "_operation", "_outer")

    def __init__(self, operation: state.SpanList, *, is_counted: bool) -> None:
        super().__init__(NOTHING)
        self._operation = operation
        self._is_counted = is_counted
        self._attempts: Attempts | None = None
        self._outer: state.SpanList | None = None

    def __enter__(self) -> Self:
        operation = self._operation
        if operation[STATE]:
            return self
        try:
            if self._is_counted:
                # It was counted as a call, before anybody could know that it is a block.
                self._is_counted = False
                operation[RETRIES] -= 1
            self._outer = outer = state.get_current()
            if outer is None or outer[TRACE_LOW] != operation[TRACE_LOW]:
                state.set_current(operation)  # a thread into which nothing has carried it
            self._attempts = attempts_of(operation)
            self._span = self._attempts.begin(operation)
        except BudgetExceeded:
            # Nobody calls __exit__ of a block that was not entered.
            if state.get_current() is operation:
                state.set_current(self._outer)
            raise
        except Exception as error:
            trouble("an attempt could not begin", error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._attempts is None:
            return
        try:
            if self._span is not NOTHING:
                self._attempts.end(self._span, error)
            if state.get_current() is self._operation:
                state.set_current(self._outer)
        except Exception as failure:
            trouble("an attempt could not be ended", failure)


def attempts_of(operation: state.SpanList) -> Attempts:
    """Return the attempts of an operation, begun when first asked for."""
    details = details_of(operation)
    if details.attempts is None:
        details.attempts = Attempts()
    return details.attempts


def _site_of(operation: Site, kind: str | None) -> Site:
    facts: dict[str, Any] = operation.facts
    kind = kind or _KINDS.get(operation.kind, operation.kind)
    return site_for(facts["name"], kind, None, facts["model"], facts["provider"], facts["version"])
