"""Remembers patterns while a run learns: a success that is like one of them is added to it, another becomes a new one."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from asp_telemetry.learning.database import LearningDatabase, State
from asp_telemetry.learning.embedding import unit_vectors
from asp_telemetry.learning.pattern import Observation, Pattern
from asp_telemetry.learning.words import MAX_KEYWORDS

if TYPE_CHECKING:
    from asp_telemetry.learning.index import Numbers

# From this cosine on two requests to the same agent with the same intent are one; templates have no values left.
SAME_REQUEST = 0.9
_MAX_TAGS = 20

Key = tuple[str, str]


class PatternMemory:
    """Hold the patterns of a database by agent and intent, with their vectors, and the changes that are to be written.

    Args:
        database: Where they are.
        embedder: The name of the embedder whose vectors count.
    """

    def __init__(self, database: LearningDatabase, embedder: str) -> None:
        self._database = database
        self._embedder = embedder
        self._state: State | None = None
        self._rows: dict[str, dict[str, Any]] = {}
        self._by_key: dict[Key, list[str]] = {}
        self._vectors: dict[str, Numbers] = {}
        self._raw: list[dict[str, Any]] = []
        self._new: dict[str, dict[str, Any]] = {}
        self._changed: set[str] = set()
        self.patterns: dict[str, Pattern] = {}

    async def refresh(self) -> None:
        """Read all patterns, unless they are as this memory has left them; the caller holds the lock."""
        found = await self._database.state()
        if found == self._state:
            return
        self._rows, self._by_key, self._vectors, self.patterns = {}, {}, {}, {}
        for pattern in await self._database.patterns("0001-01-01 00:00:00"):
            self.patterns[pattern.id] = pattern
            self._remember(_row_of(pattern))
        self._raw = await self._database.raw("vectors", "0001-01-01 00:00:00", self._embedder)

    def _unpack(self, width: int) -> None:
        """Unpack the vectors when the first one tells how wide they are."""
        kept, vectors = self._database.unpack([row["vector"] for row in self._raw], width)
        matrix = unit_vectors(vectors)
        self._vectors |= {self._raw[place]["id"]: matrix[line] for line, place in enumerate(kept)}
        self._raw = []

    def add(self, seen: Observation, vector: Sequence[float], now: str) -> bool:
        """Add a success to the pattern that it is like, or make it a new one.

        Args:
            seen: What it teaches.
            vector: The vector of its request.
            now: The present moment, UTC.

        Returns:
            Whether it is a new one.
        """
        if self._raw:
            self._unpack(len(vector))
        direction = unit_vectors([vector])[0]
        known = self._like(seen, direction)
        if known is not None:
            _merge(self._rows[known], seen, now)
            if known not in self._new:
                self._changed.add(known)
            return False
        row = _new_row(seen, vector, self._embedder, now)
        self._remember(row)
        self._vectors[row["id"]] = direction
        self._new[row["id"]] = row
        return True

    async def write(self) -> None:
        """Write what was added; the caller holds the lock."""
        await self._database.write("insert_patterns", list(self._new.values()))
        await self._database.write("update_patterns", [self._rows[name] for name in sorted(self._changed)])
        self._state = await self._database.state()
        self._new, self._changed = {}, set()

    def forget(self) -> None:
        """Take nothing for known any more: what was added has not been written."""
        self._state, self._new, self._changed = None, {}, set()

    def _remember(self, row: dict[str, Any]) -> None:
        self._rows[row["id"]] = row
        self._by_key.setdefault((row["agent"], row["intent"]), []).append(row["id"])

    def _like(self, seen: Observation, direction: "Numbers") -> str | None:
        best, nearest = None, SAME_REQUEST
        for name in self._by_key.get((seen.agent, seen.intent), ()):
            if self._rows[name]["prompt_text"] == seen.template:
                return name
            vector = self._vectors.get(name)
            if (
                vector is not None
                and len(vector) == len(direction)
                and (near := float(vector @ direction)) >= nearest
            ):
                best, nearest = name, near
        return best


def _row_of(pattern: Pattern) -> dict[str, Any]:
    return {
        "id": pattern.id,
        "prompt_text": pattern.template,
        "intent": pattern.intent,
        "agent": pattern.agent,
        "keywords": list(pattern.keywords),
        "hook_sequence": list(pattern.hooks),
        "endpoint_pattern": list(pattern.endpoints),
        "avg_duration_ms": pattern.avg_duration_ms,
        "min_duration_ms": pattern.min_duration_ms,
        "max_duration_ms": pattern.max_duration_ms,
        "avg_hook_count": pattern.avg_hook_count,
        "avg_endpoint_count": pattern.avg_endpoint_count,
        "avg_rag_query_count": pattern.avg_rag_query_count,
        "success_score": pattern.success_score,
        "context": {
            "embedder": pattern.embedder,
            "observations": pattern.observations,
            "facts": dict(pattern.facts),
            "delegated": list(pattern.delegated),
        },
        "tags": list(pattern.tags),
        "now": pattern.updated_at,
    }


def _new_row(seen: Observation, vector: Sequence[float], embedder: str, now: str) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "source_correlation_id": seen.source_correlation_id,
        "prompt_text": seen.template,
        "prompt_embedding": [
            int(number) if float(number).is_integer() else float(number) for number in vector
        ],
        "intent": seen.intent,
        "keywords": list(seen.keywords),
        "agent": seen.agent,
        "routing_strategy": seen.routing_strategy,
        "hook_sequence": list(seen.hooks),
        "endpoint_pattern": list(seen.endpoints),
        "avg_duration_ms": seen.duration_ms,
        "min_duration_ms": seen.duration_ms,
        "max_duration_ms": seen.duration_ms,
        "avg_hook_count": seen.hook_count,
        "avg_endpoint_count": seen.endpoint_count,
        "avg_rag_query_count": seen.rag_query_count,
        "success_score": seen.success_score,
        "context": {
            "embedder": embedder,
            "observations": 1,
            "facts": dict(seen.facts),
            "delegated": list(seen.delegated),
        },
        "tags": list(seen.tags),
        "now": now,
    }


def _merge(row: dict[str, Any], seen: Observation, now: str) -> None:
    context = row["context"]
    number = context["observations"] + 1
    # The way that was the clearest success is the one to follow; of equals, the newest.
    if row["success_score"] is None or seen.success_score >= float(row["success_score"]):
        row["hook_sequence"], row["endpoint_pattern"] = list(seen.hooks), list(seen.endpoints)
        context["delegated"] = list(seen.delegated)
    row["keywords"] = list(dict.fromkeys([*row["keywords"], *seen.keywords]))[:MAX_KEYWORDS]
    row["tags"] = list(dict.fromkeys([*row["tags"], *seen.tags]))[:_MAX_TAGS]
    if seen.duration_ms is not None:
        row["avg_duration_ms"] = _mean(row["avg_duration_ms"], seen.duration_ms, number)
        row["min_duration_ms"] = min(_known(row["min_duration_ms"], seen.duration_ms))
        row["max_duration_ms"] = max(_known(row["max_duration_ms"], seen.duration_ms))
    for name, count in (
        ("avg_hook_count", seen.hook_count),
        ("avg_endpoint_count", seen.endpoint_count),
        ("avg_rag_query_count", seen.rag_query_count),
        ("success_score", seen.success_score),
    ):
        row[name] = _mean(row[name], count, number)
    context["observations"] = number
    context["facts"] = _common(context["facts"], seen.facts)
    row["now"] = now


def _mean(before: float | None, value: float, number: int) -> float:
    return value if before is None else before + (value - before) / number


def _known(*values: float | None) -> list[float]:
    return [value for value in values if value is not None]


def _common(facts: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the facts that all runs share; None says that they differ."""
    return {name: value if others.get(name) == value else None for name, value in facts.items()}
