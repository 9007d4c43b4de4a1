"""Review agents: how many of their finds are real, and what they let through."""

from collections.abc import Sequence

from asp_telemetry.bootstrap.evidence import PHASES, Defect, EndedTask, Reading


def measure_review(phase: str, tasks: Sequence[EndedTask], defects: Sequence[Defect], wanted: int) -> Reading:
    """Measure a review agent, as the view `review_agent_effectiveness` does, on the newest tasks that it reviewed.

    Args:
        phase: DesignReview or CodeReview.
        tasks: Completed tasks, the oldest first.
        defects: Their defects.
        wanted: How many reviewed tasks to measure, the newest.

    Returns:
        The share of its judged finds that are real (the true-positive rate) in percent; False_Positive_Rate, the rest of
        them; Escape_Rate, the share of real defects that were there and that it did not find. A find that nobody has
        judged counts for neither side.
    """
    reviewed = [task for task in tasks if phase in task.reviews]
    measured = reviewed[-wanted:]
    names = {task.task_id for task in measured}
    of_tasks = [defect for defect in defects if defect.task_id in names]
    found = [
        defect
        for defect in of_tasks
        if defect.phase_removed == phase and defect.flagged_by_agent and defect.phase_injected in PHASES
    ]
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
    return Reading(value, measured, [task.ended_at for task in reviewed], measures)
