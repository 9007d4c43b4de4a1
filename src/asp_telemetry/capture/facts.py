"""Sends facts that are no executions down the same journal: tasks, defects, bootstrap metrics."""

from time import perf_counter_ns, time_ns
from typing import Any

from asp_telemetry.capture import state
from asp_telemetry.capture.definition import Site
from asp_telemetry.capture.encoder import encode
from asp_telemetry.guard import trouble
from asp_telemetry.journal.layout import FLAGS, SCOPE, SPAN_ID, STARTED, STATE, Flag, Kind

_SITE = Site("facts", "span")


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
        now = time_ns()
        unsampled = found is not None and found[FLAGS] & int(Flag.UNSAMPLED)
        if unsampled and kind == Kind.OPEN:
            return
        if found is None or not found[SPAN_ID] or unsampled:
            scope = state.default_scope if found is None else found[SCOPE]
            record: state.SpanList = [
                0,
                0,
                0,
                0,
                _SITE,
                scope,
                None,
                1,
                0,
                now,
                perf_counter_ns(),
                None,
                None,
                0,
                0,
            ]
        else:
            record = list(found)
            record[STATE] = state.FINISHED
            if found[4] is None:
                record[4] = _SITE
        record[STARTED] = now
        payload = encode({"facts": {name: value for name, value in facts.items() if value is not None}})
        state.append(kind, 0, 0, record, payload)
    except Exception as error:
        trouble(f"a {kind.name.lower()} record could not be kept", error)
