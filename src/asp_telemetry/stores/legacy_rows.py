"""Turns one row of the original scripts' tables into a row of today's, and loses none of its values."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256

from pydantic import ValidationError

from asp_telemetry.errors import MigrationError
from asp_telemetry.records import BootstrapMetrics, Record, TaskMetadata

_EPOCH = "1970-01-01 00:00:00.000000"
_TIMES = {
    "created_at",
    "started_at",
    "completed_at",
    "resolved_at",
    "timestamp",
    "measured_at",
    "measurement_period_start",
    "measurement_period_end",
}
_JSON = {"metadata", "components_affected"}
_FALLBACKS: dict[str, object] = dict.fromkeys(_TIMES, _EPOCH) | {
    "capability_mode": "Learning",
    "metric_value": 0,
    "tasks_completed": 0,
    "tasks_required_for_graduation": 1,
    "primary_metric_target": 0,
}
_WORST = 999_999.9999  # the column's largest value: a metric that was never measured must not look on track
_DIRECTIONS = (  # the first word found in a metric's name decides
    (
        "higher_is_better",
        ("accuracy", "precision", "recall", "f1", "detection", "true_positive", "true positive"),
    ),
    (
        "lower_is_better",
        ("error", "false", "mape", "rmse", "mae", "escape", "latency", "cost", "density", "correction"),
    ),
    (
        "higher_is_better",
        ("success", "score", "squared", "r2", "coverage", "correlation", "agreement", "positive"),
    ),
)


def modernised(model: type[Record], rowid: int, old: Mapping[str, object]) -> tuple[tuple[object, ...], bool]:
    """Turn an old row into the values of today's columns.

    Args:
        model: The record of the table.
        rowid: The row's number, which names it where its key is missing.
        old: The row by column name, as SQLite returned it.

    Returns:
        The values in the order of `model.columns()`, and whether something did not fit and was put into `metadata`.

    Raises:
        MigrationError: If the row does not fit even after repair, which would be a fault of this code.

    Example:
        >>> from asp_telemetry.records import AgentCostVector
        >>> values, repaired = modernised(AgentCostVector, 1, {
        ...     "timestamp": "2025-11-12 09:00:00", "task_id": "TASK-001", "agent_role": "Code",
        ...     "metric_type": "Latency", "metric_value": 5.0, "metric_unit": "ms"})
        >>> values[1], repaired
        ('2025-11-12 09:00:00.000000', False)
    """
    kept: dict[str, object] = {}
    row: dict[str, object] = {}
    for name, value in old.items():
        if name in model.columns():
            row[name] = _fitting(name, value, kept)
        elif value is not None and not (name == "execution_date" and str(old.get("timestamp"))[:10] == value):
            kept[name] = value
    _derive(model, row)
    record = _validated(model, rowid, row, old, kept)
    if kept:
        row["metadata"] = _with_kept(record.model_dump().get("metadata"), kept)
    values = (_stored(name, getattr(record, name), row.get(name)) for name in model.columns())
    return tuple(values), bool(kept)


def _fitting(name: str, value: object, kept: dict[str, object]) -> object:
    if isinstance(value, bytes):
        kept[name] = value
        return value.decode("utf-8", "backslashreplace")
    if name in _TIMES and isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
            aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            return value
        return aware.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    return value


def _derive(model: type[Record], row: dict[str, object]) -> None:
    if model is TaskMetadata:
        times = [str(row[name]) for name in ("created_at", "started_at", "completed_at") if row.get(name)]
        row["updated_at"] = max((time for time in times if len(time) == len(_EPOCH)), default=_EPOCH)
    elif model is BootstrapMetrics:
        row["metric_direction"] = _direction(row)


def _direction(row: Mapping[str, object]) -> str:
    """Guess which way a metric improves: by its name, else by what its graduation says, else as the scripts did."""
    name = str(row.get("primary_metric_name")).lower()
    for direction, words in _DIRECTIONS:
        if any(word in name for word in words):
            return direction
    value, target = row.get("primary_metric_value"), row.get("primary_metric_target")
    met = bool(row.get("graduation_criteria_met"))
    if met and isinstance(value, float) and isinstance(target, float) and value > target:
        return "higher_is_better"
    return "lower_is_better"


def _validated(
    model: type[Record],
    rowid: int,
    row: dict[str, object],
    old: Mapping[str, object],
    kept: dict[str, object],
) -> Record:
    # Fields are judged first, what they say together second, and a repair may bring up one more thing.
    for _ in range(4):
        try:
            return model.model_validate(row)
        except ValidationError as problem:
            errors = {str((error["loc"] or (_clash(row),))[0]): error for error in problem.errors()}
            for name, error in errors.items():
                kept.setdefault(name, old.get(name))
                row[name] = _repaired(model, name, rowid, row, error.get("ctx", {}).get("max_length"))
    raise MigrationError(f"{model.table}: row {rowid} does not fit the schema and cannot be repaired: {row}")


def _clash(row: Mapping[str, object]) -> str:
    return "phase_removed" if row.get("phase_injected") == row.get("phase_removed") else "resolved_at"


def _repaired(
    model: type[Record], name: str, rowid: int, row: Mapping[str, object], limit: int | None
) -> object:
    value = row.get(name)
    if limit is not None and isinstance(value, str):
        # The same digest for the same text, so that rows which name one task still do.
        return f"{value[: limit - 9]}~{sha256(value.encode()).hexdigest()[:8]}"
    if name == "resolved_at" and isinstance(value, str) and len(value) == len(_EPOCH):
        return row.get("created_at")
    if not model.model_fields[name].is_required():
        return model.model_fields[name].default
    lower = row.get("metric_direction") == "lower_is_better"
    computed = {
        "task_id": f"legacy-{rowid}",
        "defect_id": f"legacy-{rowid}",
        "primary_metric_value": _WORST if lower else 0,
        "phase_removed": "unrecorded" if row.get("phase_injected") != "unrecorded" else "unknown",
    }
    return (computed | _FALLBACKS).get(name, "unknown")


def _with_kept(metadata: object, kept: Mapping[str, object]) -> str:
    merged = dict(metadata) if isinstance(metadata, dict) else {}
    values = {name: _as_json(value) for name, value in kept.items()}
    if metadata is not None and not isinstance(metadata, dict):
        values["metadata"] = metadata
    merged["legacy_values"] = values
    return json.dumps(merged, ensure_ascii=False)


def _as_json(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _stored(name: str, value: object, raw: object) -> object:
    """Return what SQLite stores: the old value where it was right, for it may have more digits than the record."""
    if isinstance(raw, str) and (
        isinstance(value, datetime | str) or name in _JSON or name.endswith("_json")
    ):
        return raw
    if isinstance(value, Decimal):
        return float(str(raw))
    return int(value) if isinstance(value, bool) else value
