"""Answers questions about what was recorded: named SQL in, typed rows out, on both databases alike."""

from asp_telemetry.analytics.analytics import Analytics
from asp_telemetry.analytics.execution import Figures, TracedExecution
from asp_telemetry.analytics.following import Follower, SeenExecution
from asp_telemetry.analytics.rows import Rows
from asp_telemetry.analytics.sync import SyncAnalytics
from asp_telemetry.analytics.timeline import Moment
from asp_telemetry.analytics.trace import Trace

__all__ = [
    "Analytics",
    "Figures",
    "Follower",
    "Moment",
    "Rows",
    "SeenExecution",
    "SyncAnalytics",
    "Trace",
    "TracedExecution",
]
