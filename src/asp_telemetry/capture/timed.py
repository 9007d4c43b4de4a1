"""Takes in executions that another tracer has begun, timed and named."""

from asp_telemetry.capture import state
from asp_telemetry.capture.definition import Scope, Site
from asp_telemetry.capture.lifecycle import IN_AGENT_SHIFT, is_left_out, submit
from asp_telemetry.journal.layout import (
    AGENT,
    FLAGS,
    INHERITED,
    ITERATION,
    SCOPE,
    SPAN_ID,
    STATE,
    TRACE_HIGH,
    TRACE_LOW,
    Flag,
    Status,
)

_UNSAMPLED = int(Flag.UNSAMPLED)
_TASK_BEGINS = int(Flag.TASK_BEGINS)
_INHERITED = int(INHERITED)
_NESTED = int(Flag.NESTED)


def begin_timed(
    site: Site,
    parent: state.SpanList | None,
    *,
    trace: tuple[int, int],
    span_id: int,
    started: int,
    scope: Scope | None = None,
    remote_parent: int = 0,
) -> state.SpanList:
    """Make the span of an execution that another tracer times and names; it never becomes the current one.

    Args:
        site: What is executed.
        parent: The execution around it, whose trace it belongs to; None where there is none in this process.
        trace: The high and the low half of the trace's id, for want of a parent.
        span_id: The other tracer's id of it, 0 < span_id < 2**64.
        started: When it began, in ns since the epoch.
        scope: What it belongs to, where that differs from the parent's.
        remote_parent: The id of the span around it in another process, for want of a parent.

    Returns:
        The span, to be given to `finish_timed`.
    """
    state.next_id()  # not used, but the first one wakes the recorder
    agent = site.agent
    if parent is None or not parent[SPAN_ID]:
        flags = site.flags | (
            _UNSAMPLED if state.sample_rate < 1.0 and is_left_out(trace[0] ^ trace[1]) else 0
        )
        return [
            *trace, span_id, remote_parent, site, scope or state.default_scope, agent, 1, flags, started, 0, None, None,
            0, 0,
        ]  # fmt: skip
    flags = parent[FLAGS] & _INHERITED
    if agent is not None:
        flags = site.flags | flags & _UNSAMPLED | flags >> IN_AGENT_SHIFT & _NESTED
    if scope is not None and scope.task_id != parent[SCOPE].task_id:
        flags |= _TASK_BEGINS
    return [
        parent[TRACE_HIGH], parent[TRACE_LOW], span_id, parent[SPAN_ID], site, scope or parent[SCOPE],
        agent or parent[AGENT], parent[ITERATION] if agent is None else 1, flags, started, 0, None, None, 0, 0,
    ]  # fmt: skip


def finish_timed(span: state.SpanList, status: Status, duration: int) -> bool:
    """Hand an execution that another tracer has timed to the journal.

    Args:
        span: What `begin_timed` made, with its details.
        status: How it ended.
        duration: How long it took, in ns.

    Returns:
        Whether the journal has kept it.
    """
    span[STATE] = state.FINISHED
    return submit(span, int(status), max(duration, 0))
