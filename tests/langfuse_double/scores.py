"""Takes scores and shows them, by the rules of `POST /api/public/scores` and `GET /api/public/v3/scores`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

from langfuse_double.paging import listed, page
from langfuse_double.spans import Refused

_DATA_TYPES = frozenset({"NUMERIC", "CATEGORICAL", "BOOLEAN", "TEXT", "CORRECTION"})
_ENVIRONMENT = re.compile(r"(?!langfuse)[a-z0-9-_]{1,40}")
_GROUPS = frozenset({"details", "subject", "annotation"})


@dataclass(frozen=True)
class StoredScore:
    """Be a score; one with the same id, name and day replaces the earlier one."""

    id: str
    name: str
    value: float | str
    data_type: str
    timestamp: datetime
    trace_id: str | None
    observation_id: str | None
    session_id: str | None
    comment: str | None
    metadata: dict[str, Any] | None
    environment: str
    created_at: float
    updated_at: float

    @property
    def identity(self) -> tuple[str, str, date]:
        """What the server tells scores apart by."""
        return self.id, self.name, self.timestamp.date()


def score(body: Any, now: float) -> StoredScore:
    """Read one score.

    Raises:
        Refused: If it is none, or is attached to nothing.
    """
    if not isinstance(body, dict) or not isinstance(body.get("name"), str) or body.get("value") is None:
        raise Refused(400, "Invalid request data: name and value are required")
    targets = [key for key in ("traceId", "sessionId", "datasetRunId") if body.get(key)]
    if len(targets) != 1:
        raise Refused(400, "Provide exactly one of traceId, sessionId and datasetRunId")
    if body.get("observationId") and not body.get("traceId"):
        raise Refused(400, "observationId requires traceId")
    environment = body.get("environment") or "default"
    if not _ENVIRONMENT.fullmatch(environment):
        raise Refused(400, f"Invalid environment {environment!r}")
    metadata = body.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise Refused(400, "metadata must be an object")
    kind, value = _typed(body)
    return StoredScore(
        id=body.get("id") or str(uuid4()),
        name=body["name"],
        value=value,
        data_type=kind,
        timestamp=_timestamp(body.get("timestamp"), now),
        trace_id=body.get("traceId"),
        observation_id=body.get("observationId"),
        session_id=body.get("sessionId"),
        comment=body.get("comment"),
        metadata=metadata,
        environment=environment,
        created_at=now,
        updated_at=now,
    )


def replaced(earlier: StoredScore | None, later: StoredScore) -> StoredScore:
    """Return what is stored when a score comes again."""
    return later if earlier is None else replace(later, created_at=earlier.created_at)


def _typed(body: dict[str, Any]) -> tuple[str, float | str]:
    value = body["value"]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    kind = body.get("dataType") or ("NUMERIC" if is_number else "CATEGORICAL")
    if kind not in _DATA_TYPES:
        raise Refused(400, f"Invalid dataType {kind!r}")
    if is_number != (kind in {"NUMERIC", "BOOLEAN"}) or (kind == "BOOLEAN" and value not in {0, 1}):
        raise Refused(400, f"The value {value!r} does not fit the dataType {kind}")
    if not is_number and not isinstance(value, str):
        raise Refused(400, f"The value {value!r} is neither a number nor a string")
    if kind == "TEXT" and not 1 <= len(value) <= 500:
        raise Refused(400, "A TEXT score has 1 to 500 characters")
    return kind, float(value) if is_number else value


def _timestamp(text: Any, now: float) -> datetime:
    if text is None:
        return datetime.fromtimestamp(now, UTC)
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise Refused(400, f"Invalid timestamp {text!r}") from None
    if found.tzinfo is None:
        raise Refused(400, f"The timestamp {text!r} has no timezone offset")
    found = found.astimezone(UTC)
    return found.replace(microsecond=found.microsecond // 1000 * 1000)


def answer(scores: Iterable[StoredScore], query: dict[str, list[str]]) -> dict[str, Any]:
    """Answer `GET /api/public/v3/scores`."""
    groups = listed(query, "fields") or []
    if not set(groups) <= _GROUPS:
        raise Refused(400, f"Unknown field groups {sorted(set(groups) - _GROUPS)}")
    if "observationId" in query and "traceId" not in query:
        raise Refused(400, "observationId requires traceId")
    if "sessionId" in query and ("traceId" in query or "observationId" in query):
        raise Refused(400, "sessionId and traceId are mutually exclusive")
    found = list(scores)
    for name, attribute in (
        ("id", "id"), ("name", "name"), ("environment", "environment"), ("traceId", "trace_id"),
        ("sessionId", "session_id"), ("observationId", "observation_id"),
    ):  # fmt: skip
        wanted = listed(query, name)
        if wanted is not None:
            found = [one for one in found if getattr(one, attribute) in wanted]
    kinds = listed(query, "dataType")
    if kinds is not None:
        found = [one for one in found if one.data_type in {kind.upper() for kind in kinds}]
    sources = listed(query, "source")
    if sources is not None and "API" not in {source.upper() for source in sources}:
        found = []
    data, meta = page(
        found, lambda one: one.timestamp, lambda one: ("", one.id), query, most=100,
        since="fromTimestamp", until="toTimestamp",
    )  # fmt: skip
    return {"data": [_shown(one, groups) for one in data], "meta": meta}


def _shown(one: StoredScore, groups: list[str]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": one.id,
        "projectId": "project",
        "name": one.name,
        "value": bool(one.value) if one.data_type == "BOOLEAN" else one.value,
        "dataType": one.data_type,
        "source": "API",
        "timestamp": one.timestamp,
        "environment": one.environment,
        "createdAt": datetime.fromtimestamp(one.created_at, UTC),
        "updatedAt": datetime.fromtimestamp(one.updated_at, UTC),
    }
    if "details" in groups:
        body |= {"comment": one.comment, "configId": None, "metadata": one.metadata or {}}
    if "subject" in groups:
        if one.observation_id is not None:
            body["subject"] = {"kind": "observation", "id": one.observation_id, "traceId": one.trace_id}
        elif one.trace_id is not None:
            body["subject"] = {"kind": "trace", "id": one.trace_id}
        else:
            body["subject"] = {"kind": "session", "id": one.session_id}
    if "annotation" in groups:
        body |= {"authorUserId": None, "queueId": None}
    return body
