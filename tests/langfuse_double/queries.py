"""Answers `GET /api/public/v2/observations`: filters, field groups, and metadata cut to 200 characters.

Parameters: https://api.reference.langfuse.com, and the docstring of `langfuse.api.observations.get_many`.
"""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from langfuse_double.observations import StoredObservation
from langfuse_double.paging import Query, instant, listed, page, single
from langfuse_double.spans import Refused

_SHORT = 200
_GROUPS = frozenset(
    {"core", "basic", "time", "io", "metadata", "model", "usage", "prompt", "metrics", "trace_context"}
)
_BOUNDS = ("fromStartTime", "toStartTime")
Column = Callable[[StoredObservation], Any]
_COLUMNS: dict[str, Column] = {
    "id": lambda one: one.id,
    "type": lambda one: one.type,
    "name": lambda one: one.name,
    "traceId": lambda one: one.trace_id,
    "parentObservationId": lambda one: one.parent_id or "",
    "startTime": lambda one: one.start_time,
    "endTime": lambda one: one.end_time,
    "environment": lambda one: one.environment,
    "level": lambda one: one.level,
    "statusMessage": lambda one: one.status_message,
    "version": lambda one: one.version,
    "userId": lambda one: one.user_id,
    "sessionId": lambda one: one.session_id,
    "isRootObservation": lambda one: one.is_root,
    "traceName": lambda one: one.trace_name,
    "traceTags": lambda one: one.tags,
    "tags": lambda one: one.tags,
    "latency": lambda one: (one.end_time - one.start_time).total_seconds(),
    "totalTokens": lambda one: one.usage.get("total", 0),
    "totalCost": lambda one: float(one.cost.get("total", 0)),
    "model": lambda one: one.model,
    "providedModelName": lambda one: one.model,
    "metadata": lambda one: one.metadata,
}
_SIMPLE = ("name", "userId", "sessionId", "type", "traceId", "level", "parentObservationId", "version")
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda found, wanted: found == wanted,
    "<>": lambda found, wanted: found != wanted,
    ">": lambda found, wanted: found > wanted,
    "<": lambda found, wanted: found < wanted,
    ">=": lambda found, wanted: found >= wanted,
    "<=": lambda found, wanted: found <= wanted,
    "contains": lambda found, wanted: wanted in (found or ""),
    "does not contain": lambda found, wanted: wanted not in (found or ""),
    "starts with": lambda found, wanted: (found or "").startswith(wanted),
    "ends with": lambda found, wanted: (found or "").endswith(wanted),
    "matches": lambda found, wanted: wanted in (found or ""),
    "is null": lambda found, _: found in {None, ""},
    "is not null": lambda found, _: found not in {None, ""},
}
_OPERATORS = {
    "datetime": {">", "<", ">=", "<="},
    "string": {"=", "contains", "does not contain", "starts with", "ends with", "matches"},
    "stringOptions": {"any of", "none of"},
    "arrayOptions": {"any of", "none of", "all of"},
    "number": {"=", ">", "<", ">=", "<="},
    "stringObject": {"=", "contains", "does not contain", "starts with", "ends with", "matches"},
    "boolean": {"=", "<>"},
    "null": {"is null", "is not null"},
}


def answer(rows: Iterable[StoredObservation], query: Query) -> dict[str, Any]:
    """Answer a request.

    Raises:
        Refused: If a parameter is none that the server takes.
    """
    groups = listed(query, "fields") or ["core", "basic"]
    if not set(groups) <= _GROUPS:
        raise Refused(400, f"Unknown field groups {sorted(set(groups) - _GROUPS)}")
    if single(query, "parseIoAsJson") == "true":
        raise Refused(400, "parseIoAsJson is no longer supported")
    given = single(query, "filter")
    if given is None:
        tests = _simple(query)
    else:
        # "Takes precedence over query parameter filters": the strictest reading is that those are ignored.
        tests = _structured(given)
        query = {name: values for name, values in query.items() if name not in _BOUNDS}
    found = [row for row in rows if all(test(row) for test in tests)]
    data, meta = page(
        found, lambda one: one.start_time, lambda one: (one.trace_id, one.id), query, most=1000,
        since=_BOUNDS[0], until=_BOUNDS[1],
    )  # fmt: skip
    whole = set(listed(query, "expandMetadata") or ())
    return {"data": [_shown(one, set(groups), whole) for one in data], "meta": meta}


def _simple(query: Query) -> list[Callable[[StoredObservation], bool]]:
    tests: list[Callable[[StoredObservation], bool]] = []
    for name in _SIMPLE:
        wanted = single(query, name)
        if wanted is not None:
            tests.append(lambda one, column=_COLUMNS[name], wanted=wanted: column(one) == wanted)
    if "environment" in query:
        tests.append(lambda one: one.environment in query["environment"])
    is_root = single(query, "isRootObservation")
    if is_root is not None:
        tests.append(lambda one: one.is_root == (is_root.lower() == "true"))
    return tests


def _structured(text: str) -> list[Callable[[StoredObservation], bool]]:
    try:
        conditions = json.loads(text)
    except ValueError:
        raise Refused(400, "Invalid JSON in filter parameter") from None
    if not isinstance(conditions, list):
        raise Refused(400, "filter must be an array of conditions")
    return [_condition(each) for each in conditions]


def _condition(condition: Any) -> Callable[[StoredObservation], bool]:
    try:
        kind, name, operator = condition["type"], condition["column"], condition["operator"]
        wanted = None if kind == "null" else condition["value"]
        column = _COLUMNS[name]
        allowed = _OPERATORS[kind]
    except (KeyError, TypeError):
        raise Refused(400, f"Invalid filter condition {condition!r}") from None
    if operator not in allowed or (operator.endswith(" of") and not isinstance(wanted, list)):
        raise Refused(400, f"Invalid filter condition {condition!r}")
    if kind == "datetime":
        wanted = instant(wanted)
    if kind == "stringObject":
        key = condition.get("key")
        return lambda one: _COMPARED[operator](column(one).get(key), wanted)
    if kind in {"stringOptions", "arrayOptions"}:
        return lambda one: _among(column(one), operator, wanted)
    return lambda one: _COMPARED[operator](column(one), wanted)


def _among(value: Any, operator: str, wanted: list[Any]) -> bool:
    values = set(value) if isinstance(value, tuple) else {value}
    if operator == "all of":
        return set(wanted) <= values
    return values.isdisjoint(wanted) == (operator == "none of")


def _shown(one: StoredObservation, groups: set[str], whole: set[str]) -> dict[str, Any]:
    stored = datetime.fromtimestamp(one.stored_at, UTC)
    parts: dict[str, dict[str, Any]] = {
        "basic": {
            "name": one.name, "level": one.level, "statusMessage": one.status_message, "version": one.version,
            "environment": one.environment, "bookmarked": False, "public": False, "userId": one.user_id,
            "sessionId": one.session_id, "isRootObservation": one.is_root,
        },
        "time": {"completionStartTime": one.completion_start_time, "createdAt": stored, "updatedAt": stored},
        "io": {"input": one.input, "output": one.output},
        "metadata": {"metadata": _metadata(one.metadata, whole)},
        "model": {
            "model": one.model, "internalModelId": None, "modelId": None, "modelParameters": one.model_parameters,
        },
        "usage": {
            "usageDetails": one.usage, "costDetails": {key: float(value) for key, value in one.cost.items()},
            "totalCost": float(one.cost.get("total", 0)), "usagePricingTierName": None,
        },
        "prompt": {"promptId": None, "promptName": None, "promptVersion": None},
        "metrics": {
            "latency": (one.end_time - one.start_time).total_seconds(),
            "timeToFirstToken": None
            if one.completion_start_time is None
            else (one.completion_start_time - one.start_time).total_seconds(),
        },
        "trace_context": {"traceName": one.trace_name, "tags": list(one.tags), "release": one.release},
    }  # fmt: skip
    shown: dict[str, Any] = {
        "id": one.id, "traceId": one.trace_id, "startTime": one.start_time, "endTime": one.end_time,
        "projectId": "project", "parentObservationId": one.parent_id, "type": one.type,
    }  # fmt: skip
    for group in groups & parts.keys():
        shown |= parts[group]
    return shown


def _metadata(metadata: dict[str, Any], whole: set[str]) -> dict[str, Any]:
    return {
        key: value[:_SHORT] if isinstance(value, str) and key not in whole else value
        for key, value in metadata.items()
    }
