"""Reads traces and patterns out of a database and writes what was learned, in the same statements on either."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson

from asp_telemetry.database_url import is_sqlite, require_driver, sqlite_path
from asp_telemetry.learning.pattern import Pattern
from asp_telemetry.learning.tree import Tree
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.statements import load_statements

if TYPE_CHECKING:
    from asp_telemetry.learning.embedding import Vectors

Row = dict[str, Any]
Place = tuple[str, str]
"""Where a page ends: the time and the id of its last row."""

State = tuple[int, str, int]
"""What changes with every change of the patterns: their number, the newest time of a change, the number of all uses."""

START: Place = ("0001-01-01 00:00:00.000000", "00000000-0000-0000-0000-000000000000")

_JSON = frozenset(
    {
        "tags", "context", "intelligence_functions_executed", "rag_queries_executed", "quality_gates_validated",
        "delegated_agents", "source_traces", "keywords", "hook_sequence", "endpoint_pattern",
    }
)  # fmt: skip
_FLAGS = frozenset({"success", "actual_success", "used", "passed_on"})


class LearningDatabase(ABC):
    """Be an open database at the current schema; times and ids are text on both."""

    def __init__(self, dialect: str) -> None:
        self.sql = load_statements(schema_directory(dialect) / "learning.sql")

    @abstractmethod
    async def raw(self, statement: str, *values: object) -> list[Row]:
        """Run a statement of `learning.sql` by its name."""

    @abstractmethod
    def reading(self) -> AbstractAsyncContextManager[None]:
        """Read what is of one moment, without keeping anybody from writing."""

    @abstractmethod
    def writing(self) -> AbstractAsyncContextManager[None]:
        """Be the only one who learns; commit at the end, roll back on an error."""

    @abstractmethod
    async def count_uses(self, changes: Sequence[Mapping[str, Any]]) -> None:
        """Bring the counters of patterns up to date, where no trigger does."""

    @abstractmethod
    def unpack(self, vectors: Sequence[Any], width: int) -> "tuple[list[int], Vectors]":
        """Turn what `vectors` returned into one matrix.

        Args:
            vectors: As the database returned them.
            width: How wide the wanted ones are; an embedder may have changed its width, not its name.

        Returns:
            The places of those that are as wide, and a matrix with a line for each of them.
        """

    async def has_index(self, width: int) -> bool:  # noqa: ARG002 - for those that have
        """Tell whether vectors of this width are indexed."""
        return False

    async def nearest(self, vector: Sequence[float], at_most: int) -> dict[str, float]:  # noqa: ARG002 - see above
        """Return the cosines of the nearest patterns by their ids, by that index."""
        return {}

    async def rows(self, statement: str, *values: object) -> list[Row]:
        """Run a statement, and parse the JSON in what it returns."""
        return [_parsed(row) for row in await self.raw(statement, *values)]

    async def write(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement that takes rows."""
        if rows:
            await self.raw(statement, as_json(rows))

    async def trees(self, roots: Sequence[str]) -> dict[str, Tree]:
        """Read the traces of roots, by their root ids."""
        if not roots:
            return {}
        names = as_json(roots)
        parts: dict[str, dict[str, list[Row]]] = {root: {} for root in roots}
        for part in ("executions", "hooks", "calls", "transformations", "decisions", "verdicts"):
            for row in await self.rows(part, names):
                parts[row["root_id"]].setdefault(part, []).append(row)
        named = {
            root: {row["task_id"] for row in found.get("executions", ()) if row["task_id"]}
            for root, found in parts.items()
        }
        wanted = sorted(set().union(*named.values()))
        tasks = {row["task_id"]: row for row in await self.rows("tasks", as_json(wanted))} if wanted else {}
        return {
            # Each its own tasks alone: that of another trace says nothing of how this one went.
            root: Tree(
                found.pop("executions", []),
                **found,
                tasks={name: tasks[name] for name in named[root] if name in tasks},
            )
            for root, found in parts.items()
        }

    async def state(self) -> State:
        """Return what tells whether patterns have changed."""
        (row,) = await self.raw("patterns_state")
        return int(row["number"]), str(row["newest"]), int(row["uses"])

    async def patterns(self, since: str) -> list[Pattern]:
        """Read the patterns that have changed since a moment."""
        return parsed_patterns(await self.raw("patterns", since))


@asynccontextmanager
async def open_learning(url: str, *, read_only: bool) -> AsyncIterator[LearningDatabase]:
    """Open a database to learn from and to match in.

    Args:
        url: The database, as `database_url.absolute_database` returns it.
        read_only: Whether nothing shall be changed.

    Yields:
        The database.

    Raises:
        StoreUnavailableError: If it does not exist or cannot be reached.
        MigrationError: If its schema is not the current one.
        ConfigurationError: If the driver is not installed.
    """
    if is_sqlite(url):
        from asp_telemetry.learning.sqlite import open_sqlite  # noqa: PLC0415 - imports the driver

        async with open_sqlite(sqlite_path(url), read_only=read_only) as database:
            yield database
        return
    require_driver(url)
    from asp_telemetry.learning.postgres import open_postgres  # noqa: PLC0415 - imports the driver

    async with open_postgres(url) as found:
        yield found


def parsed_patterns(rows: Sequence[Row]) -> list[Pattern]:
    """Make patterns of rows whose JSON is text."""
    return [_pattern(_parsed(row)) for row in rows]


def as_json(value: object) -> str:
    """Write a value as JSON text."""
    return orjson.dumps(value).decode()


def _parsed(row: Row) -> Row:
    for name, value in row.items():
        if value is None:
            continue
        if name in _JSON:
            row[name] = orjson.loads(value)
        elif name in _FLAGS:
            row[name] = bool(value)
    return row


def _pattern(row: Row) -> Pattern:
    context = row["context"] if isinstance(row["context"], dict) else {}
    return Pattern(
        id=row["id"],
        source_correlation_id=row["source_correlation_id"],
        template=row["prompt_text"],
        intent=row["intent"],
        keywords=tuple(row["keywords"]),
        agent=row["agent"],
        routing_strategy=row["routing_strategy"],
        hooks=_mappings(row["hook_sequence"]),
        endpoints=_mappings(row["endpoint_pattern"]),
        avg_duration_ms=row["avg_duration_ms"],
        min_duration_ms=row["min_duration_ms"],
        max_duration_ms=row["max_duration_ms"],
        avg_hook_count=row["avg_hook_count"] or 0.0,
        avg_endpoint_count=row["avg_endpoint_count"] or 0.0,
        avg_rag_query_count=row["avg_rag_query_count"] or 0.0,
        success_score=row["success_score"],
        success_rate=float(row["success_rate"]),
        uses=row["total_usage_count"],
        facts=context.get("facts") or {},
        delegated=tuple(context.get("delegated") or ()),
        observations=int(context.get("observations") or 1),
        embedder=context.get("embedder"),
        tags=tuple(row["tags"] or ()),
        updated_at=row["updated_at"],
    )


def _mappings(value: Any) -> tuple[dict[str, Any], ...]:
    """Take a list of steps as it was learned; rows that somebody else wrote may hold anything."""
    steps = value if isinstance(value, list) else []
    return tuple(step if isinstance(step, dict) else {"type": step, "service": step} for step in steps)
