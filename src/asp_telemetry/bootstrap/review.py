"""Review agents: how many of their finds are real, and what they let through."""

from collections import Counter
from collections.abc import Sequence

from asp_telemetry.bootstrap.evidence import PHASES, Defect, EndedTask, Reading


def measure_review(
    phase: str, tasks: Sequence[EndedTask], defects: Sequence[Defect], wanted: int, finds: int = 0
) -> Reading:
    """Measure a review agent, as the view `review_agent_effectiveness` does, on the newest tasks that it reviewed.

    Args:
        phase: DesignReview or CodeReview.
        tasks: Completed tasks, the oldest first.
        defects: Their defects.
        wanted: How many reviewed tasks to measure, the newest.
        finds: How many judged finds there must be among them; where there are fewer, older tasks are measured, too.

    Returns:
        The share of its judged finds that are real (the true-positive rate) in percent; False_Positive_Rate, the rest of
        them; Escape_Rate, the share of real defects that were there and that it did not find. A find that nobody has
        judged counts for neither side. Finds and escapes are those of the same tasks.
    """
    reviewed = [task for task in tasks if phase in task.reviews]
    judged = Counter(defect.task_id for defect in defects if _is_find(defect, phase) and _is_judged(defect))
    measured = _newest(reviewed, judged, wanted, finds)
    names = {task.task_id for task in measured}
    of_tasks = [defect for defect in defects if defect.task_id in names]
    found = [defect for defect in of_tasks if _is_find(defect, phase)]
    true = sum(1 for defect in found if defect.validated_by_human and defect.is_real)
    false = sum(1 for defect in found if defect.false_positive)
    escaped = sum(1 for defect in of_tasks if defect.escaped(phase))
    measures = {
        "true_positives": float(true),
        "false_positives": float(false),
        "unvalidated": float(len(found) - true - false),
        "escapes": float(escaped),
    }
    if true + false:
        measures["False_Positive_Rate"] = 100.0 * false / (true + false)
    if true + escaped:
        measures["Escape_Rate"] = 100.0 * escaped / (true + escaped)
    value = 100.0 * true / (true + false) if true + false else None
    available = [task.ended_at for task in reviewed]
    return Reading(
        value, measured, available, measures, true + false, _basis(true + false, escaped, measured)
    )


def _newest(
    reviewed: Sequence[EndedTask], judged: Counter[str], wanted: int, finds: int
) -> Sequence[EndedTask]:
    first = max(len(reviewed) - wanted, 0)
    there = sum(judged[task.task_id] for task in reviewed[first:])
    while first and there < finds:
        first -= 1
        there += judged[reviewed[first].task_id]
    return reviewed[first:]


def _is_find(defect: Defect, phase: str) -> bool:
    return bool(defect.phase_removed == phase and defect.flagged_by_agent and defect.phase_injected in PHASES)


def _is_judged(defect: Defect) -> bool:
    return bool(defect.false_positive or defect.validated_by_human)


def _basis(finds: int, escapes: int, measured: Sequence[EndedTask]) -> str:
    if not measured:
        return ""
    counted = ", ".join(
        f"{number} {noun}{'' if number == 1 else 's'}"
        for number, noun in ((finds, "judged find"), (escapes, "escape"))
    )
    tasks = f"the newest {len(measured)} tasks" if len(measured) > 1 else "1 task"
    return f"{counted} in {tasks}, {measured[0].ended_at:%Y-%m-%d} to {measured[-1].ended_at:%Y-%m-%d}"
