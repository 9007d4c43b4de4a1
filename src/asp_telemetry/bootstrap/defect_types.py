"""Defect-type prediction: whether a defect is of the type that was to be expected where it came up."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from asp_telemetry.bootstrap.evidence import Defect, EndedTask, Reading


def measure_defect_types(tasks: Sequence[EndedTask], defects: Sequence[Defect], wanted: int) -> Reading:
    """Measure how many defects were of the type that was predicted.

    What an agent has predicted stands in the defect's metadata as `predicted_type`; without it, the most common type so far
    counts as predicted: of the same component, else of the same phase, else of all; known from earlier tasks alone.

    Args:
        tasks: Completed tasks, the oldest first.
        defects: Their defects.
        wanted: How many tasks to measure, the newest of those with defects.

    Returns:
        The share of defects whose type was predicted, in percent.
    """
    by_task: dict[str, list[Defect]] = defaultdict(list)
    for defect in defects:
        if defect.is_real:
            by_task[defect.task_id].append(defect)
    broken = [task for task in tasks if task.task_id in by_task]
    measured = broken[-wanted:]
    first = len(broken) - len(measured)
    seen: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    tried = right = 0
    for place, task in enumerate(broken):
        of_task = by_task[task.task_id]
        if place >= first:
            for defect in of_task:
                predicted = _predicted(defect, seen)
                if predicted is not None:
                    tried += 1
                    right += predicted == defect.defect_type
        # Only now: what came up in the same task was not known before it.
        for defect in of_task:
            for key in _keys(defect):
                seen[key][defect.defect_type] += 1
    return Reading(
        100.0 * right / tried if tried else None,
        measured,
        [task.ended_at for task in broken],
        {"defects": float(tried), "hits": float(right)},
    )


def _predicted(defect: Defect, seen: dict[tuple[str, str], Counter[str]]) -> str | None:
    said = defect.metadata.get("predicted_type") if isinstance(defect.metadata, dict) else None
    if said is not None:
        return str(said)
    for key in _keys(defect):
        if key in seen:
            # The name decides between equals, so that both databases agree.
            return min(seen[key].items(), key=lambda counted: (-counted[1], counted[0]))[0]
    return None


def _keys(defect: Defect) -> list[tuple[str, str]]:
    keys = [("phase", defect.phase_injected), ("all", "")]
    return [("component", defect.component_path), *keys] if defect.component_path else keys
