"""Pages through rows, the latest first, with the server's kind of cursor."""

import base64
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from langfuse_double.spans import Refused

T = TypeVar("T")
Query = dict[str, list[str]]


def single(query: Query, name: str) -> str | None:
    """Return a parameter's only value."""
    values = query.get(name)
    return values[-1] if values else None


def listed(query: Query, name: str) -> list[str] | None:
    """Return the values of a parameter that separates them by commas."""
    value = single(query, name)
    return None if value is None else [part.strip() for part in value.split(",") if part.strip()]


def time_parameter(query: Query, name: str) -> datetime | None:
    """Return a parameter that is a time."""
    value = single(query, name)
    return None if value is None else instant(value)


def instant(text: Any) -> datetime:
    """Read a time.

    Raises:
        Refused: If it is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise Refused(400, f"Invalid datetime {text!r}") from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def page(
    rows: Iterable[T],
    when: Callable[[T], datetime],
    names: Callable[[T], tuple[str, str]],
    query: Query,
    *,
    most: int,
    since: str,
    until: str,
) -> tuple[list[T], dict[str, Any]]:
    """Return one page of rows and what the answer's `meta` says.

    Args:
        rows: All rows that match.
        when: Says the time of a row, which sorts them.
        names: Says the trace and the id of a row, which tell rows of one time apart.
        query: The request's parameters: `limit`, `cursor`, and the bounds of time.
        most: The highest limit that is allowed.
        since: The parameter for the inclusive lower bound.
        until: The parameter for the exclusive upper bound.
    """
    try:
        limit = int(single(query, "limit") or 50)
    except ValueError:
        limit = 0
    if not 1 <= limit <= most:
        raise Refused(400, f"limit must be between 1 and {most}")
    first, last = time_parameter(query, since), time_parameter(query, until)
    found = [
        (when(row), *names(row), row)
        for row in rows
        if (first is None or when(row) >= first) and (last is None or when(row) < last)
    ]
    found.sort(key=lambda entry: entry[:3], reverse=True)
    cursor = single(query, "cursor")
    if cursor is not None:
        behind = _decoded(cursor)
        found = [entry for entry in found if entry[:3] < behind]
    shown = found[:limit]
    meta: dict[str, Any] = {"limit": limit}
    if len(found) > limit:
        at, trace_id, last_id, _ = shown[-1]
        text = json.dumps({"lastStartTimeTo": at.isoformat(), "lastTraceId": trace_id, "lastId": last_id})
        meta["cursor"] = base64.urlsafe_b64encode(text.encode()).decode()
    return [entry[3] for entry in shown], meta


def _decoded(cursor: str) -> tuple[datetime, str, str]:
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor))
        return datetime.fromisoformat(found["lastStartTimeTo"]), found["lastTraceId"], found["lastId"]
    except (ValueError, KeyError, TypeError):
        raise Refused(400, "Invalid cursor format") from None
