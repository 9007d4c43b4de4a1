"""Keeps the patterns of a database at hand, follows their changes, and finds those that fit a request."""

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any

from anyio import to_thread

from asp_telemetry.learning.database import START, LearningDatabase, as_json
from asp_telemetry.learning.embedding import Embedder, import_numpy, unit_vectors
from asp_telemetry.learning.index import PatternIndex
from asp_telemetry.learning.match import Match
from asp_telemetry.learning.templates import template_of
from asp_telemetry.learning.words import keywords_of

if TYPE_CHECKING:
    from asp_telemetry.learning.index import Numbers
    from asp_telemetry.learning.pattern import Pattern

# Of an index of vectors, this many are asked for; as many again by their keywords are looked at beside them.
_CANDIDATES = 200


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
        self._state: tuple[int, str] = (0, "")
        self._patterns: dict[str, Pattern] = {}
        self._index = PatternIndex(())
        self._vectors: dict[str, Numbers] = {}
        self._matrix: Any = None
        self._by_index = False

    def stale(self) -> None:
        """Ask for changes at the next request."""
        self._asked = float("-inf")

    async def match(self, request: str, context: Mapping[str, Any], limit: int) -> list[Match]:
        """Return the patterns that fit best, the best first.

        Args:
            request: What is asked; its values are taken out before anything else is done.
            context: What is known of where it is asked.
            limit: How many at most.
        """
        template = template_of(request)
        words = keywords_of(template)
        vector = list((await to_thread.run_sync(self._embedder.embed, [template]))[0])
        async with self._database.reading():
            await self._refresh(len(vector))
            if not self._index.patterns or not words:
                return []
            cosines, looked_at = await self._cosines(vector, words)
        numpy = import_numpy()
        span = self._embedder.alike - self._embedder.unlike
        semantic = numpy.clip((cosines - self._embedder.unlike) / span, 0.0, 1.0)
        totals, parts = self._index.scores(words, template, semantic, context)
        if looked_at is not None:
            totals = numpy.where(looked_at, totals, -1.0)
        best = numpy.argsort(-totals, kind="stable")[:limit]
        return [
            Match(
                self._index.patterns[place],
                round(float(totals[place]), 4),
                self._index.explain(
                    place,
                    parts,
                    words,
                    None if numpy.isnan(cosines[place]) else float(cosines[place]),
                    template,
                ),
                template,
            )
            for place in map(int, best)
            if totals[place] > 0
        ]

    async def _refresh(self, width: int) -> None:
        """Read what has changed since the last look; all of it, if something is gone."""
        if monotonic() - self._asked < self._refresh_seconds:
            return
        (state,) = await self._database.raw("patterns_state")
        found = (int(state["number"]), str(state["newest"]))
        by_index = await self._database.has_index(width)
        if found != self._state or by_index != self._by_index:
            await self._read(self._state[1] or START[0], found[0], by_index)
            self._state, self._by_index = found, by_index
        self._asked = monotonic()

    async def _read(self, since: str, number: int, by_index: bool) -> None:
        changed = {pattern.id: pattern for pattern in await self._database.patterns(since)}
        if len(self._patterns | changed) != number or by_index != self._by_index:
            since, self._patterns, self._vectors = START[0], {}, {}
            changed = {pattern.id: pattern for pattern in await self._database.patterns(since)}
        self._patterns |= changed
        if not by_index:
            rows = await self._database.raw("vectors", since, self._embedder.name)
            self._vectors |= self._unpacked(rows)
        self._index = PatternIndex(list(self._patterns.values()))
        self._matrix = None if by_index else self._stacked()

    def _unpacked(self, rows: Sequence[Mapping[str, Any]]) -> "dict[str, Numbers]":
        if not rows:
            return {}
        matrix = unit_vectors(self._database.unpack([row["vector"] for row in rows]))
        return {row["id"]: matrix[place] for place, row in enumerate(rows)}

    def _stacked(self) -> Any:
        numpy = import_numpy()
        if not self._vectors:
            return None
        width = len(next(iter(self._vectors.values())))
        matrix = numpy.full((len(self._index.patterns), width), numpy.nan, dtype=numpy.float32)
        for place, pattern in enumerate(self._index.patterns):
            if (vector := self._vectors.get(pattern.id)) is not None:
                matrix[place] = vector
        return matrix

    async def _cosines(self, vector: Sequence[float], words: Sequence[str]) -> "tuple[Numbers, Any]":
        """Return how near each pattern is, and which were looked at; None for all."""
        numpy = import_numpy()
        patterns = self._index.patterns
        if not self._by_index:
            if self._matrix is None or self._matrix.shape[1] != len(vector):
                return numpy.full(len(patterns), numpy.nan, dtype=numpy.float32), None
            return self._matrix @ unit_vectors([vector])[0], None
        near = await self._database.nearest(vector, _CANDIDATES)
        others = [patterns[place].id for place in self._index.by_keywords(words, _CANDIDATES)]
        missing = [name for name in others if name not in near]
        rows = (
            await self._database.raw("vectors_of", as_json(missing), self._embedder.name) if missing else []
        )
        asked = unit_vectors([vector])[0]
        exact = {name: float(found @ asked) for name, found in self._unpacked(rows).items()}
        known = {**near, **exact}
        cosines = numpy.array(
            [
                known.get(pattern.id, numpy.nan) if pattern.embedder == self._embedder.name else numpy.nan
                for pattern in patterns
            ],
            dtype=numpy.float32,
        )
        candidates = {*known, *others}
        return cosines, numpy.array([pattern.id in candidates for pattern in patterns])
