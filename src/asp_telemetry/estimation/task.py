"""A finished task as PROBE-AI learns from it: what it was estimated to take, and what it took."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from asp_telemetry.estimation.point import Point


@dataclass(frozen=True, slots=True)
class FinishedTask:
    """Be what one completed task teaches; figures are in ms, tokens and USD, and None where nobody knows.

    Attributes:
        task_id: The task.
        completed_at: When it ended.
        estimated_complexity: How complex it was thought to be: the size proxy.
        estimated_latency_ms: How long it was planned to take; so are the other estimated figures.
        actual_latency_ms: How long its agents took; so are the other actual figures.
    """

    task_id: str
    project_id: str | None
    task_type: str | None
    completed_at: datetime | None
    estimated_complexity: int
    estimated_latency_ms: float | None
    estimated_tokens: float | None
    estimated_api_cost_usd: Decimal | None
    actual_latency_ms: float | None
    actual_tokens: float | None
    actual_api_cost_usd: Decimal | None

    def by_complexity(self, figure: str) -> Point | None:
        """Return what it took at its estimated complexity; None where that is unknown or not above 0.

        Args:
            figure: One of `FIGURES`: "latency_ms", "tokens" or "api_cost_usd".

        Returns:
            The complexity, without unit, and the actual value in ms, tokens or USD.
        """
        actual = getattr(self, f"actual_{figure}")
        if actual is None or self.estimated_complexity <= 0:
            return None
        return Point(self.task_id, float(self.estimated_complexity), float(actual))

    def by_plan(self, figure: str) -> Point | None:
        """Return what it took at what it was planned to take; None where either is unknown or nothing was planned.

        Args:
            figure: One of `FIGURES`: "latency_ms", "tokens" or "api_cost_usd".

        Returns:
            The planned and the actual value, both in ms, tokens or USD.
        """
        actual, planned = getattr(self, f"actual_{figure}"), getattr(self, f"estimated_{figure}")
        if actual is None or planned is None or planned <= 0:
            return None
        return Point(self.task_id, float(planned), float(actual))
