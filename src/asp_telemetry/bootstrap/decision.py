"""Decides what follows from a measurement: graduate and to what, what is missing, or take a step back."""

from collections.abc import Sequence
from dataclasses import dataclass

from asp_telemetry.bootstrap.capability import MODES, Capability, Mode, Target
from asp_telemetry.bootstrap.evidence import Reading
from asp_telemetry.bootstrap.recorded import Recorded, mode_since

FAR_OFF = 0.25
"""By which share of its target a measure must miss it to alarm at once; what misses it by less alarms the second time."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Say what follows from a measurement.

    Attributes:
        mode: The mode it was measured in.
        tasks: How many tasks it could be measured on in this mode.
        criteria_met: Whether it may graduate; in Autonomous, whether it may stay.
        missing: What is missing for that: sentences.
        suggested_mode: The next mode where it may graduate, the one before where there is an alarm; else None.
        alarm: Why it should take a step back; else None.
        basis: What the measures rest on, in words; empty where the tasks say it.
    """

    mode: Mode
    tasks: int
    criteria_met: bool
    missing: tuple[str, ...]
    suggested_mode: Mode | None
    alarm: str | None
    basis: str = ""

    @property
    def text(self) -> str:
        """The decision in words, with what it rests on."""
        return f"{self._verdict} ({self.basis})" if self.basis else self._verdict

    @property
    def _verdict(self) -> str:
        if self.alarm is not None:
            return f"{self.alarm}: step back to {self.suggested_mode}"
        if self.missing:
            return "; ".join(self.missing)
        return "on target" if self.suggested_mode is None else f"ready for {self.suggested_mode}"


def decide(capability: Capability, reading: Reading, history: Sequence[Recorded]) -> Decision:
    """Decide what follows from a measurement.

    A capability graduates when it has been measured on enough tasks in its mode and meets all its targets. In Shadow and
    Autonomous there is an alarm where it misses a target by more than a quarter, or for the second time in a row.

    Args:
        capability: What was measured.
        reading: What it was measured to be.
        history: What was recorded of it before, the newest first.
    """
    mode = _mode(history)
    since = mode_since(history)
    tasks = sum(1 for moment in reading.available if since is None or moment >= since)
    missed = missed_targets(capability, reading)
    missing = []
    if tasks < capability.tasks_required and mode != "Autonomous":
        lacking = capability.tasks_required - tasks
        missing.append(
            f"{lacking} more task{'' if lacking == 1 else 's'} needed in {mode} ({tasks} of {capability.tasks_required})"
        )
    missing += _demands(reading, missed)
    missing += [f"{name} cannot be measured yet" for name in _unknown(capability, reading)]
    if reading.finds is not None and reading.finds < capability.finds_required:
        lacking = capability.finds_required - reading.finds
        missing.append(
            f"{lacking} more judged find{'' if lacking == 1 else 's'} needed ({reading.finds} of "
            f"{capability.finds_required})"
        )
    place = MODES.index(mode)
    alarm = _alarm(capability, reading, missed, history, mode)
    suggested: Mode | None = None
    if alarm is not None:
        suggested = MODES[place - 1]
    elif not missing and mode != "Autonomous":
        suggested = MODES[place + 1]
    return Decision(mode, tasks, not missing, tuple(missing), suggested, alarm, reading.basis)


def missed_targets(capability: Capability, reading: Reading) -> list[tuple[Target, float]]:
    """Return the targets that were measured and missed, with the values.

    Args:
        capability: What is to be met.
        reading: What was measured.

    Returns:
        Each with its value, in the target's unit.
    """
    measured = [(capability.primary, reading.value)]
    measured += [(target, reading.measures.get(target.name)) for target in capability.secondary]
    return [(target, value) for target, value in measured if value is not None and not target.is_met(value)]


def _mode(history: Sequence[Recorded]) -> Mode:
    for mode in MODES:
        if history and history[0].mode == mode:
            return mode
    return "Learning"


def _demands(reading: Reading, missed: Sequence[tuple[Target, float]]) -> list[str]:
    by = f", most of it by task {reading.worst_task}" if reading.worst_task is not None else ""
    return [target.demand(value) + (by if value == reading.value else "") for target, value in missed]


def _unknown(capability: Capability, reading: Reading) -> list[str]:
    if reading.value is None:
        return [capability.primary.name]
    return [target.name for target in capability.secondary if target.name not in reading.measures]


def _alarm(
    capability: Capability,
    reading: Reading,
    missed: Sequence[tuple[Target, float]],
    history: Sequence[Recorded],
    mode: Mode,
) -> str | None:
    # Of a few tasks one more or less decides: nobody is sent back for that.
    if mode == "Learning" or not missed or 2 * len(reading.tasks) < capability.tasks_required:
        return None
    if reading.finds is not None and 2 * reading.finds < capability.finds_required:
        return None
    told = "; ".join(_demands(reading, missed))
    if any(target.missed_by(value) > FAR_OFF for target, value in missed):
        return f"regression, far off target ({told})"
    # What was recorded of the same tasks is the same miss, not a second one.
    end = max(task.ended_at for task in reading.tasks)
    before = next((row for row in history if row.period_end != end), None)
    if before is not None and before.missed:
        return f"regression, off target twice in a row ({told})"
    return None
