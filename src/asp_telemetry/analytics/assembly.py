"""Puts a trace together from rows that may have come in any order, and says what is missing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final

from asp_telemetry.analytics.critical_path import critical_path
from asp_telemetry.analytics.events import Event
from asp_telemetry.analytics.execution import Execution, Figures, Metric, TracedExecution, figures_of
from asp_telemetry.analytics.intervals import covered, milliseconds
from asp_telemetry.analytics.trace import Trace

_NAMES: Final = tuple(field.name for field in fields(Execution))
_values: Final = attrgetter(*_NAMES)
_start: Final = attrgetter("started_at", "id")
_UNFINISHED: Final = frozenset({"in_progress", "abandoned"})


def assemble(
    root_id: str,
    asked_for: str | None,
    executions: Sequence[Execution],
    metrics: Iterable[Metric],
    events: Iterable[Event],
) -> Trace:
    """Put a trace together.

    Args:
        root_id: The id that its executions share.
        asked_for: The execution that was asked for, if it was not the root.
        executions: All that is known of it, in any order; at least one.
        metrics: The metrics of these executions.
        events: Routing decisions, hooks, endpoint calls and transformations.

    Returns:
        The trace, as far as it is known.
    """
    known = {execution.id: execution for execution in executions}
    measured = _by_execution(metrics)
    happened = _by_execution(sorted(events, key=_start))
    children: dict[str | None, list[Execution]] = defaultdict(list)
    for execution in sorted(known.values(), key=_start):
        parent = execution.parent_id
        is_root = parent not in known or parent == execution.id
        children[None if is_root else parent].append(execution)
    order = _children_first(children)
    reached = {execution.id for execution in order}
    circular = [execution for execution in known.values() if execution.id not in reached]
    ends = _ends(order, children)
    built: dict[str, TracedExecution] = {}
    for execution in order:
        inside = tuple(built[child.id] for child in children[execution.id])
        own_metrics = tuple(measured.get(execution.id, ()))
        own = figures_of(execution, own_metrics)
        subtree = own
        for child in inside:
            subtree += child.subtree
        begin, end = execution.started_at, ends[execution.id]
        called = covered((max(child.started_at, begin), min(ends[child.id], end)) for child in inside)
        built[execution.id] = TracedExecution(
            *_values(execution),
            metrics=own_metrics,
            events=tuple(happened.get(execution.id, ())),
            children=inside,
            own=own,
            subtree=subtree,
            own_ms=milliseconds(max(end - begin - called, timedelta())),
        )
    roots = tuple(built[root.id] for root in children[None])
    totals = Figures()
    for root in roots:
        totals += root.subtree
    begin, end = min(found.started_at for found in built.values()), max(ends.values())
    busy = covered((leaf.started_at, ends[leaf.id]) for leaf in built.values() if not leaf.children)
    running = any(found.status == "in_progress" for found in built.values())
    return Trace(
        root_id=root_id,
        asked_for=asked_for,
        roots=roots,
        totals=totals,
        started_at=begin,
        completed_at=None if running else end,
        duration_ms=milliseconds(end - begin),
        critical_path=critical_path(roots, lambda found: ends[found.id]),
        coordination_ms=milliseconds(end - begin - busy),
        unattached=tuple(event for owner, found in happened.items() if owner not in built for event in found),
        missing=tuple(_missing(root_id, children[None], built, circular)),
    )


def _by_execution(found: Iterable[Any]) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = defaultdict(list)
    for one in found:
        groups[one.execution_id].append(one)
    return groups


def _children_first(children: Mapping[str | None, list[Execution]]) -> list[Execution]:
    """Return the executions that hang below a root, every one behind its children."""
    order: list[Execution] = []
    waiting = list(children[None])
    while waiting:
        execution = waiting.pop()
        order.append(execution)
        waiting.extend(children.get(execution.id, ()))
    return order[::-1]


def _ends(order: Sequence[Execution], children: Mapping[str | None, list[Execution]]) -> dict[str, datetime]:
    """Return when each execution ended; one that has not told lasted until its last child did."""
    ends: dict[str, datetime] = {}
    for execution in order:
        end = execution.completed_at
        if end is None:
            end = max(
                (ends[child.id] for child in children.get(execution.id, ())), default=execution.started_at
            )
        ends[execution.id] = max(end, execution.started_at)
    return ends


def _missing(
    root_id: str,
    roots: Sequence[Execution],
    built: Mapping[str, TracedExecution],
    circular: Sequence[Execution],
) -> Iterable[str]:
    """Say what is missing."""
    for root in roots:
        if root.parent_id is not None:
            where = "the trace's root" if root.parent_id == root_id else f"execution {root.parent_id}"
            yield f"{where}, which called {root.name} ({root.id}), is not in the database"
    for execution in built.values():
        if execution.status == "in_progress":
            yield f"{execution.name} ({execution.id}) has not ended yet"
        elif execution.status == "abandoned":
            yield f"{execution.name} ({execution.id}) was never finished: its process has died"
    for cut_off in circular:
        yield f"{cut_off.name} ({cut_off.id}) is left out: it is said to be called from within itself"
