"""Says how to do again what worked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from asp_telemetry.learning.scoring import Level


@dataclass(frozen=True)
class Step:
    """Be one step of a plan: who or what, and the details as they were recorded."""

    kind: Literal["agent", "hook", "endpoint", "delegate"]
    name: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class ReplayPlan:
    """Say how to go about a request as it worked before.

    Attributes:
        pattern_id: The pattern.
        level: `replayed` where the match is close enough to do just that; else whoever follows it should look first.
        score: How well the pattern fits, 0 to 1.
        agent: Who shall do it.
        routing_strategy: What to record as the strategy of the decision.
        steps: What happened, in the order that is known: the agent, hooks before the others as they ran, whom it called.
        expected_duration_ms: How long it took on average.
        cautions: What speaks against following it blindly.
    """

    pattern_id: str
    level: Level
    score: float
    agent: str
    routing_strategy: str
    steps: tuple[Step, ...]
    expected_duration_ms: float | None
    cautions: tuple[str, ...]
