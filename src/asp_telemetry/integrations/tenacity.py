"""Makes each attempt of a tenacity retry a child execution of the span around it.

Nothing of tenacity is imported: its retrying objects call `before`, `retry` and `after`, and that is enough. `after`
alone would not do, as tenacity does not call it for the attempt that succeeds; the `retry` predicate sees every outcome.

Source: https://tenacity.readthedocs.io/en/latest/api.html
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from asp_telemetry.capture.attempts import Attempts, attempts_of
from asp_telemetry.capture.span import operation_span
from asp_telemetry.errors import BudgetExceeded
from asp_telemetry.guard import trouble

if TYPE_CHECKING:
    from asp_telemetry.capture import state

T = TypeVar("T")

_OURS = "_asp_telemetry_attempt"


def track_attempts(retrying: T) -> T:
    """Record each attempt of a tenacity retry as a child of the execution that is open around it.

    The execution counts the further attempts in its `Retries` and the time between them in its `Backoff_Time`;
    the tokens stand at the attempt that got the answer. Outside of any span nothing is recorded.

    Args:
        retrying: A `Retrying` or `AsyncRetrying` object, or a function that `@tenacity.retry` decorates.

    Returns:
        The same object, with its callbacks extended; the user's own are called as before.

    Example:
        >>> import asp_telemetry as asp
        >>> import tenacity
        >>> @asp.track(kind="generation")
        ... @asp.track_attempts
        ... @tenacity.retry(stop=tenacity.stop_after_attempt(3), reraise=True)
        ... def ask(prompt: str) -> str:
        ...     return f"the answer to {prompt}"
        >>> ask("a question")
        'the answer to a question'
    """
    controller: Any = getattr(retrying, "retry", None)
    # A retrying object has a `retry` too: its predicate.
    if not hasattr(controller, "before"):
        controller = retrying
    if not (hasattr(controller, "before") and hasattr(controller, "retry") and hasattr(controller, "after")):
        trouble(
            "track_attempts() was given something else than a retry of tenacity",
            remedy=f"give a Retrying object or a function under @tenacity.retry, not a {type(retrying).__name__}",
        )
    elif not getattr(controller.before, _OURS, False):
        controller.before = _chained(_begin, controller.before)
        controller.after = _chained(_end, controller.after)
        controller.retry = _chained(_end, controller.retry)
    return retrying


def _chained(ours: Callable[[Any], None], theirs: Any) -> Callable[[Any], Any]:
    """Call ours, then what the user has set, whose result counts; `async` where that is."""
    if theirs is None:
        theirs = _nothing
    import inspect  # noqa: PLC0415 - costs 8 ms, for users of tenacity alone

    chained: Any
    if inspect.iscoroutinefunction(theirs) or inspect.iscoroutinefunction(type(theirs).__call__):

        async def chained_coroutine(call: Any) -> Any:
            ours(call)
            return await theirs(call)

        chained = chained_coroutine
    else:

        def chained_function(call: Any) -> Any:
            ours(call)
            return theirs(call)

        chained = chained_function
    setattr(chained, _OURS, True)
    return chained  # type: ignore[no-any-return]


def _nothing(_: Any) -> None:
    """Be the callback that the user has not set."""


def _begin(call: Any) -> None:
    """Open an attempt; `call` is tenacity's state of one retried call."""
    try:
        operation = operation_span()
        if operation is None:
            return
        attempts = attempts_of(operation)
        attempt = attempts.begin(operation, number=call.attempt_number)
        # A loop over attempts may be left in the middle, which tenacity tells nobody.
        attempts.loose = attempt
        setattr(call, _OURS, (attempts, attempt))
    except BudgetExceeded:
        raise  # tenacity hands on what `before` raises, and does not try again
    except Exception as error:
        trouble("an attempt could not begin", error)


def _end(call: Any) -> None:
    """Close the attempt that is open, with its outcome."""
    try:
        found: tuple[Attempts, state.SpanList] | None = getattr(call, _OURS, None)
        if found is None:
            return
        attempts, attempt = found
        setattr(call, _OURS, None)
        outcome = call.outcome
        error = outcome.exception()
        if error is not None:
            attempts.end(attempt, error)
        elif call.fn is None:
            # The body of a loop over attempts: what it found is not known to tenacity.
            attempts.end(attempt)
        else:
            attempts.end_with_answer(attempt, outcome.result())
    except Exception as error:
        trouble("an attempt could not be ended", error)
