"""The door to learning: learn, match, and say how a match went."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self
from uuid import uuid4

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from asp_telemetry.capture.redaction import redact
from asp_telemetry.clock import now_text
from asp_telemetry.database_url import absolute_database
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.learning.criteria import SuccessCriteria
from asp_telemetry.learning.database import LearningDatabase, open_learning
from asp_telemetry.learning.embedding import Embedder, HashedNgrams, import_numpy
from asp_telemetry.learning.learning import SETTLE_SECONDS, Learner, Report
from asp_telemetry.learning.match import Match
from asp_telemetry.learning.matcher import Matcher
from asp_telemetry.learning.report import LearnReport
from asp_telemetry.learning.scoring import OFFERED
from asp_telemetry.learning.uses import change_of, variance

REFRESH_SECONDS = 5.0
_LONGEST_REQUEST = 4_000

Outcome = Literal["success", "failure", "partial_success"]


class Patterns:
    """Learn from the traces of a database, and find in it what worked for a request; `async with` opens it.

    Args:
        url: The database, `sqlite:///...` or `postgresql://...`.
        embedder: What turns requests into vectors; hashed n-grams when left out, which need neither model nor network.
        read_only: Whether nothing shall be written: then it only matches.
        refresh_seconds: How long patterns that were read are taken for current without asking.

    Raises:
        ConfigurationError: If numpy is not installed, or a value makes no sense.

    Example:
        >>> async def route(request):
        ...     async with Patterns("sqlite:///data/asp_telemetry.db", read_only=True) as patterns:
        ...         best = await patterns.best(request)
        ...         return None if best is None else best.replay_plan()
    """

    def __init__(
        self,
        url: str,
        *,
        embedder: Embedder | None = None,
        read_only: bool = False,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        import_numpy()
        self._url = absolute_database(url)
        self._embedder = HashedNgrams() if embedder is None else embedder
        if not self._embedder.unlike < self._embedder.alike:
            raise ConfigurationError(
                f"the embedder {self._embedder.name} has unlike={self._embedder.unlike} and alike={self._embedder.alike}, "
                "but two texts that are alike must have the greater cosine"
            )
        self._read_only = read_only
        self._refresh_seconds = refresh_seconds
        self._stack = AsyncExitStack()
        self._lock = anyio.Lock()
        self._database: LearningDatabase | None = None
        self._matcher: Matcher | None = None

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            StoreUnavailableError: If the database does not exist or cannot be reached.
            MigrationError: If its schema is not the current one.
        """
        database = await self._stack.enter_async_context(open_learning(self._url, read_only=self._read_only))
        self._database = database
        self._matcher = Matcher(database, self._embedder, self._refresh_seconds)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._database = self._matcher = None
        await self._stack.aclose()

    @classmethod
    def sync(
        cls,
        url: str,
        *,
        embedder: Embedder | None = None,
        read_only: bool = False,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> "AbstractContextManager[SyncPatterns]":
        """Open the same for code without an event loop; arguments as for the class.

        Example:
            >>> def route(request):
            ...     with Patterns.sync("sqlite:///data/asp_telemetry.db", read_only=True) as patterns:
            ...         return patterns.match(request)
        """
        return _opened(cls(url, embedder=embedder, read_only=read_only, refresh_seconds=refresh_seconds))

    async def learn(
        self,
        *,
        criteria: SuccessCriteria | None = None,
        everything: bool = False,
        settle_seconds: float = SETTLE_SECONDS,
        report: Report | None = None,
    ) -> LearnReport:
        """Learn from the finished traces that nobody has learned from, and count failures; beside running writers.

        Each page is a transaction of its own: what was interrupted goes on at the next call, nothing is learned twice.

        Args:
            criteria: What a success is.
            everything: Whether to look for such traces from the very beginning, instead of from a week before the newest
                trace that somebody has learned from.
            settle_seconds: How long ago a trace has to have ended, so that all of it has been committed.
            report: Called after each page with what was found so far.

        Returns:
            What was learned, and what could not be.

        Raises:
            StoreUnavailableError: If the database cannot be reached, or others hold its locks.
        """
        async with self._lock:
            learner = Learner(
                self._writable(), self._embedder, criteria or SuccessCriteria(), report, settle_seconds
            )
            found = await learner.run(everything=everything)
            self._opened_matcher().stale()
            return found

    async def match(
        self,
        request: str,
        *,
        context: Mapping[str, Any] | None = None,
        limit: int = 5,
        at_least: float = OFFERED,
    ) -> list[Match]:
        """Find the patterns that fit a request, the best first.

        Args:
            request: What is asked; it is not stored, and only compared without its values and secrets.
            context: What is known of where: `task_type`, `project_id`, `environment`, `source`.
            limit: How many at most.
            at_least: The score that they must have, 0 to 1; those from .70 are good enough to be offered.

        Returns:
            Patterns with their scores; empty where none fits.

        Raises:
            StoreUnavailableError: If the database cannot be reached.
        """
        matcher = self._opened_matcher()
        asked = await matcher.prepare(request)
        async with self._lock:
            found = await matcher.match(asked, context or {}, limit)
        return [match for match in found if match.score >= at_least]

    async def best(self, request: str, *, context: Mapping[str, Any] | None = None) -> Match | None:
        """Return the pattern that fits best, if it is good enough to be offered; arguments as for `match`."""
        found = await self.match(request, context=context, limit=1)
        return found[0] if found else None

    async def record_use(
        self,
        match: Match,
        correlation_id: str,
        *,
        used: bool = True,
        outcome: Outcome | None = None,
        actual_duration_ms: float | None = None,
    ) -> str:
        """Log that a pattern was offered. A routing decision that names the pattern does the same, at the next `learn()`.

        Args:
            match: What was offered.
            correlation_id: The execution that it was offered to.
            used: Whether it was followed.
            outcome: How that went, if it is known already; else `record_outcome()` or the trace tells.
            actual_duration_ms: How long it took.

        Returns:
            The id of the use.
        """
        expected = match.pattern.avg_duration_ms
        row = {
            "id": str(uuid4()),
            "pattern_id": match.pattern.id,
            "correlation_id": correlation_id,
            "user_request": redact(match.request)[:_LONGEST_REQUEST],
            "match_score": match.score,
            "used": used,
            "outcome": outcome,
            "success": None if outcome is None else outcome == "success",
            "deviations": None,
            "expected_duration_ms": expected,
            "actual_duration_ms": actual_duration_ms,
            "performance_variance": variance(expected, actual_duration_ms),
            "user_feedback": None,
        }
        database = self._writable()
        async with self._lock, database.writing():
            row["used_at"] = now = now_text()
            await database.write("insert_usages", [row])
            await database.count_uses([change_of(row, now)])
        return str(row["id"])

    async def record_outcome(
        self,
        use: str,
        outcome: Outcome,
        *,
        actual_duration_ms: float | None = None,
        user_feedback: str | None = None,
    ) -> None:
        """Say how the use of a pattern went, or correct what was said; its success rate follows.

        Args:
            use: What `record_use` returned.
            outcome: How it went.
            actual_duration_ms: How long it took.
            user_feedback: What the user said; stored without secrets.

        Raises:
            ConfigurationError: If there is no such use.
        """
        database = self._writable()
        async with self._lock, database.writing():
            rows = await database.rows("usage", use)
            if not rows:
                raise ConfigurationError(
                    f"there is no use {use!r} of a pattern; pass what record_use() returned"
                )
            before, now = rows[0], now_text()
            row = {
                **before,
                "outcome": outcome,
                "success": outcome == "success",
                "deviations": None,
                "actual_duration_ms": actual_duration_ms,
                "performance_variance": variance(before["expected_duration_ms"], actual_duration_ms),
                "user_feedback": None if user_feedback is None else redact(user_feedback)[:_LONGEST_REQUEST],
            }
            await database.write("update_usages", [row])
            await database.count_uses([change_of(row, now, before["outcome"])])

    def _opened_database(self) -> LearningDatabase:
        if self._database is None:
            raise ConfigurationError(
                "these patterns are not open; write `async with Patterns(url) as patterns:`"
            )
        return self._database

    def _writable(self) -> LearningDatabase:
        if self._read_only:
            raise ConfigurationError(
                "these patterns are open to read only; leave read_only=True out to learn"
            )
        return self._opened_database()

    def _opened_matcher(self) -> Matcher:
        self._opened_database()
        assert self._matcher is not None
        return self._matcher


class SyncPatterns:
    """Be opened patterns for code without an event loop; methods as those of `Patterns`."""

    def __init__(self, patterns: Patterns, portal: BlockingPortal) -> None:
        self._patterns = patterns
        self._portal = portal

    def learn(self, **options: Any) -> LearnReport:
        """Learn from the traces that nobody has learned from; see `Patterns.learn`."""
        return self._portal.call(partial(self._patterns.learn, **options))

    def match(self, request: str, **options: Any) -> list[Match]:
        """Find the patterns that fit a request, the best first; see `Patterns.match`."""
        return self._portal.call(partial(self._patterns.match, request, **options))

    def best(self, request: str, **options: Any) -> Match | None:
        """Return the pattern that fits best; see `Patterns.best`."""
        return self._portal.call(partial(self._patterns.best, request, **options))

    def record_use(self, match: Match, correlation_id: str, **options: Any) -> str:
        """Log that a pattern was offered; see `Patterns.record_use`."""
        return self._portal.call(partial(self._patterns.record_use, match, correlation_id, **options))

    def record_outcome(self, use: str, outcome: Outcome, **options: Any) -> None:
        """Say how the use of a pattern went; see `Patterns.record_outcome`."""
        self._portal.call(partial(self._patterns.record_outcome, use, outcome, **options))


@contextmanager
def _opened(patterns: Patterns) -> Iterator[SyncPatterns]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(patterns):
        yield SyncPatterns(patterns, portal)
