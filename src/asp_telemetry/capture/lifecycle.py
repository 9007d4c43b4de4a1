"""Begins, suspends and finishes spans: the few functions that every tracked call goes through."""

from time import perf_counter_ns, time_ns
from typing import Any

from asp_telemetry.capture import state
from asp_telemetry.capture.content import call_content, captures, content
from asp_telemetry.capture.definition import Expectation, Scope, Site
from asp_telemetry.capture.details import Details, add_error, details_of, detect
from asp_telemetry.capture.memory import resident_bytes
from asp_telemetry.capture.tools import count_tool
from asp_telemetry.errors import BudgetExceeded
from asp_telemetry.guard import trouble
from asp_telemetry.journal.layout import (
    CLOCK,
    DETAILS,
    FLAGS,
    INHERITED,
    PARENT,
    PARENT_ID,
    RETRIES,
    SCOPE,
    SITE,
    SPAN_ID,
    STATE,
    Flag,
    Kind,
    Status,
)

_EXECUTION = int(Kind.EXECUTION)
_SUCCESS = int(Status.SUCCESS)
_ERROR = int(Status.ERROR)
_TIMEOUT = int(Status.TIMEOUT)
_CANCELLED = int(Status.CANCELLED)
_UNSAMPLED = int(Flag.UNSAMPLED)
_INCOMPLETE = int(Flag.INCOMPLETE)
_NESTED = int(Flag.NESTED)
_TASK_BEGINS = int(Flag.TASK_BEGINS)
_INHERITED = int(INHERITED)
IN_AGENT_SHIFT = int(Flag.IN_AGENT).bit_length() - int(Flag.NESTED).bit_length()
_FINISHED = state.FINISHED
_FOREIGN = state.FOREIGN

_get_current = state.get_current
_set_current = state.set_current

# What certainly carries no usage: the common results are told apart by one look-up.
_PLAIN = frozenset({type(None), str, bool, int, float, bytes, list, tuple, set})

NOTHING: state.SpanList = [0, 0, 0, 0, None, None, None, 1, 0, 0, 0, None, None, _FINISHED, 0]
"""A span that ignores everything."""


def begin(
    site: Site,
    args: tuple[Any, ...] = (),
    kwargs: dict[str, Any] | None = None,
    expected: Expectation | None = None,
) -> state.SpanList:
    """Open a span for a call and make it the current one.

    Args:
        site: What is called.
        args: The call's positional arguments, looked at only for a task id or when content is captured.
        kwargs: The call's keyword arguments, likewise.
        expected: What this call is expected to spend; where it is left out, what the site says.

    Returns:
        The span, to be given to `finish` or `fail`; one that ignores everything when recording is switched off.

    Raises:
        BudgetExceeded: If a budget refuses the call; its span has ended then.
    """
    if not state.enabled:
        return NOTHING
    parent = _get_current()
    span_id = state.next_id()
    started = time_ns()
    agent = site.agent
    span: state.SpanList
    if parent is None or not parent[2]:
        scope = state.default_scope if parent is None else parent[5]
        span = [
            started, span_id, span_id, 0, site, scope, agent, 1, site.flags, started, 0, parent, None, 0, 0,
        ]  # fmt: skip
        if state.sample_rate < 1.0 and is_left_out(span_id ^ started):
            span[FLAGS] |= _UNSAMPLED
    elif agent is None:
        span = [
            parent[0], parent[1], span_id, parent[2], site, parent[5], parent[6], parent[7], parent[8] & _INHERITED,
            started, 0, parent, None, 0, 0,
        ]  # fmt: skip
    else:
        flags = parent[8]
        span = [
            parent[0], parent[1], span_id, parent[2], site, parent[5], agent, 1,
            site.flags | flags & _UNSAMPLED | flags >> IN_AGENT_SHIFT & _NESTED, started, 0, parent, None, 0, 0,
        ]  # fmt: skip
    state.live[span_id] = span
    _set_current(span)
    if site.looks or state.may_capture:
        _look_at_call(span, site, args, kwargs or {})
    if span[5].budget is not None:
        _ask_budget(span, expected)
    span[10] = perf_counter_ns()
    return span


def _ask_budget(span: state.SpanList, expected: Expectation | None) -> None:
    try:
        span[SCOPE].budget.admit(span, expected)
    except BudgetExceeded as refusal:
        span[CLOCK] = perf_counter_ns()
        fail(span, refusal)
        raise
    except Exception as error:
        trouble("a budget could not be asked", error)


def is_left_out(number: int) -> bool:
    """Decide whether a trace is not among the sampled ones, by the leading bits of its scattered id.

    So the decision can be repeated by whoever knows the id; in other processes it arrives with `traceparent`. Not by
    `random`: that sequence belongs to the host, who may have seeded it.
    """
    return (number * 0x9E37_79B9_7F4A_7C15 & 0xFFFF_FFFF_FFFF_FFFF) >= state.sample_rate * 2.0**64


def _look_at_call(span: state.SpanList, site: Site, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    try:
        if site.kind == "tool":
            count_tool(span)
        if site.task_of is not None:
            task_id = site.task_of(args, kwargs)
            if task_id is not None:
                enter_task(span, span[SCOPE].with_task(task_id))
        if state.may_capture and captures(span):
            details = details_of(span)
            details.input, prompt = call_content(site, args, kwargs)
            if prompt is not None and not span[PARENT_ID]:
                details.prompt = prompt
        if site.memory:
            details_of(span).resident = (resident_bytes(), None)
    except Exception as error:
        trouble("a call's arguments could not be looked at", error)


def enter_task(span: state.SpanList, scope: Scope) -> None:
    """Put a span into a scope; in another task it is no longer inside the agent that surrounds it."""
    if scope.task_id != span[SCOPE].task_id:
        kept = span[FLAGS] & ~_NESTED if span[SITE].agent is not None else span[FLAGS] & _UNSAMPLED
        span[FLAGS] = kept | _TASK_BEGINS
    span[SCOPE] = scope


def finish(span: state.SpanList, result: Any = None) -> None:
    """Close a span whose call has returned, look for usage in the result, and hand it to the journal."""
    duration = perf_counter_ns() - span[10]
    if span[13]:
        if span[13] == _FOREIGN:
            _leave_foreign(span)
        return
    span[13] = _FINISHED
    if _get_current() is span:
        _set_current(span[11])
    else:
        leave_out_of_turn(span)
    try:
        del state.live[span[2]]
        if result is not None:
            if type(result) not in _PLAIN:
                detect(span, result)
            if state.may_capture and captures(span):
                details_of(span).output = content(result)
        details = span[12]
        if span[8] & _UNSAMPLED == 0 or span[4].kind == "task":
            state.append(
                _EXECUTION, _SUCCESS, duration, span, None if details is None else details.encoded(span)
            )
        else:
            append_costs(_SUCCESS, duration, span)
        if details is not None:
            _settle(details)
    except Exception as error:
        _settle(span[12])
        trouble("a finished span could not be recorded", error)
    span[11] = span[12] = None


def fail(span: state.SpanList, error: BaseException) -> None:
    """Close a span whose call has raised: cancelled, timed out, left early, or failed."""
    duration = perf_counter_ns() - span[CLOCK]
    if span[STATE]:
        if span[STATE] == _FOREIGN:
            _leave_foreign(span)
        return
    span[STATE] = _FINISHED
    state.live.pop(span[SPAN_ID], None)
    if _get_current() is span:
        _set_current(span[PARENT])
    else:
        leave_out_of_turn(span)
    try:
        status = status_of(error)
        if status == _SUCCESS:
            span[FLAGS] |= _INCOMPLETE
        else:
            add_error(span, error)
        details = span[DETAILS]
        if span[FLAGS] & _UNSAMPLED == 0 or span[SITE].kind == "task":
            state.append(
                _EXECUTION, status, duration, span, None if details is None else details.encoded(span)
            )
        else:
            append_costs(status, duration, span)
        if details is not None:
            _settle(details)
    except Exception as failure:
        _settle(span[DETAILS])
        trouble("a failed span could not be recorded", failure)
    span[PARENT] = span[DETAILS] = None


def _settle(details: Details | None) -> None:
    """Give back to the budgets what this call had reserved and not spent; doing it twice does nothing."""
    if details is not None and details.hold is not None:
        details.hold.close()


def close(span: state.SpanList) -> int | None:
    """End a span whose record has to wait, because something may still be found out about it.

    Returns:
        How long it was open, in ns, for `submit`; None if it had ended already or is a parent process's to end.
    """
    duration: int = perf_counter_ns() - span[CLOCK]
    if span[STATE]:
        if span[STATE] == _FOREIGN:
            _leave_foreign(span)
        return None
    span[STATE] = _FINISHED
    state.live.pop(span[SPAN_ID], None)
    if _get_current() is span:
        _set_current(span[PARENT])
    else:
        leave_out_of_turn(span)
    _settle(span[DETAILS])
    # Who keeps the span until its record can go would otherwise keep all that surrounds it, and be kept by it.
    span[PARENT] = None
    return duration


def submit(span: state.SpanList, status: int, duration: int) -> bool:
    """Hand a span that `close` has ended to the journal; False if that could not keep it."""
    kept = True
    try:
        if span[FLAGS] & _UNSAMPLED == 0 or span[SITE].kind == "task":
            details = span[DETAILS]
            kept = state.append(_EXECUTION, status, duration, span, details and details.encoded(span))
        else:
            append_costs(status, duration, span)
    except Exception as failure:
        kept = False
        trouble("a closed span could not be recorded", failure)
    span[DETAILS] = None
    return kept


def append_costs(status: int, duration: int, span: state.SpanList) -> None:
    """Hand over what an execution of a trace that is left out has cost, unless told not to: sums stay true."""
    if not state.sample_costs:
        return
    details, site = span[DETAILS], span[SITE]
    payload = None if details is None else details.encoded_costs(span)
    # Those of other kinds have no metrics but what their details hold; a fix has its wall time.
    if payload or site.kind in {"agent", "tool"} or span[RETRIES] or span[SCOPE].facts.get("fixing"):
        state.append(_EXECUTION, status, duration, span, payload)


def leave_out_of_turn(span: state.SpanList) -> None:
    """End a span before one inside it has ended: when that one ends, what surrounds this one is current again."""
    innermost = inner = _get_current()
    while inner is not None and inner[PARENT] is not span:
        inner = inner[PARENT]
    if inner is None or innermost is None:
        return
    if innermost[STATE]:
        # Its end was broken off, by a KeyboardInterrupt say, before it could leave.
        _set_current(span[PARENT])
    else:
        inner[PARENT] = span[PARENT]


def _leave_foreign(span: state.SpanList) -> None:
    """Leave, in a forked child, a span that is the parent's to finish: what follows is no longer inside it."""
    if _get_current() is span:
        _set_current(span[PARENT])


def status_of(error: BaseException) -> int:
    """Say how a block ended that an exception has left; who closes a generator early has not failed."""
    if isinstance(error, TimeoutError):
        return _TIMEOUT
    if isinstance(error, GeneratorExit):
        return _SUCCESS
    # asyncio.CancelledError, concurrent.futures.CancelledError and trio.Cancelled, without importing any of them.
    for kind in type(error).__mro__:
        if kind.__name__ in {"CancelledError", "Cancelled"}:
            return _CANCELLED
    return _ERROR


def suspend(span: state.SpanList, consumer: state.SpanList | None) -> state.SpanList | None:
    """Give the context back to the consumer of a generator; return what was current in the generator's own code.

    That may be another span than the generator's: one that its code holds open while it yields.
    """
    inside = _get_current()
    if span is not NOTHING:
        _set_current(consumer)
    return inside


def resume(span: state.SpanList, inside: state.SpanList | None) -> state.SpanList | None:
    """Make current again what was current in a generator's own code; return what was current in the consumer."""
    consumer = _get_current()
    if span[STATE] == 0:
        _set_current(inside)
    return consumer


def child_frame(span: state.SpanList | None, scope: Scope) -> state.SpanList:
    """Make the stand-in for a span that its children see in a changed scope."""
    if span is None:
        return [0, 0, 0, 0, None, scope, None, 1, 0, 0, 0, None, None, 0, 0]
    frame = list(span)
    frame[SCOPE] = scope
    frame[PARENT] = span
    frame[DETAILS] = None
    return frame
