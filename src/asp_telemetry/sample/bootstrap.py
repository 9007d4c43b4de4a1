"""Tells week by week how the capabilities of the invented team have learned."""

from collections.abc import Iterator
from random import Random
from typing import Any, Final, NamedTuple

from asp_telemetry.clock import utc_text
from asp_telemetry.sample.team import DAYS, REGRESSION, REPAIR, learned
from asp_telemetry.writer.facts import bootstrap_columns

_DAY: Final = 86_400 * 1_000_000_000
_WEEKS_IN_SHADOW: Final = 3


class _Capability(NamedTuple):
    name: str
    metric: str
    target: float
    direction: str
    first: float
    last: float
    required: int


_CAPABILITIES: Final = (
    _Capability("PROBE_AI", "MAPE", 20, "lower_is_better", 47, 13, 20),
    _Capability("TaskDecomposition", "Human_Correction_Rate", 10, "lower_is_better", 31, 12, 15),
    _Capability("ErrorProneDetection", "Risk_Area_Accuracy", 80, "higher_is_better", 48, 84, 30),
    _Capability("ReviewAgent_Design", "True_Positive_Rate", 80, "higher_is_better", 55, 79, 20),
    _Capability("ReviewAgent_Code", "True_Positive_Rate", 80, "higher_is_better", 58, 88, 20),
    _Capability("DefectTypePrediction", "Prediction_Accuracy", 60, "higher_is_better", 33, 52, 40),
)


def bootstrap_rows(chance: Random, now: int) -> Iterator[dict[str, Any]]:
    """Yield one measurement per capability and week, oldest first.

    Args:
        chance: What decides.
        now: The end of the story, in ns since the epoch.
    """
    good_weeks = {capability.name: 0 for capability in _CAPABILITIES}
    for days_ago in range(DAYS - 7, -1, -7):
        for capability in _CAPABILITIES:
            measured = capability.first + (capability.last - capability.first) * learned(days_ago)
            # The regression shows in what is measured of code.
            worse = 1.18 if REPAIR < days_ago <= REGRESSION else 1.0
            lower = capability.direction == "lower_is_better"
            value = round(measured * (worse if lower else 1 / worse) * chance.uniform(0.96, 1.04), 4)
            tasks = round((DAYS - days_ago) * 0.7)
            good = value <= capability.target if lower else value >= capability.target
            graduated = good and tasks >= capability.required
            weeks = good_weeks[capability.name] = good_weeks[capability.name] + 1 if graduated else 0
            mode = "Learning" if weeks == 0 else "Shadow" if weeks < _WEEKS_IN_SHADOW else "Autonomous"
            facts = {
                "capability_name": capability.name, "capability_mode": mode,
                "tasks_completed": tasks, "tasks_required_for_graduation": capability.required,
                "primary_metric_name": capability.metric, "primary_metric_value": value,
                "primary_metric_target": capability.target, "metric_direction": capability.direction,
                "graduation_criteria_met": graduated, "metadata": {"sample": True},
                "measurement_period_start": utc_text(now - (days_ago + 7) * _DAY),
                "measurement_period_end": utc_text(now - days_ago * _DAY),
            }  # fmt: skip
            yield bootstrap_columns(facts, utc_text(now - days_ago * _DAY))
