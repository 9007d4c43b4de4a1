"""Retention: what is too old moves to an archive or goes; the ledger of tasks, costs, defects and metrics stays."""

from asp_telemetry.retention.policy import RetentionPolicy, parse_age
from asp_telemetry.retention.pruning import Pruned, PruneSummary, count_due, prune

__all__ = ["PruneSummary", "Pruned", "RetentionPolicy", "count_due", "parse_age", "prune"]
