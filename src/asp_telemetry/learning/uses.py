"""Finds in a trace how the use of a pattern went, and where it left the pattern."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from asp_telemetry.learning.criteria import Verdict
from asp_telemetry.learning.extraction import delegated_of, endpoints_of, hooks_of
from asp_telemetry.learning.pattern import Pattern
from asp_telemetry.learning.templates import template_of
from asp_telemetry.learning.tree import Row, Tree


def outcome_of(tree: Tree, verdict: Verdict) -> str:
    """Say how a trace went: `success`, `failure`, or `partial_success` if it ended well though something inside did not.

    Args:
        tree: The trace.
        verdict: What it was judged to be.
    """
    if verdict.success:
        return "success"
    return "partial_success" if tree.top is not None and tree.top["status"] == "success" else "failure"


def used_row(decision: Row, pattern: Pattern, tree: Tree, verdict: Verdict) -> dict[str, Any]:
    """Return the row of pattern_usage_log for a decision that names a pattern.

    Args:
        decision: The decision.
        pattern: What it names.
        tree: The trace that it was made in.
        verdict: How that went.
    """
    return {
        "id": str(uuid4()),
        "pattern_id": pattern.id,
        "correlation_id": decision["correlation_id"],
        "user_request": template_of(decision["user_request"] or ""),
        "match_score": decision["confidence_total"],
        # A router that was offered a pattern and chose somebody else has not used it.
        "used": decision["selected_agent"] == pattern.agent,
        "expected_duration_ms": pattern.avg_duration_ms,
        "user_feedback": None,
        "used_at": tree.top["completed_at"] if tree.top is not None else None,
        **told(pattern, tree, verdict),
    }


def told(pattern: Pattern, tree: Tree, verdict: Verdict) -> dict[str, Any]:
    """Return what a trace tells of the use of a pattern in it."""
    outcome = outcome_of(tree, verdict)
    return {
        "outcome": outcome,
        "success": outcome == "success",
        "deviations": deviations(pattern, tree) or None,
        "actual_duration_ms": tree.duration_ms,
        "performance_variance": variance(pattern.avg_duration_ms, tree.duration_ms),
    }


def variance(expected: float | None, actual: float | None) -> float | None:
    """Return by how much longer something took than expected, as a share of that.

    Example:
        >>> variance(200.0, 250.0), variance(None, 1.0), variance(0.0, 1.0)
        (0.25, None, None)
    """
    if not expected or actual is None:
        return None
    found = (actual - expected) / expected
    return found if abs(found) < 1e9 else None


def deviations(pattern: Pattern, tree: Tree) -> dict[str, Any]:
    """Return where a trace left a pattern: each part with what was expected and what happened."""
    parts: Mapping[str, tuple[Any, Any]] = {
        "agent": (pattern.agent, tree.main_agent),
        "hooks": (list(pattern.hooks), list(hooks_of(tree))),
        "endpoints": (list(pattern.endpoints), list(endpoints_of(tree))),
        "delegated": (list(pattern.delegated), list(delegated_of(tree))),
    }
    return {
        name: {"expected": expected, "actual": actual}
        for name, (expected, actual) in parts.items()
        if expected != actual
    }


def change_of(row: Mapping[str, Any], now: str, before: str | None = None) -> dict[str, Any]:
    """Return the difference that an outcome makes to the counters of its pattern.

    Args:
        row: The use, with its outcome.
        now: The present moment, UTC.
        before: The outcome that was known before, if there was one.
    """
    used, outcome = bool(row["used"]), row["outcome"]
    return {
        "pattern_id": row["pattern_id"],
        "known": used * ((outcome is not None) - (before is not None)),
        "won": used * ((outcome == "success") - (before == "success")),
        "lost": used * ((outcome == "failure") - (before == "failure")),
        "used": used,
        "used_at": row["used_at"],
        "now": now,
    }
