"""Questions about estimates: how far they were from what tasks took, by figure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Unpack

from asp_telemetry.analytics.asking import Questions, question
from asp_telemetry.analytics.filters import ProjectFilter
from asp_telemetry.analytics.rows import Rows
from asp_telemetry.analytics.tasks import Task, TaskQuestions

_ALL: Final = 2**31 - 1
_NEAR: Final = 0.2
_FIGURES: Final[tuple[tuple[str, str, Callable[[Task], tuple[object, object]]], ...]] = (
    ("complexity", "units", lambda task: (task.estimated_complexity, task.actual_complexity)),
    ("latency", "ms", lambda task: (task.estimated_latency_ms, task.actual_latency_ms)),
    ("tokens", "tokens", lambda task: (task.estimated_tokens, task.actual_tokens)),
    ("cost", "USD", lambda task: (task.estimated_cost_usd, task.actual_cost_usd)),
)


@dataclass(frozen=True)
class EstimateAccuracy:
    """Be how good the estimates of one figure were.

    Attributes:
        figure: complexity, latency, tokens or cost.
        unit: What it is measured in.
        tasks: Completed tasks with both an estimate and an actual figure above 0.
        mape_share: The mean of |estimate - actual| / actual, 0.2 is 20 %; None without tasks. This is what PROBE_AI's
            graduation goes by.
        bias_share: The sum of the estimates against the sum of the actual figures: 0.1 is a tenth too high in all.
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
    async def estimate_accuracy(self, **filters: Unpack[ProjectFilter]) -> Rows[EstimateAccuracy]:
        """Return how far estimates were from what completed tasks took, by figure; a time is that of their creation."""
        ask = TaskQuestions.__dict__["tasks"].__get__(None, TaskQuestions)
        tasks = await ask(self, **{**filters, "status": "completed", "limit": _ALL})
        return Rows(
            _accuracy(figure, unit, [pair(task) for task in tasks]) for figure, unit, pair in _FIGURES
        )


def _accuracy(figure: str, unit: str, pairs: list[tuple[object, object]]) -> EstimateAccuracy:
    known = [
        (float(str(thought)), float(str(took)))
        for thought, took in pairs
        if thought is not None and took is not None
    ]
    known = [(thought, took) for thought, took in known if thought > 0 and took > 0]
    if not known:
        return EstimateAccuracy(figure, unit, 0, None, None, None)
    errors = [abs(thought - took) / took for thought, took in known]
    return EstimateAccuracy(
        figure,
        unit,
        len(known),
        sum(errors) / len(errors),
        sum(thought for thought, _ in known) / sum(took for _, took in known) - 1,
        sum(error <= _NEAR for error in errors) / len(errors),
    )
