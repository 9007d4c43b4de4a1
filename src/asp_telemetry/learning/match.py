"""Holds a pattern that fits a request, how well, and why."""

from dataclasses import dataclass

from asp_telemetry.learning.pattern import Pattern
from asp_telemetry.learning.replay import ReplayPlan, Step
from asp_telemetry.learning.scoring import Component, Level, level_of

_FEW = 3
_DOUBTFUL = 0.8


@dataclass(frozen=True)
class Match:
    """Say how well a pattern fits a request.

    Attributes:
        pattern: The pattern.
        score: 0 to 1, the weighted sum of the components.
        components: Its parts, each with its reason.
        request: The request without its values, as it was compared.
    """

    pattern: Pattern
    score: float
    components: tuple[Component, ...]
    request: str

    @property
    def level(self) -> Level:
        """What it is good for: `none`, `offered` from .70, `considered` from .75, `replayed` from .85."""
        return level_of(self.score)

    def explain(self) -> str:
        """Explain the score in a line for each component."""
        lines = [
            f"{self.score:.2f} {self.level}: {self.pattern.agent} for {self.pattern.template or self.pattern.intent}"
        ]
        for part in self.components:
            value = "  - " if part.value is None else f"{part.value:.2f}"
            lines.append(f"  {part.name:<10} {value} x {part.weight:.2f}  {part.reason}")
        return "\n".join(lines)

    def replay_plan(self) -> ReplayPlan:
        """Return how to do it as it worked; `level` says whether the match is close enough for that."""
        pattern = self.pattern
        steps = [Step("agent", pattern.agent, {"routing_strategy": pattern.routing_strategy})]
        steps += [Step("hook", str(hook.get("type")), dict(hook)) for hook in pattern.hooks]
        steps += [
            Step("endpoint", f"{call.get('service')} {call.get('method')} {call.get('path')}", dict(call))
            for call in pattern.endpoints
        ]
        steps += [Step("delegate", name, {}) for name in pattern.delegated]
        return ReplayPlan(
            pattern.id,
            self.level,
            self.score,
            pattern.agent,
            "learned_pattern",
            tuple(steps),
            pattern.avg_duration_ms,
            self._cautions(),
        )

    def _cautions(self) -> tuple[str, ...]:
        found = []
        if self.level != "replayed":
            found.append(f"the score {self.score:.2f} is below 0.85")
        if self.pattern.observations + self.pattern.uses < _FEW:
            found.append("it was seen less than three times")
        if self.pattern.success_rate < _DOUBTFUL:
            found.append(f"only {self.pattern.success_rate:.0%} of its uses went well")
        if any(
            part.name == "context" and part.value is not None and part.value < 1 for part in self.components
        ):
            found.append("it was learned in another context")
        return tuple(found)
