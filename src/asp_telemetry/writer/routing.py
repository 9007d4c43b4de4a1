"""Turns routing decisions, and what is later found out about them, into columns; the values the database checks."""

from typing import Any

import orjson

from asp_telemetry.clock import utc_text

VALIDATION = "validation"
"""The type of a metric whose decision is not there: the validation came first, or the decision was never recorded."""

ROUTER_COLUMNS = (
    "id", "metric_type", "correlation_id", "user_request_hash", "context_hash", "selected_agent", "selection_strategy",
    "confidence_score", "alternative_agents", "alternatives_count", "cache_lookup_us", "trigger_matching_us",
    "confidence_scoring_us", "total_routing_time_us", "trigger_confidence", "context_confidence",
    "capability_confidence", "historical_confidence", "cache_hit", "cache_key", "cache_age_seconds",
    "selection_validated", "actual_success", "actual_quality_score", "feedback_provided", "feedback_type",
    "feedback_details", "measured_at", "validated_at",
)  # fmt: skip

_DECISION_PLAIN = (
    "id", "user_request", "selected_agent", "selection_reason", "confidence_total", "confidence_trigger",
    "confidence_context", "confidence_capability", "confidence_historical", "routing_strategy", "pattern_id",
    "cache_hit",
)  # fmt: skip
# What the metric of a decision is called there, and what the decision's fact is called.
_METRIC_FACTS = {
    "user_request_hash": "user_request_hash", "context_hash": "context_hash", "selected_agent": "selected_agent",
    "selection_strategy": "routing_strategy", "confidence_score": "confidence_total",
    "alternatives_count": "alternatives_count", "cache_lookup_us": "cache_lookup_us",
    "trigger_matching_us": "trigger_matching_us", "confidence_scoring_us": "confidence_scoring_us",
    "trigger_confidence": "confidence_trigger", "context_confidence": "confidence_context",
    "capability_confidence": "confidence_capability", "historical_confidence": "confidence_historical",
    "cache_hit": "cache_hit", "cache_key": "cache_key", "cache_age_seconds": "cache_age_seconds",
}  # fmt: skip
# What a look into the cache tells by itself: the rest is the decision's, and must not count twice.
_LOOK_FACTS = (
    "user_request_hash", "context_hash", "cache_lookup_us", "cache_hit", "cache_key", "cache_age_seconds",
)  # fmt: skip
_VALIDATION_PLAIN = ("actual_success", "actual_quality_score", "feedback_provided", "feedback_type")
_MAX_US = (1 << 31) - 1

Columns = dict[str, Any]


def routing_rows(facts: Columns, execution: str | None) -> tuple[Columns, list[Columns]]:
    """Return the columns of a decision, and those of its metrics: its own, and that of a look into the cache.

    Args:
        facts: What was recorded, `id` among it; the decision and its metric share it.
        execution: The execution in which it was decided, if any; else the decision stands for itself.
    """
    owner, duration = execution or facts["id"], facts["duration_ns"]
    decision = {name: _plain(facts.get(name)) for name in _DECISION_PLAIN}
    decision["cache_hit"] = decision["cache_hit"] or 0
    moment = utc_text(facts["started_ns"] + duration)
    decision["correlation_id"], decision["created_at"] = owner, moment
    decision["alternatives"] = _json(facts.get("alternatives"))
    decision["request_embedding"] = _json(_numbers(facts.get("request_embedding")))
    decision["routing_duration_ms"] = f"{duration // 1_000_000}.{duration % 1_000_000:06d}"
    metric = {column: _plain(facts.get(name)) for column, name in _METRIC_FACTS.items()}
    metric |= {
        "id": facts["id"], "metric_type": "routing_decision", "correlation_id": owner, "measured_at": moment,
        "alternative_agents": decision["alternatives"], "total_routing_time_us": min(duration // 1_000, _MAX_US),
    }  # fmt: skip
    metrics = [_whole(metric)]
    if "look_id" in facts:
        look = {name: _plain(facts.get(name)) for name in _LOOK_FACTS}
        look |= {"id": facts["look_id"], "correlation_id": owner, "measured_at": moment}
        look["metric_type"] = "cache_hit" if facts.get("cache_hit") else "cache_miss"
        metrics.append(_whole(look))
    return decision, metrics


def validation_row(facts: Columns, moment: str) -> Columns:
    """Return the columns of what was found out about a decision.

    Args:
        facts: What was recorded; `id` is the decision's.
        moment: When it was recorded, UTC text.
    """
    row = {name: _plain(facts.get(name)) for name in _VALIDATION_PLAIN}
    row |= {
        "id": facts["id"], "metric_type": VALIDATION, "measured_at": moment, "validated_at": moment,
        "selection_validated": 1, "feedback_details": _json(facts.get("feedback_details")),
    }  # fmt: skip
    return _whole(row)


def _whole(row: Columns) -> Columns:
    return {
        **dict.fromkeys(ROUTER_COLUMNS),
        **row,
        "alternatives_count": row.get("alternatives_count") or 0,
        "feedback_provided": row.get("feedback_provided") or 0,
    }


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


def _numbers(value: Any) -> Any:
    """Leave out an embedding that was too much for its record, and is a description of itself by now."""
    if not isinstance(value, list) or not all(isinstance(number, (int, float)) for number in value):
        return None
    return value


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
