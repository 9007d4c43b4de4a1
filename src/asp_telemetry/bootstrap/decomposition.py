"""Task decomposition: how often a person had to correct how a task was taken apart."""

from collections.abc import Sequence

from asp_telemetry.bootstrap.evidence import EndedTask, Reading


def measure_decomposition(tasks: Sequence[EndedTask], wanted: int) -> Reading:
    """Measure the share of decomposed tasks that a person has reviewed and corrected.

    Args:
        tasks: Completed tasks, the oldest first.
        wanted: How many to measure, the newest.

    Returns:
        The human-correction rate in percent, and how many corrections there were for each semantic unit.
    """
    decomposed = [task for task in tasks if task.units and task.reviewed]
    measured = decomposed[-wanted:]
    if not measured:
        return Reading(None, (), (), {})
    corrections = [len(_listed(task.corrections)) for task in measured]
    units = sum(len(_listed(task.units)) for task in measured)
    return Reading(
        100.0 * sum(1 for number in corrections if number) / len(measured),
        measured,
        [task.ended_at for task in decomposed],
        {"corrections_per_unit": round(sum(corrections) / units, 4)},
    )


def _listed(value: object) -> Sequence[object]:
    """Return what a person has written down as a list; a dict is one correction for each of its names."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return list(value)
    return [value] if value else []
