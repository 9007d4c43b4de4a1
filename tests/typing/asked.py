"""Questions as a user writes them: both faces have the same ones, and a type checker knows rows and filters."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import assert_type

from asp_telemetry.analytics import Analytics, Rows
from asp_telemetry.analytics.costs import DaySpending
from asp_telemetry.analytics.versions import VersionChange


async def awaited(ask: Analytics) -> Decimal | None:
    assert_type(await ask.cost_by_day(days=30, project="p"), Rows[DaySpending])
    assert_type(await ask.compare_versions("Code", "1.0", "1.1", user="ana"), Rows[VersionChange])
    return (await ask.cost_in_all(since=datetime(2026, 1, 1, tzinfo=UTC))).cost_usd


def direct() -> float | None:
    with Analytics.sync() as ask:
        assert_type(ask.cost_by_day(days=30, model="gpt-4o"), Rows[DaySpending])
        return ask.latency_by_agent_role(role="Code")[0].p95_ms
