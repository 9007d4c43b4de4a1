"""Adds what surrounds the executions of an invented task: routing, hand-overs, hooks, calls of services."""

from random import Random
from typing import Final, NamedTuple, Protocol

from asp_telemetry.clock import utc_text
from asp_telemetry.sample.team import chosen
from asp_telemetry.sample.trace import MS, TraceBuilder, random_id
from asp_telemetry.writer.batch import Change
from asp_telemetry.writer.facts import endpoint_columns, hook_columns, transformation_columns
from asp_telemetry.writer.routing import routing_rows, validation_row

_WEIGHTS: Final = (
    ("confidence_trigger", 0.4), ("confidence_context", 0.3), ("confidence_capability", 0.2),
    ("confidence_historical", 0.1),
)  # fmt: skip
_DEBUGGER: Final = "debugger"
_STRATEGIES: Final = (
    ("fuzzy_match", 50),
    ("capability_match", 25),
    ("historical", 15),
    ("explicit", 10),
)


class Verdict(Protocol):
    """Be what says later how a choice turned out."""

    def __call__(self, moment: int, *, success: bool) -> None:
        """Say it."""


class Choice(NamedTuple):
    """Be which agent was chosen.

    Attributes:
        agent: Who is fit for it.
        pattern_id: The pattern that was offered, if one was.
        follows: Whether that agent was chosen; else it was the debugger.
    """

    agent: str
    pattern_id: str | None
    follows: bool


def add_routing(
    trace: TraceBuilder,
    chance: Random,
    started: int,
    request: str,
    choice: Choice,
    learned: float,
    *,
    down: bool,
) -> tuple[float, Verdict]:
    """Add which agent was chosen for the request.

    Args:
        trace: Where to add it.
        chance: What decides.
        started: When, in ns since the epoch.
        request: What was asked.
        choice: Who was chosen.
        learned: How far the team has learned, from 0 to 1: the cache is hit more often.
        down: Whether the services are slow just then.

    Returns:
        How sure the router was, 0 to 1, and a function that adds how the choice turned out.
    """
    hit = chance.random() < 0.15 + 0.5 * learned
    took = round(chance.lognormvariate(6.2 if hit else 10.4, 0.5) * (3 if down else 1))  # us
    parts = {name: round(chance.uniform(0.55 + 0.15 * learned, 1), 4) for name, _ in _WEIGHTS}
    total = round(sum(parts[name] * weight for name, weight in _WEIGHTS), 4)
    identity = random_id(chance, started)
    chosen_agent, other = (choice.agent, _DEBUGGER) if choice.follows else (_DEBUGGER, choice.agent)
    patterned = choice.follows and choice.pattern_id is not None
    facts = {
        **parts, "id": identity, "look_id": random_id(chance, started), "user_request": request,
        "selected_agent": chosen_agent, "pattern_id": choice.pattern_id,
        "selection_reason": "it worked before" if patterned else "its capabilities fit", "confidence_total": total,
        "alternatives": [{"agent": other, "confidence": round(total * 0.6, 4), "reason": "could do it, too"}],
        "alternatives_count": 1, "routing_strategy": "learned_pattern" if patterned else chosen(chance, _STRATEGIES), "cache_hit": hit,
        "cache_lookup_us": round(took * 0.1), "trigger_matching_us": round(took * 0.4),
        "confidence_scoring_us": round(took * 0.4), "started_ns": started, "duration_ns": took * 1000,
    }  # fmt: skip
    if hit:
        facts["cache_age_seconds"] = chance.randint(5, 3600)
    trace.put(Change.ROUTING, routing_rows(facts, trace.root))

    def verdict(moment: int, *, success: bool) -> None:
        if chance.random() < 0.6:
            quality = min(1.0, max(0.0, chance.gauss(0.86 if success else 0.25, 0.08)))
            found = {
                "id": identity,
                "actual_success": int(success),
                "actual_quality_score": round(quality, 4),
            }
            trace.put(Change.ROUTING_VALIDATION, validation_row(found, utc_text(moment)))

    return total, verdict


def add_handover(
    trace: TraceBuilder, chance: Random, agent: str, started: int, duration: int, *, failed: bool
) -> None:
    """Add that the coordinator has handed the task to an agent."""
    facts = {
        "id": random_id(chance, started), "source_agent": "coordinator", "target_agent": agent,
        "transformation_reason": "the design is reviewed", "context_keys": ["plan", "design"],
        "context_size_bytes": chance.randint(2_000, 24_000), "success": int(not failed),
        "quality_score": None if failed else round(chance.uniform(0.7, 0.98), 4),
        "error_type": "APITimeoutError" if failed else None, "transformation_ns": chance.randint(20, 140) * MS,
        "initialization_ns": chance.randint(60, 300) * MS, "started_ns": started, "duration_ns": duration,
    }  # fmt: skip
    trace.put(Change.TRANSFORMATION, transformation_columns(facts, trace.scope, trace.root, trace.root))


def add_hooks(
    trace: TraceBuilder, chance: Random, tool: str, execution: str, started: int, duration: int
) -> None:
    """Add the hooks before and after the call of a tool."""
    before = random_id(chance, started)
    facts = {
        "id": before, "hook_type": "PreToolUse", "tool_name": tool, "hook_script": "check_command.py",
        "started_ns": started, "duration_ns": chance.randint(20, 120) * MS, "status": "success", "success": 1,
        "quality_gates_validated": ["SV-001"],
    }  # fmt: skip
    now = utc_text(started + duration)
    trace.put(Change.HOOK, hook_columns(facts, execution, now))
    broken = chance.random() < 0.03
    trace.flawed |= broken
    facts = {
        "id": random_id(chance, started), "parent_id": before, "hook_type": "PostToolUse", "tool_name": tool,
        "hook_script": "read_report.py", "started_ns": started + duration, "duration_ns": chance.randint(30, 260) * MS,
        "status": "error" if broken else "success", "success": int(not broken),
        "error_message": "the report is not valid XML" if broken else None,
    }  # fmt: skip
    trace.put(Change.HOOK, hook_columns(facts, execution, now))


def add_call(trace: TraceBuilder, chance: Random, started: int, *, down: bool) -> None:
    """Add a look into the knowledge service, which fails more often while a provider is down."""
    failed = chance.random() < (0.6 if down else 0.02)
    trace.flawed |= failed
    duration = round(chance.lognormvariate(8.0 if failed else 4.2, 0.4)) * MS
    facts = {
        "id": random_id(chance, started), "service_name": "intelligence", "endpoint_path": "/api/rag/query",
        "http_method": "POST", "response_status": 503 if failed else 200, "success": int(not failed),
        "error_type": "http_error" if failed else None, "error_message": "503: no capacity" if failed else None,
        "retry_count": int(failed), "started_ns": started, "duration_ns": duration,
    }  # fmt: skip
    trace.put(Change.ENDPOINT, endpoint_columns(facts, trace.root, utc_text(started + duration)))
