"""Questions about how far each capability has come on its way from Learning to Autonomous."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Unpack

from asp_telemetry.analytics.asking import Questions, question
from asp_telemetry.analytics.filters import Period
from asp_telemetry.analytics.rows import Rows, set_derived


class CapabilityFilter(Period, total=False):
    """Narrow a history to a time and a capability.

    Attributes:
        capability: A `capability_name`, such as PROBE_AI.
    """

    capability: str | None


@dataclass(frozen=True)
class Measurement:
    """Be one measurement of a capability.

    Attributes:
        capability: Its name.
        mode: Learning, Shadow or Autonomous.
        tasks_completed: On how many tasks it rests.
        tasks_required: How many it takes to graduate.
        metric: What was measured.
        value: The measured value, in the unit of the metric.
        target: What is to be reached.
        direction: lower_is_better or higher_is_better.
        graduation_criteria_met: Whether the criteria of graduation were met.
        notes: Why, or why not.
        measured_at: When, in UTC.
        on_target: Whether the value has reached the target, in its own direction.
        enough_tasks: Whether it rests on enough tasks.
    """

    capability: str
    mode: str
    tasks_completed: int
    tasks_required: int
    metric: str
    value: Decimal
    target: Decimal
    direction: str
    graduation_criteria_met: bool | None
    notes: str | None
    measured_at: datetime
    on_target: bool = field(init=False)
    enough_tasks: bool = field(init=False)

    def __post_init__(self) -> None:
        """Compare with what is required."""
        lower = self.direction == "lower_is_better"
        set_derived(
            self,
            on_target=self.value <= self.target if lower else self.value >= self.target,
            enough_tasks=self.tasks_completed >= self.tasks_required,
        )


class BootstrapQuestions(Questions):
    """Ask how far each capability has come."""

    @question
    async def bootstrap_status(self) -> Rows[Measurement]:
        """Return the newest measurement of each capability."""
        return await self._ask("bootstrap.status", Measurement, {})

    @question
    async def bootstrap_history(self, **filters: Unpack[CapabilityFilter]) -> Rows[Measurement]:
        """Return the measurements of each capability in order of time."""
        return await self._ask("bootstrap.history", Measurement, filters)
