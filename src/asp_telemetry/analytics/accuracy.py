"""Questions about estimates: how far they were from what tasks took, by figure."""

from dataclasses import dataclass
from math import fsum
from typing import Any, Final, Unpack

from asp_telemetry.analytics.asking import Questions, question
from asp_telemetry.analytics.filters import TaskWorkFilter
from asp_telemetry.analytics.rows import Rows
from asp_telemetry.analytics.tasks import Task, TaskQuestions, figure_of

_ALL: Final = 2**31 - 1
_NEAR: Final = 0.2
_FIGURES: Final = (
    ("complexity", "units", None),
    ("latency", "ms", "latency_ms"),
    ("tokens", "tokens", "tokens"),
    ("cost", "USD", "api_cost_usd"),
)
"""What is estimated, its unit, and what it is called in a cost vector."""


@dataclass(frozen=True)
class EstimateAccuracy:
    """Be how good the estimates of one figure were.

    Attributes:
        figure: complexity, latency, tokens or cost.
        unit: What it is measured in.
        tasks: Completed tasks with both an estimate and an actual figure above 0.
        mape_share: The mean of |estimate - actual| / actual, 0.2 is 20 %; None without tasks. This is what PROBE_AI's
            graduation goes by.
        bias_share: The sum of the actual figures against the sum of the estimates, like `latency_error` of a task: 0.1 is
            a tenth more in all than was estimated.
        near_share: The part of the tasks whose estimate was within 20 % of the actual figure, from 0 to 1.
    """

    figure: str
    unit: str
    tasks: int
    mape_share: float | None
    bias_share: float | None
    near_share: float | None


class AccuracyQuestions(Questions):
    """Ask how good estimates were."""

    @question
    async def estimate_accuracy(self, **filters: Unpack[TaskWorkFilter]) -> Rows[EstimateAccuracy]:
        """Return how far estimates were from what completed tasks took, by figure; a time is that of their creation."""
        ask = TaskQuestions.__dict__["tasks"].__get__(None, TaskQuestions)
        tasks = await ask(self, **{**filters, "status": "completed", "limit": _ALL})
        return Rows(
            _accuracy(figure, unit, [_pair(task, name) for task in tasks]) for figure, unit, name in _FIGURES
        )


def _pair(task: Task, name: str | None) -> tuple[Any, Any]:
    if name is None:
        return task.estimated_complexity, task.actual_complexity
    return figure_of(task.estimated, name), figure_of(task.actual, name)


def _accuracy(figure: str, unit: str, pairs: list[tuple[Any, Any]]) -> EstimateAccuracy:
    known = [(thought, took) for thought, took in pairs if thought is not None and took is not None]
    known = [(thought, took) for thought, took in known if thought > 0 and took > 0]
    if not known:
        return EstimateAccuracy(figure, unit, 0, None, None, None)
    errors = [abs(thought - took) / took for thought, took in known]
    # fsum: the same in whatever order the database returns the tasks.
    return EstimateAccuracy(
        figure,
        unit,
        len(known),
        fsum(errors) / len(errors),
        fsum(took for _, took in known) / fsum(thought for thought, _ in known) - 1,
        sum(error <= _NEAR for error in errors) / len(errors),
    )
