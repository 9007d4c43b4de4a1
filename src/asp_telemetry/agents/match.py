"""What a look-up answers: agents in the order of their confidence, with its parts and what each is based on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asp_telemetry.analytics.rows import Rows
from asp_telemetry.capture.routing import WEIGHTS


@dataclass(frozen=True)
class AgentMatch:
    """Be one agent that fits a request. Confidences are from 0 to 1.

    Attributes:
        agent: Its name.
        version: The version of its definition.
        type: coordinator, specialist or transformer.
        domain: What it is about.
        capabilities: What it can do.
        definition_id: The id of its definition.
        confidence: 0.4 trigger + 0.3 context + 0.2 capability + 0.1 historical; what is None counts as 0.
        trigger: How well the text fits its triggers; None without a text.
        context: How much of the context it fits; None without a context.
        capability: How much of what is asked for it can do; None if nothing is asked for.
        historical: How well it has done so far; 0.5 while nothing is known.
        explanation: What each part is based on, by its name.
    """

    agent: str
    version: str
    type: str
    domain: str | None
    capabilities: tuple[str, ...]
    definition_id: str
    confidence: float
    trigger: float | None
    context: float | None
    capability: float | None
    historical: float
    explanation: Mapping[str, str]

    @property
    def parts(self) -> dict[str, float | None]:
        """Return the parts of the confidence by name, as `asp.routing(...).choose` takes them."""
        return {name: getattr(self, name) for name in WEIGHTS}

    @property
    def reason(self) -> str:
        """Say in one sentence why."""
        return "; ".join(
            f"{name} {getattr(self, name):.2f}: {said}" for name, said in self.explanation.items()
        )

    @property
    def strategy(self) -> str:
        """Name what weighs most: fuzzy_match for triggers and context, capability_match, or historical."""
        shares = {name: WEIGHTS[name] * (value or 0.0) for name, value in self.parts.items()}
        if shares["trigger"] + shares["context"] >= max(shares["capability"], 1e-9):
            return "fuzzy_match"
        return "capability_match" if shares["capability"] else "historical"


class AgentMatches(Rows[AgentMatch]):
    """Hold the agents that fit, the best first.

    Attributes:
        cache_hit: Whether the registry stood in this process's memory, and was young enough.
        age_seconds: How old what was read of the registry is.
        took: Microseconds by step, as `asp.routing(...).took` takes them: cache_lookup (with reading the registry where
            it was read), trigger_matching, confidence_scoring.
    """

    cache_hit: bool = False
    age_seconds: float = 0.0
    took: Mapping[str, float] = {}

    def alternatives(self) -> list[dict[str, Any]]:
        """Return all but the best, as `asp.routing(...).choose` takes them."""
        return [
            {"agent": match.agent, "confidence": match.confidence, "reason": match.reason}
            for match in self[1:]
        ]
