"""Sends facts that are no executions down the same journal: tasks, defects, routing, hooks and the like."""

from time import perf_counter_ns, time_ns
from typing import Any

from asp_telemetry.capture import state
from asp_telemetry.capture.definition import Site
from asp_telemetry.capture.encoder import encode, identifier, plain
from asp_telemetry.capture.lifecycle import NOTHING, begin
from asp_telemetry.guard import trouble
from asp_telemetry.journal.layout import FLAGS, SCOPE, SITE, SPAN_ID, STARTED, STATE, Flag, Kind

_SITE = Site("facts", "span")

# The widths of the columns that hold identifiers, in characters; what is longer keeps its head and a digest.
_WIDTHS = {
    "task_id": 100, "project_id": 100, "user_id": 100, "task_type": 50, "defect_id": 50, "defect_type": 50,
    "phase_injected": 50, "phase_removed": 50, "function_name": 200, "capability_name": 50,
    "primary_metric_name": 50,
}  # fmt: skip


def stated(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts that are not None, in a form that JSON can say and their columns can hold."""
    return {
        name: plain(value) if name not in _WIDTHS else identifier(value, _WIDTHS[name])
        for name, value in facts.items()
        if value is not None
    }


def send(kind: Kind, facts: dict[str, Any], span: state.SpanList | None = None) -> None:
    """Append facts to the journal, under the identity of a span or of the current one.

    Args:
        kind: Which facts they are.
        facts: Values by column name; what is None is left out.
        span: The execution they belong to; the current one if left out.
    """
    try:
        if not state.enabled:
            return
        found = state.get_current() if span is None else span
        # Facts are never sampled, and a task's own execution is one: only what it stands in may be left out.
        is_execution = kind == Kind.OPEN
        if found is not None and found[SPAN_ID] and (is_execution or not found[FLAGS] & int(Flag.UNSAMPLED)):
            record: state.SpanList = list(found)
            record[STATE] = state.FINISHED
            record[SITE] = found[SITE] or _SITE
        else:
            scope = state.default_scope if found is None else found[SCOPE]
            record = [0, 0, 0, 0, _SITE, scope, None, 1, 0, 0, perf_counter_ns(), None, None, 0, 0]
        if not is_execution:
            record[STARTED] = time_ns()
        payload = encode({"facts": {name: value for name, value in facts.items() if value is not None}})
        state.append(kind, 0, 0, record, payload)
    except Exception as error:
        trouble(f"a {kind.name.lower()} record could not be kept", error)


def begin_where_none_is(site: Site) -> state.SpanList | None:
    """Begin an execution for facts that would belong to none, so that they have a trace, a session and a user.

    Args:
        site: What is executed, of a kind that budgets never refuse.

    Returns:
        The execution, for who began it to end; None if there is one already, or recording is switched off.
    """
    found = state.get_current()
    if found is not None and found[SPAN_ID]:
        return None
    own = begin(site)
    return None if own is NOTHING else own
