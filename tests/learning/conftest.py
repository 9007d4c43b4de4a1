"""A database of scripted traces, on SQLite and PostgreSQL in turn, to learn from."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import anyio
import pytest

from asp_telemetry.learning import LearnReport, Match, Patterns
from asp_telemetry.upkeep import open_upkeep
from databases import AnyDatabase

START = datetime(2026, 1, 15, 9, tzinfo=UTC)


class School:
    """Write traces as the writer would, have them learned from, and look at what was learned."""

    def __init__(self, database: AnyDatabase) -> None:
        self.database = database
        self.url = database.url
        self._numbers = count(1)
        anyio.run(open_upkeep(self.url).make)

    def id(self) -> str:
        """Return a new id."""
        return str(UUID(int=next(self._numbers)))

    def insert(self, table: str, **values: Any) -> None:
        """Insert one row; lists become what each database has for them."""
        texts = ", ".join(self._literal(value) for value in values.values())
        self.database.run(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({texts});")

    def execution(self, parent: dict[str, Any] | None = None, **values: Any) -> dict[str, Any]:
        """Insert an execution; `seconds` is how long it took, `at` how many seconds after the start of the test it began."""
        name = self.id()
        at, seconds = values.pop("at", 0), values.pop("seconds", 1)
        begun = START + timedelta(seconds=at)
        row = {
            "correlation_id": name,
            "root_id": parent["root_id"] if parent else name,
            "parent_id": parent["correlation_id"] if parent else None,
            "session_id": "s-1",
            "source": "agent_delegation" if parent else "user_prompt",
            "kind": "agent",
            "name": "debugger",
            "started_at": moment(begun),
            "completed_at": moment(begun + timedelta(seconds=seconds)),
            "duration_ms": seconds * 1000,
            "status": "success",
            **values,
        }
        self.insert("execution_traces", **row)
        return row

    def hook(self, execution: dict[str, Any], **values: Any) -> None:
        """Insert a hook around an execution."""
        row = {
            "id": self.id(),
            "execution_id": execution["correlation_id"],
            "correlation_id": execution["correlation_id"],
            "hook_type": "PreToolUse",
            "tool_name": "Write",
            "started_at": execution["started_at"],
            "completed_at": execution["completed_at"],
            "status": "success",
            "success": True,
            **values,
        }
        self.insert("hook_executions", **row)

    def call(self, execution: dict[str, Any], **values: Any) -> None:
        """Insert the call of an endpoint."""
        row = {
            "id": self.id(),
            "correlation_id": execution["correlation_id"],
            "service_name": "search",
            "endpoint_path": "/v1/documents/4711",
            "http_method": "GET",
            "response_status": 200,
            "started_at": execution["started_at"],
            "completed_at": execution["completed_at"],
            "success": True,
            **values,
        }
        self.insert("endpoint_calls", **row)

    def transformation(self, execution: dict[str, Any], **values: Any) -> None:
        """Insert that one agent became another."""
        row = {
            "id": self.id(),
            "event_type": "transformation_complete",
            "correlation_id": execution["correlation_id"],
            "source_agent": "coordinator",
            "target_agent": "debugger",
            "started_at": execution["started_at"],
            "completed_at": execution["completed_at"],
            "success": True,
            **values,
        }
        self.insert("agent_transformation_events", **row)

    def decision(self, execution: dict[str, Any], **values: Any) -> None:
        """Insert a routing decision."""
        row = {
            "id": self.id(),
            "correlation_id": execution["correlation_id"],
            "user_request": "fix the login",
            "selected_agent": "debugger",
            "confidence_total": 0.9,
            "routing_strategy": "learned_pattern",
            "routing_duration_ms": 1,
            "created_at": execution["started_at"],
            **values,
        }
        self.insert("agent_routing_decisions", **row)

    def learn(self, **options: Any) -> LearnReport:
        """Learn."""
        return self.work(lambda patterns: patterns.learn(**options))

    def match(self, request: str, **options: Any) -> list[Match]:
        """Match, whatever the score."""
        return self.work(lambda patterns: patterns.match(request, **{"at_least": 0, **options}))

    def work(self, action: Callable[[Patterns], Any], **options: Any) -> Any:
        """Open the patterns, and do something with them."""

        async def run() -> Any:
            async with Patterns(self.url, **options) as patterns:
                return await action(patterns)

        return anyio.run(run)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query, ids as text and JSON parsed."""
        return [tuple(_plain(value) for value in row) for row in self.database.rows(query)]

    def _literal(self, value: Any) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, bool):
            return str(int(value)) if self.database.is_sqlite else str(value).lower()
        if isinstance(value, int | float):
            return str(value)
        if isinstance(value, tuple) and not self.database.is_sqlite:
            return f"ARRAY[{', '.join(self._literal(item) for item in value)}]::text[]"
        text = value if isinstance(value, str) else json.dumps(value)
        return "'" + text.replace("'", "''") + "'"


def moment(at: datetime) -> str:
    """Write a moment as both databases take it."""
    return at.strftime("%Y-%m-%d %H:%M:%S.%f") + ("+00" if at.tzinfo is None else "")


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, str) and value[:1] in ("[", "{"):
        return json.loads(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return float(value) if type(value).__name__ == "Decimal" else value


@pytest.fixture
def school(any_database: AnyDatabase) -> School:
    """Make a database of each kind in turn, to learn from."""
    return School(any_database)
