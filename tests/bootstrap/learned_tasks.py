"""Ended tasks, defects and earlier measurements for tests, made with the few facts that matter."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from asp_telemetry.bootstrap.evidence import Defect, EndedTask
from asp_telemetry.bootstrap.recorded import Recorded
from asp_telemetry.estimation import FinishedTask

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    """Return a moment so many days after the beginning."""
    return BEGIN + timedelta(days=number)


def ended(number: int, **facts: Any) -> EndedTask:
    """Make a task that was completed on the day of its number."""
    usual: dict[str, Any] = {
        "units": [{"unit": "a"}],
        "reviewed": True,
        "corrections": None,
        "components": None,
        "metadata": None,
        "reviews": frozenset({"DesignReview", "CodeReview"}),
    }
    return EndedTask(f"T-{number}", day(number - 1), day(number), **{**usual, **facts})


def defect(number: int, task: int, **facts: Any) -> Defect:
    """Make a defect of a task, found by the code review and confirmed."""
    usual: dict[str, Any] = {
        "created_at": day(task),
        "defect_type": "6_Conventional_Code_Bug",
        "phase_injected": "Code",
        "phase_removed": "CodeReview",
        "component_path": None,
        "flagged_by_agent": True,
        "validated_by_human": True,
        "false_positive": False,
        "metadata": None,
    }
    return Defect(f"D-{number}", f"T-{task}", **{**usual, **facts})


def finished(
    number: int, complexity: int, tokens: float | None, planned: float | None = None
) -> FinishedTask:
    """Make a finished task that took so many tokens."""
    return FinishedTask(
        f"T-{number}", None, None, day(number), complexity, None, planned, None, None, tokens, None
    )  # fmt: skip


def recorded(number: float, mode: str, value: float, target: float = 20, **facts: Any) -> Recorded:
    """Make a measurement of a MAPE that was recorded on a day."""
    usual: dict[str, Any] = {
        "period_start": day(number - 20),
        "period_end": day(number),
        "tasks_completed": 20,
        "tasks_required": 20,
        "measures": {},
        "graduation_criteria_met": False,
        "notes": None,
        "metadata": None,
    }
    usual.update(facts)
    return Recorded(
        measured_at=day(number),
        capability="PROBE_AI",
        mode=mode,
        metric="MAPE",
        value=Decimal(str(value)),
        target=Decimal(target),
        direction="lower_is_better",
        **usual,
    )
