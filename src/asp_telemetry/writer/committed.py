"""What a mirror's follower asks of the database: what is committed of the records that it reads again.

The journal says what happened, the database what it is taken for: costs that were computed anew, with prices that came
later, and defects with all that has been found out about them.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

import orjson

from asp_telemetry.writer.batch import METRIC_COLUMNS, TRACE_COLUMNS, Change, Entry, Row

_TYPE, _MOMENT = METRIC_COLUMNS.index("metric_type"), METRIC_COLUMNS.index("timestamp")
_METADATA, _VALUE = METRIC_COLUMNS.index("metadata"), METRIC_COLUMNS.index("metric_value")
_ID = TRACE_COLUMNS.index("correlation_id")
_USAGE, _CONTEXT = TRACE_COLUMNS.index("usage"), TRACE_COLUMNS.index("context")
_PRICED = frozenset({"API_Cost", "Tokens_In", "Tokens_Out"})
_DEFECTS = frozenset({Change.DEFECT, Change.RESOLVE_DEFECT})


class Cost(NamedTuple):
    """Be one row of `API_Cost`: the value as exact decimal text, and its provenance as JSON."""

    metric_value: str
    metric_unit: str
    llm_model: str | None
    llm_provider: str | None
    metadata: str | None


class CommittedExecution(NamedTuple):
    """Say what an execution has cost.

    Attributes:
        costs: Its costs, none where it has no price.
        has_trace: Whether its row in `execution_traces` is there; the rest is that row's.
        usage: The usage as JSON.
        unpriced: Why there is no price.
    """

    costs: tuple[Cost, ...]
    has_trace: bool = False
    usage: str | None = None
    unpriced: str | None = None


class Observation(NamedTuple):
    """Name an execution: its id, its trace, and its task, which is the trace where none was named."""

    correlation_id: str
    root_id: str
    task_id: str | None


class CommittedDefect(NamedTuple):
    """Be a defect as it stands.

    Attributes:
        columns: All columns by name, in what JSON can say; times are UTC text.
        injected_by: The last agent of the phase that put it in, of the same task, that ended before it was logged.
    """

    columns: dict[str, Any]
    injected_by: Observation | None


class Committed(Protocol):
    """Look up what is committed, over a connection of its own; nothing is said of what is not there (any more)."""

    async def executions(self, names: Sequence[str], since: str, until: str) -> dict[str, CommittedExecution]:
        """Return what executions have cost.

        Args:
            names: Their ids.
            since: The time of the earliest of their metrics, UTC text.
            until: That of the latest.

        Raises:
            StoreUnavailableError: If the database cannot be read now.
        """

    async def defects(self, names: Sequence[str]) -> dict[str, CommittedDefect]:
        """Return defects.

        Args:
            names: Their ids.

        Raises:
            StoreUnavailableError: If the database cannot be read now.
        """

    async def close(self) -> None:
        """Disconnect; asking again connects again."""

    def thread_idents(self) -> set[int]:
        """Return the threads that the driver runs."""


async def as_committed(entries: Sequence[Entry], committed: Committed) -> list[Entry]:
    """Return entries with the costs that the database has, and defects as they stand there.

    Args:
        entries: What records of the journal became when they were built again.
        committed: Where to look.

    Returns:
        As many entries. Where a row is gone, the entry is as it was; `row` of a defect that is there has all its columns,
        and `injected_by`.

    Raises:
        StoreUnavailableError: If the database cannot be read now.
    """
    priced = {entry.row[_ID]: entry for entry in entries if _may_cost(entry)}
    defects = {entry.row["defect_id"] for entry in entries if entry.change in _DEFECTS}
    costs: dict[str, CommittedExecution] = {}
    if priced:
        moments = sorted(entry.metrics[0][_MOMENT] for entry in priced.values())
        costs = await committed.executions(sorted(priced), moments[0], moments[-1])
    known = await committed.defects(sorted(defects)) if defects else {}
    return [_corrected(entry, costs, known) for entry in entries]


def _may_cost(entry: Entry) -> bool:
    return any(metric[_TYPE] in _PRICED for metric in entry.metrics)


def _corrected(
    entry: Entry, costs: dict[str, CommittedExecution], defects: dict[str, CommittedDefect]
) -> Entry:
    if entry.change in _DEFECTS:
        defect = defects.get(entry.row["defect_id"])
        if defect is None:
            return entry
        return entry._replace(row={**defect.columns, "injected_by": defect.injected_by})
    found = costs.get(entry.row[_ID]) if _may_cost(entry) else None
    if found is None:
        return entry
    row = _with_usage(entry.row, found) if found.has_trace else entry.row
    return entry._replace(row=row, metrics=_with_costs(entry.metrics, found.costs))


def _with_costs(metrics: Sequence[Row], costs: Sequence[Cost]) -> list[Row]:
    """Put the committed costs where the computed ones stood; what came later stands behind the rest."""
    like = next(metric for metric in metrics if metric[_TYPE] in _PRICED)
    waiting = [_cost_row(like, cost) for cost in costs]
    corrected: list[Row] = []
    for metric in metrics:
        if metric[_TYPE] != "API_Cost":
            corrected.append(metric)
        elif waiting:
            row = waiting.pop(0)
            corrected.append(metric if _are_equal(metric, row) else row)
    return [*corrected, *waiting]


def _cost_row(like: Row, cost: Cost) -> Row:
    facts = {**dict(zip(METRIC_COLUMNS, like, strict=True)), "metric_type": "API_Cost", **cost._asdict()}
    return tuple(facts[name] for name in METRIC_COLUMNS)


def _are_equal(one: Row, other: Row) -> bool:
    """Tell whether two costs differ in how they are written at most: the bytes that are sent stay the same then."""
    return (
        _without_texts(one) == _without_texts(other)
        and _is_same_amount(one[_VALUE], other[_VALUE])
        and _says_the_same(one[_METADATA], other[_METADATA])
    )


def _without_texts(row: Row) -> Row:
    return row[:_VALUE] + row[_VALUE + 1 : _METADATA]


def _is_same_amount(one: str, other: str) -> bool:
    # A database that keeps doubles has not every digit of a large amount; the journal has.
    return one == other or Decimal(one) == Decimal(other) or float(one) == float(other)


def _says_the_same(one: str | None, other: str | None) -> bool:
    if one == other:
        return True
    return one is not None and other is not None and orjson.loads(one) == orjson.loads(other)


def _with_usage(row: Row, found: CommittedExecution) -> Row:
    values = list(row)
    if not _says_the_same(row[_USAGE], found.usage):
        values[_USAGE] = found.usage
    context = {} if row[_CONTEXT] is None else orjson.loads(row[_CONTEXT])
    if context.get("unpriced") != found.unpriced:
        context.pop("unpriced", None)
        if found.unpriced is not None:
            context["unpriced"] = found.unpriced
        values[_CONTEXT] = orjson.dumps(context).decode() if context else None
    return tuple(values)
