"""Adds up what a batch says of the fixing of defects."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from asp_telemetry.writer.batch import METRIC_COLUMNS, TRACE_COLUMNS, Change, Entry

FIXING = "fixing"
"""The name of the executions whose wall time is the time that a fix took."""

_NAME, _DURATION, _CREATED_AT, _TASK_ID = (
    TRACE_COLUMNS.index(name) for name in ("name", "duration_ms", "created_at", "task_id")
)
_TYPE, _VALUE = (METRIC_COLUMNS.index(name) for name in ("metric_type", "metric_value"))
_ENDED = frozenset({Change.INSERT_TRACE, Change.FINISH_TRACE, Change.COSTS})
_PLACES = {"Tokens_In": "tokens", "Tokens_Out": "tokens", "API_Cost": "api_cost_usd", "Retries": "retries"}


def efforts(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Add up the efforts of fixing, by defect.

    Args:
        entries: The entries of a batch.

    Returns:
        For each defect that is being fixed in it: defect_id, task_id and moment, tokens and retries, and as text
        latency_ms and api_cost_usd, which is None where no cost is known.
    """
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry.fixing is None or entry.change not in _ENDED:
            continue
        row = entry.row
        effort = found.setdefault(
            entry.fixing,
            {"latency_ms": Decimal(0), "tokens": Decimal(0), "api_cost_usd": None, "retries": Decimal(0)},
        )
        effort["moment"], effort["task_id"] = row[_CREATED_AT], row[_TASK_ID]
        if row[_NAME] == FIXING:
            effort["latency_ms"] += Decimal(row[_DURATION])
        for metric in entry.metrics:
            place = _PLACES.get(metric[_TYPE])
            if place is not None:
                effort[place] = (effort[place] or Decimal(0)) + Decimal(metric[_VALUE])
    return [{"defect_id": defect, **_numbers(effort)} for defect, effort in found.items()]


def _numbers(effort: dict[str, Any]) -> dict[str, Any]:
    cost = effort["api_cost_usd"]
    return {
        **effort,
        "latency_ms": str(effort["latency_ms"]),
        "tokens": int(effort["tokens"]),
        "api_cost_usd": None if cost is None else str(cost),
        "retries": int(effort["retries"]),
    }
