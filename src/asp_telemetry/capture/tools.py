"""Counts an agent's calls of tools once, whether they are tracked, asked for by answers, or both.

Each tracked call has a `Tool_Calls` row of its own. What answers ask for beyond those is added to the agent, at its
end. The count of tracked calls stands in the upper bits of the agent's flags: an agent without answers pays nothing for
it, and a tracked call some 0.2 µs.
"""

from asp_telemetry.capture import state
from asp_telemetry.journal.layout import FLAGS, PARENT, SITE, SPAN_ID, STATE, TOOL

_FULL = 0xFFFF - TOOL


def agent_of(span: state.SpanList) -> state.SpanList:
    """Return the execution of the nearest agent that is still open, else the outermost that is."""
    while span[SITE].agent is None:
        outer = _surrounding(span)
        if outer is None:
            break
        span = outer
    return span


def _surrounding(span: state.SpanList) -> state.SpanList | None:
    """Return the open execution around another, past the stand-ins that `context()` puts between."""
    outer: state.SpanList | None = span[PARENT]
    return None if outer is None else execution_of(outer)


def execution_of(outer: state.SpanList) -> state.SpanList | None:
    """Return the open execution of this process that a stand-in of `context()` stands for, or that it is itself."""
    while outer[PARENT] is not None and outer[PARENT][SPAN_ID] == outer[SPAN_ID]:
        outer = outer[PARENT]
    # A caller's span in another process has no site.
    return None if outer[SITE] is None or outer[STATE] else outer


def count_tool(span: state.SpanList) -> None:
    """Count the call of a tool that begins at the agent that calls it."""
    outer = _surrounding(span)
    if outer is not None:
        count_tool_in(outer)


def count_tool_in(outer: state.SpanList) -> None:
    """Count the call of a tool at the agent of the execution around it."""
    agent = outer if outer[SITE].agent is not None else agent_of(outer)
    # No call between reading and writing: so no other thread comes in between, where there is a GIL.
    if agent[FLAGS] <= _FULL:
        agent[FLAGS] += TOOL


def not_run(flags: int, asked: int, reported: int) -> int:
    """Return how many of the calls that answers asked for nobody has counted.

    Args:
        flags: The agent's.
        asked: How many calls its answers asked for.
        reported: How many calls the user's own code reported as a metric.

    Example:
        >>> not_run(3 * TOOL, 5, 1), not_run(3 * TOOL, 2, 0)
        (1, 0)
    """
    tracked = flags // TOOL
    # A full counter says nothing: rather too few calls than some of them twice.
    return 0 if flags > _FULL else max(0, asked - tracked - reported)
