"""PROBE-AI: how far estimates made before a task were from what it took."""

from collections.abc import Sequence
from math import fsum
from typing import TYPE_CHECKING

from asp_telemetry.bootstrap.evidence import EndedTask, Reading
from asp_telemetry.estimation import FinishedTask
from asp_telemetry.estimation.estimate import MAKER, expected
from asp_telemetry.estimation.figures import FIGURES
from asp_telemetry.estimation.point import GREATEST, LEAST

if TYPE_CHECKING:
    from datetime import datetime

_MOST_LEARNED_FROM = 1_000


def measure_probe(tasks: Sequence[FinishedTask], ended: Sequence[EndedTask], wanted: int) -> Reading:
    """Measure the mean absolute error of estimates, in percent of what tasks took.

    The estimate that PROBE-AI has stored with a task counts; without one, that which it would have made from the tasks that
    were finished before. So nothing is judged by what was not known then.

    Args:
        tasks: Finished tasks with an estimated complexity, in any order.
        ended: The same tasks and others, as they ended; their metadata says who has estimated.
        wanted: How many tasks to measure, the newest.

    Returns:
        The MAPE of the figure that is foreseen worst, and that of each as MAPE_latency_ms, MAPE_tokens, MAPE_api_cost_usd.
    """
    known = {task.task_id: task for task in ended}
    ordered = sorted(
        (
            task
            for task in tasks
            if task.estimated_complexity > 0 and task.task_id in known and not _is_nonsense(task)
        ),
        key=lambda task: (known[task.task_id].ended_at, task.task_id),
    )
    errors: dict[str, list[tuple[float, str]]] = {figure: [] for figure in FIGURES}
    measured: list[EndedTask] = []
    available: list[datetime] = []
    newest = max(len(ordered) - wanted, 0)
    for place, task in enumerate(ordered):
        end = known[task.task_id]
        if place < newest:
            # Whether it could be measured costs a fit; that there were two tasks before is what it takes.
            if place >= 2 or _stored(task, end):
                available.append(end.ended_at)
            continue
        foreseen = _stored(task, end) or expected(
            ordered[max(place - _MOST_LEARNED_FROM, 0) : place], task.estimated_complexity
        )
        judged = [
            (figure, foreseen[figure], actual)
            for figure in FIGURES
            if figure in foreseen and (actual := _actual(task, figure)) is not None
        ]
        if not judged:
            continue
        measured.append(end)
        available.append(end.ended_at)
        for figure, told, actual in judged:
            errors[figure].append((abs(actual - told) / actual, task.task_id))
    means = {
        figure: 100.0 * fsum(error for error, _ in found) / len(found)
        for figure, found in errors.items()
        if found
    }
    decides = max(means, key=lambda figure: means[figure], default=None)
    return Reading(
        None if decides is None else means[decides],
        measured,
        available,
        {f"MAPE_{figure}": mean for figure, mean in means.items()},
        worst_task=None if decides is None else _worst(errors[decides]),
    )


def _worst(errors: Sequence[tuple[float, str]]) -> str | None:
    error, task_id = max(errors)
    return task_id if len(errors) > 1 and 2 * error > fsum(each for each, _ in errors) else None


def _stored(task: FinishedTask, end: EndedTask) -> dict[str, float]:
    made = end.metadata.get("estimate") if isinstance(end.metadata, dict) else None
    if not isinstance(made, dict) or made.get("by") != MAKER:
        return {}
    return {
        figure: float(value)
        for figure in FIGURES
        if (value := getattr(task, f"estimated_{figure}")) is not None
    }


def _actual(task: FinishedTask, figure: str) -> float | None:
    actual = getattr(task, f"actual_{figure}")
    return float(actual) if actual is not None and actual >= LEAST else None


def _is_nonsense(task: FinishedTask) -> bool:
    # `estimate` refuses to learn from it, by its name; here it must not keep the rest from being measured.
    return any(not 0 <= (getattr(task, f"actual_{figure}") or 0) <= GREATEST for figure in FIGURES)
