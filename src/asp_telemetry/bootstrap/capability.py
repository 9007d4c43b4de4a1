"""What agents can learn to do without a person, and how well they must do it."""

from dataclasses import dataclass
from typing import Literal

Mode = Literal["Learning", "Shadow", "Autonomous"]
Direction = Literal["lower_is_better", "higher_is_better"]

MODES: tuple[Mode, ...] = ("Learning", "Shadow", "Autonomous")


_MOST_SHOWN = 1000.0
"""Above that, in percent, digits say nothing more."""


def percent(value: float, places: int = 1) -> str:
    """Write a measure for people.

    Args:
        value: The measure, in percent.
        places: How many digits behind the point.

    Example:
        >>> percent(18.249), percent(3967206.2)
        ('18.2 %', 'over 1000 %')
    """
    return f"{value:.{places}f} %" if value <= _MOST_SHOWN else f"over {_MOST_SHOWN:g} %"


@dataclass(frozen=True, slots=True)
class Target:
    """Say how good one measure must be.

    Attributes:
        name: The measure's name, as it is stored.
        value: The value to reach, in percent.
        direction: Whether lower or higher is better.
    """

    name: str
    value: float
    direction: Direction

    def is_met(self, value: float) -> bool:
        """Tell whether a value reaches the target.

        Args:
            value: The measured value, in percent.

        Example:
            >>> Target("MAPE", 20.0, "lower_is_better").is_met(18.2)
            True
        """
        return value <= self.value if self.direction == "lower_is_better" else value >= self.value

    def missed_by(self, value: float) -> float:
        """Return how far a value misses the target, as a share of the target; 0 where it is met.

        Args:
            value: The measured value, in percent.
        """
        return 0.0 if self.is_met(value) else abs(value - self.value) / self.value

    def demand(self, value: float) -> str:
        """Say what must happen to a value that misses the target.

        Args:
            value: The measured value, in percent.

        Example:
            >>> Target("MAPE", 20.0, "lower_is_better").demand(24.31)
            'MAPE is 24.3 % and must fall to 20 %'
            >>> Target("MAPE", 20.0, "lower_is_better").demand(20.04)
            'MAPE is 20.04 % and must fall to 20 %'
        """
        # A near miss must not read as if the target were met.
        places = next((places for places in range(1, 4) if not self.is_met(round(value, places))), 4)
        verb = "fall" if self.direction == "lower_is_better" else "rise"
        return f"{self.name} is {percent(value, places)} and must {verb} to {self.value:g} %"


@dataclass(frozen=True, slots=True)
class Capability:
    """Be something that agents learn.

    Attributes:
        name: The name under which it is stored.
        primary: The measure that decides.
        tasks_required: How many tasks are measured, the newest; as many are needed in a mode before the next.
        secondary: Measures that must be good enough, too.
        finds_required: On how many judged finds of a review it must rest; as many tasks more are measured as that takes.
    """

    name: str
    primary: Target
    tasks_required: int
    secondary: tuple[Target, ...] = ()
    finds_required: int = 0


_FINDS = 10
"""One of three finds says little, and none escapes from tasks in which nothing was wrong."""

_REVIEW = (
    Target("False_Positive_Rate", 20.0, "lower_is_better"),
    Target("Escape_Rate", 5.0, "lower_is_better"),
)

CAPABILITIES: tuple[Capability, ...] = (
    Capability("PROBE_AI", Target("MAPE", 20.0, "lower_is_better"), 20),
    Capability("TaskDecomposition", Target("Human_Correction_Rate", 10.0, "lower_is_better"), 15),
    Capability("ErrorProneDetection", Target("Risk_Area_Accuracy", 80.0, "higher_is_better"), 30),
    Capability(
        "ReviewAgent_Design", Target("True_Positive_Rate", 80.0, "higher_is_better"), 20, _REVIEW, _FINDS
    ),
    Capability(
        "ReviewAgent_Code", Target("True_Positive_Rate", 80.0, "higher_is_better"), 20, _REVIEW, _FINDS
    ),
    Capability("DefectTypePrediction", Target("Prediction_Accuracy", 60.0, "higher_is_better"), 40),
)
"""The capabilities that are measured, in the order in which they are shown."""
