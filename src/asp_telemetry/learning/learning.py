"""Learns from what was recorded since the last time, a page at a time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import anyio
from anyio import to_thread

from asp_telemetry.clock import now_text
from asp_telemetry.learning.chaining import Chain, chains_of
from asp_telemetry.learning.criteria import SuccessCriteria, Verdict, judge
from asp_telemetry.learning.database import START, LearningDatabase, Place, as_json
from asp_telemetry.learning.embedding import Embedder
from asp_telemetry.learning.extraction import observe
from asp_telemetry.learning.failures import counted, failure_of
from asp_telemetry.learning.memory import PatternMemory
from asp_telemetry.learning.pattern import Observation
from asp_telemetry.learning.report import LearnReport
from asp_telemetry.learning.tree import Tree
from asp_telemetry.learning.uses import change_of, told, used_row
from asp_telemetry.learning.words import keywords_of

PAGE = 100
# What belongs together is committed within seconds: children before their parents, or soon after.
SETTLE_SECONDS = 10.0
_PAUSE_SECONDS = 0.01
_SAMPLES = 100
_SOURCES = ("executions", "hooks", "calls")

Report = Callable[[LearnReport], None]


@dataclass(frozen=True)
class _Lesson:
    """Be what one trace teaches."""

    root: str
    tree: Tree
    verdict: Verdict
    seen: Observation | None


class Learner:
    """Learn from one database.

    Args:
        database: Where the traces are, and the patterns go.
        embedder: What turns requests into vectors.
        criteria: What a success is.
        report: Called after each page with what was found so far.
        settle_seconds: How long ago a trace has to have ended, so that all of it is there.
    """

    def __init__(
        self,
        database: LearningDatabase,
        embedder: Embedder,
        criteria: SuccessCriteria,
        report: Report | None = None,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        self._database = database
        self._embedder = embedder
        self._criteria = criteria
        self._tell = report or (lambda _: None)
        self._settle = timedelta(seconds=settle_seconds)
        self._memory = PatternMemory(database, embedder.name)
        self.found = LearnReport()

    async def run(self, *, everything: bool = False) -> LearnReport:
        """Learn from what is new, and count the failures.

        Args:
            everything: Whether to look for traces that nobody has learned from from the very beginning, instead of from a
                week before the newest that somebody has.
        """
        until = (datetime.now(UTC) - self._settle).strftime("%Y-%m-%d %H:%M:%S.%f")
        async with self._database.reading():
            newest = [] if everything else await self._database.raw("learned_until")
        since = newest[0]["since"] if newest else START[0]
        await self._embed_again()
        await self._learn(since, until)
        for part in _SOURCES:
            await self._count(part, since, until)
        return self.found

    async def _learn(self, since: str, until: str) -> None:
        place: Place = START
        while True:
            async with self._database.reading():
                page = await self._database.raw("unlearned", since, until, *place, PAGE)
                trees = await self._database.trees([row["root_id"] for row in page])
            if not page:
                return
            place = (page[-1]["started_at"], page[-1]["correlation_id"])
            lessons = [self._lesson(row["correlation_id"], trees[row["root_id"]]) for row in page]
            # Before the lock is taken: an embedder may ask a service.
            vectors = await self._embed(
                [lesson.seen.template for lesson in lessons if lesson.seen is not None]
            )
            try:
                async with self._database.writing():
                    await self._apply(lessons, vectors)
            except BaseException:
                self._memory.forget()
                raise
            self._tell(self.found)
            await anyio.sleep(_PAUSE_SECONDS)

    def _lesson(self, root: str, tree: Tree) -> _Lesson:
        verdict = judge(tree, self._criteria)
        return _Lesson(root, tree, verdict, observe(tree, verdict) if verdict.success else None)

    async def _embed(self, texts: Sequence[str]) -> dict[str, list[float]]:
        different = list(dict.fromkeys(texts))
        if not different:
            return {}
        vectors = await to_thread.run_sync(self._embedder.embed, different)
        return {text: list(vector) for text, vector in zip(different, vectors, strict=True)}

    async def _apply(self, lessons: Sequence[_Lesson], vectors: Mapping[str, list[float]]) -> None:
        now = now_text()
        names = as_json([lesson.root for lesson in lessons])
        # Another one who learns may have been faster: only what this one has marked is its own.
        own = {row["correlation_id"] for row in await self._database.raw("mark_learned", names, now)}
        mine = [lesson for lesson in lessons if lesson.root in own]
        await self._memory.refresh()
        await self._log_uses(mine, now)
        for lesson in mine:
            self._take(lesson, vectors, now)
        await self._memory.write()
        await self._count_chains(mine, now)

    def _take(self, lesson: _Lesson, vectors: Mapping[str, list[float]], now: str) -> None:
        self.found.traces += 1
        if not lesson.verdict.success:
            self.found.failures += 1
            for name in lesson.verdict.missing or ("score",):
                self.found.missed[name] = self.found.missed.get(name, 0) + 1
            return
        self.found.successes += 1
        if lesson.seen is not None:
            is_new = self._memory.add(lesson.seen, vectors[lesson.seen.template], now)
            self.found.learned += is_new
            self.found.merged += not is_new
        elif lesson.tree.prompt is None:
            self.found.without_prompt += 1
        else:
            self.found.wordless += 1

    async def _log_uses(self, lessons: Iterable[_Lesson], now: str) -> None:
        decided = [
            (decision, lesson)
            for lesson in lessons
            for decision in lesson.tree.decisions
            if decision["pattern_id"] in self._memory.patterns
        ]
        if not decided:
            return
        names = as_json([decision["correlation_id"] for decision, _ in decided])
        known = {
            (row["pattern_id"], row["correlation_id"]): row
            for row in await self._database.rows("usages", names)
        }
        new, updated, changes = [], [], []
        for decision, lesson in decided:
            pattern = self._memory.patterns[decision["pattern_id"]]
            logged = known.get((pattern.id, decision["correlation_id"]))
            if logged is None:
                row = used_row(decision, pattern, lesson.tree, lesson.verdict)
                known[pattern.id, decision["correlation_id"]] = row
                new.append(row)
            elif logged["outcome"] is None:
                row = {**logged, **told(pattern, lesson.tree, lesson.verdict), "user_feedback": None}
                updated.append(row)
            else:
                continue
            changes.append(change_of(row, now))
        await self._database.write("insert_usages", new)
        await self._database.write("update_usages", updated)
        await self._database.count_uses(changes)
        self.found.uses += len(changes)

    async def _count_chains(self, lessons: Iterable[_Lesson], now: str) -> None:
        seen = [
            (chain, lesson)
            for lesson in lessons
            if lesson.tree.is_whole()
            for chain in chains_of(lesson.tree)
        ]
        if not seen:
            return
        agents = as_json(sorted({chain.primary_agent for chain, _ in seen}))
        rows = {
            (
                row["primary_agent"],
                tuple(row["delegated_agents"]),
                row["delegation_depth"],
                row["trigger_context"],
            ): row
            for row in await self._database.rows("chains", agents)
        }
        new, changed = {}, {}
        for chain, lesson in seen:
            row = rows.get(chain.key)
            if row is None:
                if not lesson.verdict.success:
                    continue  # nothing is learned from a failure, but what is known may turn out worse
                row = rows[chain.key] = new[chain.key] = _new_chain(chain)
            elif chain.key not in new:
                changed[chain.key] = row
            _add_to_chain(row, chain, lesson.root, now)
            self.found.chains += 1
        self.found.new_chains += len(new)
        await self._database.write("insert_chains", list(new.values()))
        await self._database.write("update_chains", list(changed.values()))

    async def _count(self, part: str, since: str, until: str) -> None:
        place: Place = START
        while True:
            async with self._database.reading():
                page = await self._database.rows(f"uncounted_{part}", since, until, *place, PAGE)
                trees = await self._database.trees(sorted({row["root_id"] for row in page if row["root_id"]}))
            if not page:
                return
            place = (page[-1]["started_at"], page[-1]["id"])
            async with self._database.writing():
                now = now_text()
                names = as_json([row["id"] for row in page])
                own = {row["id"] for row in await self._database.raw(f"mark_{part}", names, now)}
                failures = [
                    failure_of(part, row, trees.get(row["root_id"])) for row in page if row["id"] in own
                ]
                told_of = [failure for failure in failures if failure is not None]
                for row in counted(told_of, now):
                    (written,) = await self._database.raw("count_error", as_json(row))
                    self.found.new_errors += bool(written["is_new"])
                self.found.errors += len(told_of)
            self._tell(self.found)
            await anyio.sleep(_PAUSE_SECONDS)

    async def _embed_again(self) -> None:
        """Give patterns of another embedder, or of none, a vector of this one, as far as their requests are known."""
        async with self._database.reading():
            patterns = await self._database.patterns(START[0])
        waiting = [
            pattern
            for pattern in patterns
            if pattern.embedder != self._embedder.name and pattern.template and keywords_of(pattern.template)
        ]
        for first in range(0, len(waiting), PAGE):
            page = waiting[first : first + PAGE]
            vectors = await self._embed([pattern.template or "" for pattern in page])
            async with self._database.writing():
                now = now_text()
                rows = [
                    {
                        "id": pattern.id,
                        "prompt_embedding": vectors[pattern.template or ""],
                        "embedder": self._embedder.name,
                        "now": now,
                    }
                    for pattern in page
                ]
                await self._database.write("update_vectors", rows)
            self.found.embedded += len(page)
            self._tell(self.found)


def _new_chain(chain: Chain) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "primary_agent": chain.primary_agent,
        "delegated_agents": list(chain.delegated_agents),
        "delegation_depth": chain.delegation_depth,
        "trigger_context": chain.trigger_context,
        "success_rate": 1.0,
        "usage_count": 0,
        "avg_total_duration_ms": None,
        "avg_coordination_overhead_ms": None,
        "source_traces": [],
        "last_used_at": None,
    }


def _add_to_chain(row: dict[str, Any], chain: Chain, root: str, now: str) -> None:
    number = row["usage_count"] + 1
    row["success_rate"] = round(row["success_rate"] + (chain.success - row["success_rate"]) / number, 4)
    for name, value in (
        ("avg_total_duration_ms", chain.duration_ms),
        ("avg_coordination_overhead_ms", chain.overhead_ms),
    ):
        if value is not None:
            row[name] = value if row[name] is None else row[name] + (value - row[name]) / number
    row["usage_count"] = number
    # The newest hundred, so that what happens every minute does not grow without end.
    row["source_traces"] = list(dict.fromkeys([root, *row["source_traces"]]))[:_SAMPLES]
    row["last_used_at"] = max(filter(None, (row["last_used_at"], chain.at)), default=None)
    row["now"] = now
