"""Judges whether a request was a success, and how clear a one."""

from collections.abc import Mapping
from dataclasses import dataclass

from asp_telemetry.errors import ConfigurationError
from asp_telemetry.learning.tree import FAILED, Tree

WEIGHTS: Mapping[str, float] = {
    "completed": 0.25,
    "no errors": 0.25,
    "hooks succeeded": 0.15,
    "quality gates passed": 0.15,
    "fast enough": 0.10,
    "intelligence gathered": 0.05,
    "confirmed by the user": 0.05,
}
_NEEDED = ("completed", "no errors", "hooks succeeded", "quality gates passed")


@dataclass(frozen=True)
class SuccessCriteria:
    """Say what a success is.

    Attributes:
        max_duration_ms: What takes longer is a success still, but not one that was fast enough.
        min_score: What scores less is not learned from, 0 to 1.
    """

    max_duration_ms: float = 300_000.0
    min_score: float = 0.80

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if not self.max_duration_ms > 0:
            raise ConfigurationError(
                f"max_duration_ms={self.max_duration_ms} makes no limit; write a number of ms above 0"
            )
        if not 0 <= self.min_score <= 1:
            raise ConfigurationError(f"min_score={self.min_score} is no score; write a number from 0 to 1")


@dataclass(frozen=True)
class Verdict:
    """Say whether it was a success, the score from 0 to 1, and which criteria were met."""

    success: bool
    score: float
    met: Mapping[str, bool]

    @property
    def missing(self) -> tuple[str, ...]:
        """The criteria that a success needs and that were not met."""
        return tuple(name for name in _NEEDED if not self.met[name])


def judge(tree: Tree, criteria: SuccessCriteria) -> Verdict:
    """Judge a finished trace.

    What somebody said of it beats what it looks like: an answer that was called wrong is no success.

    Args:
        tree: The trace; one that is not whole is never a success.
        criteria: What a success is.

    Returns:
        The verdict.

    Example:
        >>> row = {"correlation_id": "1", "parent_id": None, "kind": "agent", "status": "success", "duration_ms": 5,
        ...        "completed_at": "2026-01-15 09:00:00.000000"}
        >>> verdict = judge(Tree([row]), SuccessCriteria())
        >>> verdict.success, verdict.score
        (True, 0.9)
    """
    top = tree.top
    duration = tree.duration_ms
    met = {
        "completed": top is not None
        and top["status"] == "success"
        and tree.is_whole()
        and all(row["completed_at"] is not None for row in tree.executions)
        and all(row["status"] != "failed" for row in tree.tasks.values()),
        "no errors": all(row["status"] not in FAILED for row in tree.executions)
        and all(row["success"] for row in tree.calls)
        and all(
            row["success"] is not False and row["event_type"] != "transformation_failed"
            for row in tree.transformations
        )
        and all(
            row["actual_success"] is not False and row["feedback_type"] != "negative" for row in tree.verdicts
        ),
        "hooks succeeded": all(row["success"] is True and row["status"] == "success" for row in tree.hooks),
        "quality gates passed": all(
            not (row["context"] or {}).get("quality_gates_failed") for row in tree.hooks
        ),
        "fast enough": duration is not None and duration <= criteria.max_duration_ms,
        "intelligence gathered": any(
            row["intelligence_functions_executed"] or row["rag_queries_executed"] for row in tree.hooks
        ),
        "confirmed by the user": any(row["feedback_type"] == "positive" for row in tree.verdicts),
    }
    score = round(sum(WEIGHTS[name] for name, is_met in met.items() if is_met), 4)
    success = all(met[name] for name in _NEEDED) and score >= criteria.min_score
    return Verdict(success, score, met)
