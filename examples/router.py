"""Let a router choose agents out of a registry, record its choices, and learn how they turn out.

    python examples/router.py

Runs offline. The agents are defined in examples/agents/*.yaml; what is recorded goes to data/asp_telemetry.db.
"""

from collections.abc import Callable
from pathlib import Path

import asp_telemetry as asp

REQUESTS = (
    ("Please fix the bug in the login form", {"language": "python"}),
    ("Write a function that parses dates", {"language": "python"}),
    ("Why is the page slow? The stack trace is attached", {}),
    ("Split the release into tasks", {}),
    ("Sing me a song", {}),
)


@asp.track_agent
def debugger(request: str) -> str:
    """Find the cause, which does not always work out."""
    if "slow" in request:
        raise TimeoutError("the profiler gave up")
    return "fixed"


@asp.track_agent
def coder(request: str) -> str:
    """Write code."""
    return f"def answer(): ...  # {request}"


@asp.track_agent
def planner(request: str) -> str:
    """Plan."""
    return f"1. {request}"


AGENTS: dict[str, Callable[[str], str]] = {"debugger": debugger, "coder": coder, "planner": planner}


def route(request: str, context: dict[str, str]) -> tuple[str, str] | None:
    """Choose an agent; return its name and the id of the decision, or None if nobody is called for."""
    with asp.routing(request, context=context) as routing:
        found = asp.find_agents(request, context=context)
        routing.cache(found.cache_hit, age_seconds=found.age_seconds)
        routing.took(**found.took)
        if not found:
            print(f"{request!r}: nobody")
            return None
        best = found[0]
        routing.choose(
            best.agent,
            **best.parts,
            alternatives=found.alternatives(),
            reason=best.reason,
            strategy=best.strategy,
        )
        print(f"{request!r}: {best.agent} ({best.confidence:.2f}), because {best.reason}")
    return best.agent, routing.id


def main() -> None:
    """Route each request, let the agent work, and say how the choice turned out."""
    loaded = asp.load_agents(Path(__file__).parent / "agents")
    print(f"{len(loaded.added)} agents added, {len(loaded.unchanged)} unchanged")
    for number, (request, context) in enumerate(REQUESTS, 1):
        with asp.task(f"TASK-{number:03}", task_type="routed"):
            choice = route(request, context)
            if choice is None:
                continue
            agent, decision = choice
            try:
                AGENTS[agent](request)
            except TimeoutError:
                asp.validate_routing(decision, success=False, quality=0.2)
            else:
                asp.validate_routing(decision, success=True, quality=0.9)
    assert asp.flush().complete
    asp.refresh_agents()
    for agent in sorted(asp.find_agents(), key=lambda match: match.agent):
        print(f"{agent.agent}: {agent.explanation['historical']}")


if __name__ == "__main__":
    main()
