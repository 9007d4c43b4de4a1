"""Keeps what the invented router learns from each kind of request, and how offering that went."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from statistics import fmean
from typing import Any, Final

from asp_telemetry.clock import utc_text
from asp_telemetry.learning.database import START, open_learning
from asp_telemetry.learning.intents import intent_of
from asp_telemetry.learning.templates import template_of
from asp_telemetry.learning.uses import change_of, variance
from asp_telemetry.learning.words import keywords_of
from asp_telemetry.sample.team import DAYS, TAG, Project
from asp_telemetry.sample.trace import MS, TraceBuilder, random_id

_WEEKS_OF_LEARNING: Final = 4
_ENOUGH: Final = 3
_SCORE: Final = 0.9


@dataclass
class LearnedPattern:
    """Be what is known of one kind of request.

    Attributes:
        id: The pattern's id.
        request: What is asked.
        agent: Who has done it.
        source: The root execution that it was first learned from.
        learned_at: When that ended, UTC text.
        facts: What the runs had in common.
        durations_ms: How long the runs took that it was learned from.
    """

    id: str
    request: str
    agent: str
    source: str
    learned_at: str
    facts: Mapping[str, str]
    durations_ms: list[float] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        """Return what is inserted."""
        template = template_of(self.request)
        return {
            "id": self.id, "source_correlation_id": self.source, "prompt_text": template, "intent": intent_of(template),
            "keywords": list(keywords_of(template)), "agent": self.agent, "routing_strategy": "fuzzy_match",
            "hook_sequence": [
                {"type": kind, "tool": tool, "gates": ["SV-001"] if kind == "PreToolUse" else []}
                for tool in ("write_file", "run_tests")
                for kind in ("PreToolUse", "PostToolUse")
            ],
            "endpoint_pattern": [{"service": "intelligence", "method": "POST", "path": "/api/rag/query"}],
            "avg_duration_ms": round(fmean(self.durations_ms), 3), "min_duration_ms": min(self.durations_ms),
            "max_duration_ms": max(self.durations_ms), "avg_hook_count": 4, "avg_endpoint_count": 1,
            "avg_rag_query_count": 0, "success_score": _SCORE,
            "context": {"facts": self.facts, "observations": len(self.durations_ms)}, "tags": [TAG],
            "now": self.learned_at,
        }  # fmt: skip


class PatternBook:
    """Be what the invented router knows while the story goes on, from its first day."""

    def __init__(self) -> None:
        self._known: dict[str, LearnedPattern] = {}
        self._uses: list[dict[str, Any]] = []

    def offered(self, request: str) -> LearnedPattern | None:
        """Return what is known of a request, once it is enough.

        Args:
            request: What is asked.
        """
        known = self._known.get(request)
        return known if known is not None and len(known.durations_ms) >= _ENOUGH else None

    def saw(
        self, chance: Random, trace: TraceBuilder, project: Project, request: str, end: int, days_ago: int
    ) -> None:
        """Learn from a task that went well; after four weeks enough is known.

        Args:
            chance: What decides.
            trace: The task's trace.
            project: Its project.
            request: What was asked.
            end: When it ended, in ns since the epoch.
            days_ago: Which day of the story it is.
        """
        if trace.flawed or days_ago < DAYS - 7 * _WEEKS_OF_LEARNING:
            return
        facts = {"project_id": project.name, "environment": TAG, "source": "user_prompt"}
        known = self._known.setdefault(
            request,
            LearnedPattern(random_id(chance, end), request, project.agent, trace.root, utc_text(end), facts),
        )
        known.durations_ms.append((end - trace.started) / MS)

    def went(
        self,
        chance: Random,
        trace: TraceBuilder,
        pattern: LearnedPattern,
        end: int,
        *,
        match: float,
        used: bool,
        failed: bool,
    ) -> None:
        """Note how a task went that the pattern was offered for.

        Args:
            chance: What decides.
            trace: The task's trace.
            pattern: What was offered.
            end: When the task ended, in ns since the epoch.
            match: How well the request matched, 0 to 1.
            used: Whether the agent of the pattern was chosen.
            failed: Whether the task failed.
        """
        took = (end - trace.started) / MS
        expected = round(fmean(pattern.durations_ms), 3)
        outcome = "failure" if failed else "partial_success" if trace.flawed else "success"
        self._uses.append(
            {
                "id": random_id(chance, end), "pattern_id": pattern.id, "correlation_id": trace.root,
                "user_request": template_of(pattern.request), "match_score": match, "used": used, "outcome": outcome,
                "success": outcome == "success", "deviations": None, "expected_duration_ms": expected,
                "actual_duration_ms": took, "performance_variance": variance(expected, took), "user_feedback": None,
                "used_at": utc_text(end),
            }
        )  # fmt: skip

    async def write(self, url: str) -> None:
        """Write all of it at once, unless it is there.

        Args:
            url: The database.

        Raises:
            StoreUnavailableError: If the database cannot be written now.
        """
        async with open_learning(url, read_only=False) as database, database.writing():
            there = {pattern.id for pattern in await database.patterns(START[0])}
            patterns = [known for known in self._known.values() if len(known.durations_ms) >= _ENOUGH]
            if there & {known.id for known in patterns}:
                return
            await database.write("insert_patterns", [known.row() for known in patterns])
            await database.write("insert_usages", self._uses)
            await database.count_uses([change_of(use, use["used_at"]) for use in self._uses])
