"""Counts failures by what they have in common."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from asp_telemetry.learning.templates import message_pattern, path_pattern
from asp_telemetry.learning.tree import Row, Tree

_SAMPLES = 10


@dataclass(frozen=True)
class Failure:
    """Be one thing that went wrong; attributes as in error_patterns."""

    error_type: str
    message: str
    agent: str | None
    hook_type: str | None
    endpoint_path: str | None
    correlation_id: str
    at: str
    severity: str

    @property
    def key(self) -> tuple[str, str, str | None, str | None, str | None]:
        """What makes two failures the same."""
        return self.error_type, self.message, self.agent, self.hook_type, self.endpoint_path


def failure_of(part: str, row: Row, tree: Tree | None) -> Failure | None:
    """Return what a row tells; None of one that an execution inside has told already.

    Args:
        part: `executions`, `hooks` or `calls`.
        row: The row.
        tree: Its trace, as far as it is known.
    """
    if part == "executions" and row["passed_on"]:
        return None
    kind, hook, path, message = row.get("error_type"), None, None, row["error_message"]
    if part == "executions":
        kind = kind or row["status"]
    elif part == "hooks":
        kind, hook = ("hook_timeout" if row["status"] == "timeout" else "hook_error"), row["hook_type"]
    else:
        kind, path = kind or "http_error", path_pattern(row["endpoint_path"])
        message = message or (f"HTTP status {row['response_status']}" if row["response_status"] else None)
    execution = None if tree is None else tree.by_id.get(row["correlation_id"])
    agent = None if tree is None or execution is None else tree.agent_of(execution)
    ended_well = tree is not None and tree.top is not None and tree.top["status"] == "success"
    return Failure(
        str(kind),
        # A status says more than the placeholder that numbers get.
        str(message)
        if part == "calls" and message == f"HTTP status {row['response_status']}"
        else message_pattern(message or ""),
        agent,
        hook,
        path,
        row["correlation_id"],
        row["completed_at"],
        "medium" if ended_well else "high",
    )


def counted(failures: Iterable[Failure], now: str) -> list[dict[str, Any]]:
    """Return a row for each kind of failure, as `count_error` takes it.

    Args:
        failures: In any order.
        now: The present moment, UTC.
    """
    kinds: dict[tuple[Any, ...], list[Failure]] = {}
    for failure in failures:
        kinds.setdefault(failure.key, []).append(failure)
    rows = []
    # In one order, so that two who count at once do not wait for each other in a circle.
    for _, same in sorted(kinds.items(), key=lambda item: tuple(str(part) for part in item[0])):
        newest = sorted(same, key=lambda failure: (failure.at, failure.correlation_id), reverse=True)
        first = newest[0]
        rows.append(
            {
                "id": str(uuid4()),
                "error_type": first.error_type,
                "error_message_pattern": first.message,
                "agent": first.agent,
                "hook_type": first.hook_type,
                "endpoint_path": first.endpoint_path,
                "occurrence_count": len(same),
                "first_seen_at": newest[-1].at,
                "last_seen_at": first.at,
                "samples": list(dict.fromkeys(failure.correlation_id for failure in newest))[:_SAMPLES],
                "severity": "high" if any(failure.severity == "high" for failure in same) else "medium",
                "now": now,
            }
        )
    return rows
