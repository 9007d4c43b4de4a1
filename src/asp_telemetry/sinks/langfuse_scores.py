"""Turns defects, bootstrap metrics and transformations into Langfuse's scores, each under an id that stays the same.

A score that comes again replaces the one with its id, name and day:
https://langfuse.com/docs/evaluation/evaluation-methods/scores-via-sdk
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import orjson

from asp_telemetry.ids import execution_uuid
from asp_telemetry.journal.reader import Record
from asp_telemetry.sinks.langfuse_ids import observation_id, trace_id, trace_id_of_task
from asp_telemetry.sinks.langfuse_names import TRANSFORMATION_QUALITY
from asp_telemetry.sinks.langfuse_observations import environment
from asp_telemetry.writer.batch import Change, Entry
from asp_telemetry.writer.definitions import Definitions, ScopeFacts

if TYPE_CHECKING:
    from asp_telemetry.writer.committed import Observation

CODE_QUALITY: Final = "code_quality"
BOOTSTRAP: Final = "bootstrap_"
"""Stands before the capability, in the name of its scores and with a dash in that of their session."""

_QUALITY: Final = {"Critical": 0.2, "High": 0.4, "Medium": 0.6, "Low": 0.8}
_REFUTED: Final = 1.0
_NOT_LOGGED: Final = "not yet logged"
_JSON: Final = frozenset({"secondary_metrics_json", "metadata", "context_keys"})
_BOOLEANS: Final = frozenset({"graduation_criteria_met", "success"})
# What was handed over may be large, and the ledger has it.
_LEFT_OUT: Final = frozenset({"context_snapshot", "user_request"})
_TRACE_HALF: Final = len("01234567-89ab-cdef")
_UUID: Final = len("01234567-89ab-cdef-0000-000000000001")


class ScoreEncoder:
    """Encode what becomes a score; one instance belongs to one thread."""

    def __init__(self) -> None:
        self._definitions = Definitions()

    def encode(self, record: Record, entry: Entry) -> bytes | None:
        """Encode one record.

        Args:
            record: The record.
            entry: What it became in the database, a defect as it stands there now (see `writer.committed`).

        Returns:
            One object of the list that `POST /api/public/scores` takes, as JSON. None for a record that is none of
            these, for a defect that the database does not have (yet), and for a transformation without a quality.
        """
        scope = self._definitions.scope(record.scope)
        score: dict[str, Any] | None = None
        if entry.change in (Change.DEFECT, Change.RESOLVE_DEFECT):
            score = defect_score(entry.row)
        elif entry.change is Change.BOOTSTRAP:
            score = _bootstrap_score(entry)
        elif entry.change is Change.TRANSFORMATION:
            score = _transformation_score(record, entry.row, scope)
        if score is None:
            return None
        if scope.environment is not None:
            score["environment"] = environment(scope.environment)
        return orjson.dumps(score)


def defect_score(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a defect says of the quality of the code: on the agent of the phase that put it in, else on the trace.

    Critical is 0.2, High 0.4, Medium 0.6, Low 0.8, and refuted, which is no defect, 1.0. One without a severity counts
    as Medium: what it weighs nobody has said, and the middle distorts an average least.

    Args:
        row: All columns of the defect, and `injected_by`.

    Returns:
        The score; None if the row is not a committed one, or the defect itself has not been logged yet.

    Example:
        >>> defect_score({"defect_id": "D-1", "created_at": "2026-11-20 10:00:00.000000", "task_id": "TASK-42",
        ...     "correlation_id": None, "defect_type": "4_Hallucination", "severity": "High", "false_positive": False,
        ...     "description": "invented a function", "injected_by": None})["value"]
        0.4
    """
    if "injected_by" not in row or row["description"] == _NOT_LOGGED:
        return None
    injected_by: Observation | None = row["injected_by"]
    outcome = "refuted" if row["false_positive"] else "resolved" if row.get("resolved_at") else None
    facts = [row["defect_id"], row["defect_type"], *([outcome] if outcome else [])]
    score: dict[str, Any] = {
        "id": f"defect-{row['defect_id']}",
        "name": CODE_QUALITY,
        "value": _REFUTED if row["false_positive"] else _QUALITY.get(row["severity"], _QUALITY["Medium"]),
        "dataType": "NUMERIC",
        "comment": f"{', '.join(facts)}: {row['description']}",
        "metadata": _stated({name: value for name, value in row.items() if name != "injected_by"}),
        "timestamp": _timestamp(row["created_at"]),
    }
    if injected_by is None:
        score["traceId"] = _trace_of(row["task_id"], row["correlation_id"])
    else:
        score["traceId"] = trace_id(injected_by.task_id, injected_by.root_id)
        score["observationId"] = observation_id(injected_by.correlation_id)
    return score


def _trace_of(task_id: str, execution: str | None) -> str:
    """Return the trace of a defect; where no task was named, its task is the trace of the execution it was logged in."""
    # An execution's id has the first half of its trace's.
    is_own = (
        execution is not None and len(task_id) == _UUID and task_id[:_TRACE_HALF] == execution[:_TRACE_HALF]
    )
    return trace_id(task_id, task_id) if is_own else trace_id_of_task(task_id)


def _bootstrap_score(entry: Entry) -> dict[str, Any]:
    """Score a session that all measurements of a capability share: a score has to belong to something."""
    row = entry.row
    capability = row["capability_name"]
    return {
        "id": f"bootstrap-{sha256(f'{entry.lane}:{entry.sequence}'.encode()).hexdigest()[:32]}",
        "name": f"{BOOTSTRAP}{capability}",
        "value": float(row["primary_metric_value"]),
        "dataType": "NUMERIC",
        "comment": (
            f"{row['primary_metric_name']}, target {row['primary_metric_target']}, {row['metric_direction']}; "
            f"{row['capability_mode']}, {row['tasks_completed']} of {row['tasks_required_for_graduation']} tasks"
        ),
        "metadata": _columns(row),
        "timestamp": _timestamp(row["measured_at"]),
        "sessionId": f"bootstrap-{capability}",
    }


def _transformation_score(record: Record, row: Mapping[str, Any], scope: ScopeFacts) -> dict[str, Any] | None:
    """Score the execution in which it happened, or the task's trace; where there is neither, there is no score."""
    slot = record.slot
    root = execution_uuid(slot[5], slot[6]) if slot[7] else None
    if row["quality_score"] is None or (root is None and scope.task_id is None):
        return None
    reason = row["transformation_reason"]
    score = {
        "id": f"transformation-{row['id']}",
        "name": TRANSFORMATION_QUALITY,
        "value": row["quality_score"],
        "dataType": "NUMERIC",
        "comment": f"{row['source_agent'] or '?'} -> {row['target_agent']}{f': {reason}' if reason else ''}",
        "metadata": _columns(row),
        "timestamp": _timestamp(row["completed_at"]),
    }
    if root is None:
        score["traceId"] = trace_id_of_task(str(scope.task_id))
    else:
        score["traceId"] = trace_id(scope.task_id, root)
        score["observationId"] = observation_id(row["correlation_id"])
    return score


def _columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that a writer's row fills, in what JSON can say."""
    found: dict[str, Any] = {}
    for name, value in _stated(row).items():
        if name in _JSON:
            found[name] = orjson.loads(value)
        elif name not in _LEFT_OUT:
            found[name] = bool(value) if name in _BOOLEANS else value
    return found


def _stated(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _timestamp(moment: str) -> str:
    return f"{moment.replace(' ', 'T')}Z"
