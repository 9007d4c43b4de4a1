"""Keeps the patterns of a database at hand, follows their changes, and finds those that fit a request."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

from anyio import to_thread

from asp_telemetry.learning.database import START, LearningDatabase, State, as_json, parsed_patterns
from asp_telemetry.learning.embedding import Embedder, import_numpy, unit_vectors
from asp_telemetry.learning.index import PatternIndex
from asp_telemetry.learning.match import Match
from asp_telemetry.learning.templates import template_of
from asp_telemetry.learning.words import keywords_of

if TYPE_CHECKING:
    from asp_telemetry.learning.index import Numbers
    from asp_telemetry.learning.pattern import Pattern

Asked = tuple[str, list[str], list[float]]
"""A request without its values, the words in it, and its vector."""

# Of an index of vectors, this many are asked for; as many again by their keywords are looked at beside them.
_CANDIDATES = 200
_OVERLAP = timedelta(seconds=10)  # twice what anybody waits for a lock


class Matcher:
    """Find patterns; what is read once is kept until it changes.

    Args:
        database: Where the patterns are.
        embedder: What turns requests into vectors, and has turned the patterns.
        refresh_seconds: How long what is kept is taken for current without asking.
    """

    def __init__(self, database: LearningDatabase, embedder: Embedder, refresh_seconds: float) -> None:
        self._database = database
        self._embedder = embedder
        self._refresh_seconds = refresh_seconds
        self._asked = float("-inf")
        self._state: State = (0, "", 0)
        self._patterns: dict[str, Pattern] = {}
        self._index = PatternIndex(())
        self._vectors: dict[str, Numbers] = {}
        self._matrix: Any = None
        self._by_index = False

    def stale(self) -> None:
        """Ask for changes at the next request."""
        self._asked = float("-inf")

    async def prepare(self, request: str) -> Asked:
        """Take the values out of a request and embed it, in a thread: an embedder may ask a service.

        Args:
            request: What is asked.
        """
        return await to_thread.run_sync(self._prepared, request)

    async def match(self, asked: Asked, context: Mapping[str, Any], limit: int) -> list[Match]:
        """Return the patterns that fit best, the best first.

        What takes time runs in a thread: the caller's event loop may have more to do.

        Args:
            asked: What `prepare` returned.
            context: What is known of where it is asked.
            limit: How many at most.
        """
        template, words, vector = asked
        async with self._database.reading():
            await self._refresh(len(vector))
            if not self._index.patterns or not words:
                return []
            near = await self._near(vector, words) if self._by_index else None
        return await to_thread.run_sync(self._answer, template, words, vector, near, context, limit)

    def _prepared(self, request: str) -> Asked:
        template = template_of(request)
        return template, keywords_of(template), list(self._embedder.embed([template])[0])

    def _answer(
        self,
        template: str,
        words: Sequence[str],
        vector: Sequence[float],
        near: Mapping[str, float | None] | None,
        context: Mapping[str, Any],
        limit: int,
    ) -> list[Match]:
        numpy = import_numpy()
        index = self._index
        cosines = self._cosines(vector, near)
        span = self._embedder.alike - self._embedder.unlike
        semantic = numpy.clip((cosines - self._embedder.unlike) / span, 0.0, 1.0)
        totals, parts = index.scores(words, template, semantic, context)
        if near is not None:
            # Of the others it is not known how near they are, which must not be taken for a reason to leave that out.
            totals = numpy.where([pattern.id in near for pattern in index.patterns], totals, -1.0)
        found = []
        for place in map(int, numpy.argsort(-totals, kind="stable")[:limit]):
            if totals[place] > 0:
                cosine = None if numpy.isnan(cosines[place]) else float(cosines[place])
                reasons = index.explain(place, parts, words, cosine, template)
                found.append(Match(index.patterns[place], round(float(totals[place]), 4), reasons, template))
        return found

    async def _refresh(self, width: int) -> None:
        """Read what has changed since the last look; all of it, if something is gone."""
        if monotonic() - self._asked < self._refresh_seconds:
            return
        found = await self._database.state()
        by_index = await self._database.has_index(width)
        if found != self._state or by_index != self._by_index:
            await self._read(_shortly_before(self._state[1]), found[0], by_index, width)
            self._state, self._by_index = found, by_index
        self._asked = monotonic()

    async def _read(self, since: str, number: int, by_index: bool, width: int) -> None:
        rows = await self._database.raw("patterns", since)
        if len(self._patterns.keys() | {row["id"] for row in rows}) != number or by_index != self._by_index:
            since, self._patterns, self._vectors = START[0], {}, {}
            rows = await self._database.raw("patterns", since)
        vectors = [] if by_index else await self._database.raw("vectors", since, self._embedder.name)
        await to_thread.run_sync(self._take, rows, vectors, width)

    def _take(self, rows: Sequence[dict[str, Any]], vectors: Sequence[Mapping[str, Any]], width: int) -> None:
        changed = {pattern.id: pattern for pattern in parsed_patterns(rows)}
        self._patterns |= changed
        new = self._unpacked(vectors, width)
        if self._index.took(changed) and new.keys() <= self._vectors.keys():
            return
        self._vectors |= new
        self._index = PatternIndex(list(self._patterns.values()))
        self._matrix = self._stacked(width)

    def _unpacked(self, rows: Sequence[Mapping[str, Any]], width: int) -> "dict[str, Numbers]":
        if not rows:
            return {}
        kept, vectors = self._database.unpack([row["vector"] for row in rows], width)
        matrix = unit_vectors(vectors)
        return {rows[place]["id"]: matrix[line] for line, place in enumerate(kept)}

    def _stacked(self, width: int) -> Any:
        numpy = import_numpy()
        if not self._vectors:
            return None
        missing = numpy.full(width, numpy.nan, dtype=numpy.float32)
        return numpy.stack([self._vectors.get(pattern.id, missing) for pattern in self._index.patterns])

    async def _near(self, vector: Sequence[float], words: Sequence[str]) -> dict[str, float | None]:
        """Return the cosines of the candidates: the nearest by the index of vectors, and those that share most words."""
        near: dict[str, float | None] = dict(await self._database.nearest(vector, _CANDIDATES))
        others = [self._index.patterns[place].id for place in self._index.by_keywords(words, _CANDIDATES)]
        missing = [name for name in others if name not in near]
        near |= dict.fromkeys(missing)
        if missing:
            rows = await self._database.raw("vectors_of", as_json(missing), self._embedder.name)
            asked = unit_vectors([vector])[0]
            near |= {name: float(found @ asked) for name, found in self._unpacked(rows, len(vector)).items()}
        return near

    def _cosines(self, vector: Sequence[float], near: Mapping[str, float | None] | None) -> "Numbers":
        numpy = import_numpy()
        patterns = self._index.patterns
        if near is None:
            if self._matrix is None or self._matrix.shape[1] != len(vector):
                return numpy.full(len(patterns), numpy.nan, dtype=numpy.float32)  # type: ignore[no-any-return]
            return self._matrix @ unit_vectors([vector])[0]  # type: ignore[no-any-return]
        known = [
            near.get(pattern.id) if pattern.embedder == self._embedder.name else None for pattern in patterns
        ]
        return numpy.array(known, dtype=numpy.float32)  # type: ignore[no-any-return]


def _shortly_before(moment: str) -> str:
    """Return from when on changes may not have been seen: a transaction's time is that of its begin, not of its commit."""
    if not moment:
        return START[0]
    return (datetime.fromisoformat(moment) - _OVERLAP).strftime("%Y-%m-%d %H:%M:%S.%f")
