"""Makes records of every kind that questions are about, with all that may be missing, odd or on an edge.

Hypothesis chooses how many and the seed, not each value: of some thousand values an example it would make mostly none.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from random import Random
from typing import Any, TypeAlias
from uuid import UUID

from hypothesis import strategies as st

Record = dict[str, Any]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ZONES = [UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))]
ROLES, PROJECTS, USERS, MODELS = (
    ["Code", "Planning", "Größe"],
    ["p-1", "p-2"],
    ["ana", "o'neil"],
    ["m-1", "m-2"],
)
TASKS = [f"T-{number}" for number in range(5)]
PHASES = ["Planning", "Design", "DesignReview", "Code", "CodeReview", "Test", "Postmortem", "unknown"]
STATUSES = ["in_progress", "success", "error", "timeout", "cancelled", "abandoned"]
METRICS = {
    "API_Cost": 10, "Latency": 6, "Time_To_First_Token": 6, "Tokens_In": 0, "Tokens_Out": 0, "Tokens_Cache_Read": 0,
    "Tokens_Cache_Write": 0, "Tokens_Reasoning": 0, "Tool_Calls": 0, "Retries": 0, "Memory_Usage": 3, "Own": 2,
}  # fmt: skip


@dataclass
class Work:
    """Hold the records by table."""

    tables: dict[str, list[Record]] = field(default_factory=dict)

    def __getitem__(self, table: str) -> list[Record]:
        return self.tables[table]


Maker: TypeAlias = Callable[[Random], Any]


def uuid(number: int) -> UUID:
    return UUID(int=number + 1)


def one_of(values: list[Any]) -> Maker:
    return lambda dice: dice.choice(values)


def maybe(values: list[Any] | Maker) -> Maker:
    make = values if callable(values) else one_of(values)
    return lambda dice: None if dice.random() < 0.3 else make(dice)


def always(value: Any) -> Maker:
    return lambda _: value


# Edges of days in UTC and in the other zones among them, and the same moment again and again.
EDGES = [NOON, NOON.replace(hour=0), NOON.replace(hour=23, minute=59, second=59, microsecond=999999)]


def moment(dice: Random) -> datetime:
    within = NOON + timedelta(microseconds=dice.randint(-4 * 24 * 3600 * 10**6, 4 * 24 * 3600 * 10**6))
    return dice.choice([dice.choice(EDGES), within, within]).astimezone(dice.choice(ZONES))


def whole(highest: int, digits: int = 0, lowest: int = 0) -> Maker:
    """Make decimals with so many digits, of any magnitude, 0 often among them."""
    return lambda dice: Decimal(
        0
        if dice.random() < 0.1
        else dice.randint(lowest, dice.choice([highest, highest, 1 + highest // 1000]))
    ).scaleb(-digits)


def metric(dice: Random) -> Record:
    kind = dice.choice([*METRICS, "API_Cost", "Latency", "Latency", "Tokens_In", "Tokens_Out"])
    digits = METRICS[kind]
    return {
        "timestamp": moment(dice), "task_id": dice.choice(TASKS), "project_id": maybe(PROJECTS)(dice),
        "user_id": maybe(USERS)(dice), "correlation_id": maybe([uuid(n) for n in range(8)])(dice),
        "agent_role": dice.choice(ROLES), "agent_version": maybe(["1.0", "1.1"])(dice), "metric_type": kind,
        "metric_value": whole(10 ** (digits + 5), digits)(dice), "metric_unit": "x", "nested": dice.random() < 0.3,
        "llm_model": dice.choice([None] * 8 + MODELS), "llm_provider": maybe(["openai"])(dice),
    }  # fmt: skip


def make(seed: int, most: int) -> Work:
    """Make up to so many records of each kind, and three times as many metrics."""
    dice = Random(seed)

    def some(**columns: Maker) -> list[Record]:
        return [{name: of(dice) for name, of in columns.items()} for _ in range(dice.randint(0, most))]

    traces = some(
        root_id=one_of([uuid(0), uuid(1)]), session_id=always("s"), user_id=maybe(USERS),
        source=always("user_prompt"), kind=maybe(["agent", "tool"]), name=one_of(["plan", "code"]),
        agent_role=maybe(ROLES), task_id=maybe(TASKS), started_at=moment, duration_ms=maybe(whole(10**12, 6)),
        status=one_of(STATUSES), error_type=maybe(["KeyError"]), error_message=maybe(["a", "b"]),
        parent_id=maybe([uuid(n) for n in range(20)]),
    )  # fmt: skip
    tasks = some(
        project_id=maybe(PROJECTS), user_id=maybe(USERS), task_type=maybe(["api"]), created_at=moment,
        completed_at=maybe(moment), status=one_of(["pending", "in_progress", "completed", "failed"]),
        estimated_complexity=maybe([0, 3]), actual_complexity=maybe([0, 8]), estimated_cost_vector_json=one_of(VECTORS),
        actual_cost_vector_json=one_of(VECTORS), defect_count=maybe([0, 2]),
        components_affected=maybe([[], ["a.py"], ["a.py", "b.py"]]),
    )[: len(TASKS)]  # fmt: skip
    flag = maybe([True, False])
    defects = [
        defect
        for defect in some(
            task_id=one_of(TASKS), project_id=maybe(PROJECTS), user_id=maybe(USERS),
            defect_type=one_of(["4_Hallucination", "8_Alignment_Deviation"]),
            severity=maybe(["Critical", "High", "Medium", "Low"]), phase_injected=one_of(PHASES),
            phase_removed=one_of(PHASES), component_path=maybe(["a.py", "c.py"]), created_at=moment,
            resolved=one_of([True, False]), effort_to_fix_json=one_of(VECTORS), description=always("d"), flagged_by_agent=flag,
            validated_by_human=flag, false_positive=flag,
        )
        if defect["phase_injected"] != defect["phase_removed"]
    ]  # fmt: skip
    for defect in defects:
        defect["resolved_at"] = defect["created_at"] if defect.pop("resolved") else None
    around = one_of([uuid(n) for n in range(10)])
    calls = some(
        correlation_id=around, service_name=always("svc"), endpoint_path=one_of(["/a", "/b"]),
        http_method=always("GET"), started_at=moment, duration_ms=maybe(whole(10**12, 6)), success=one_of([True, False]),
        error_type=maybe(["timeout"]), retry_count=maybe([0, 2]),
    )  # fmt: skip
    hooks = some(
        execution_id=around, correlation_id=around, hook_type=one_of(["Stop", "PreToolUse"]),
        tool_name=maybe(["Write"]), started_at=moment, duration_ms=maybe(whole(10**12, 6)),
        status=one_of(STATUSES), success=flag,
    )  # fmt: skip
    decisions = some(
        metric_type=one_of(["routing_decision", "routing_decision", "cache_hit"]), correlation_id=maybe([uuid(0)]),
        selected_agent=maybe(["debugger"]), selection_strategy=maybe(["explicit", "fuzzy_match"]),
        confidence_score=maybe(whole(10_000, 4)), trigger_confidence=maybe(whole(10_000, 4)), context_confidence=maybe(whole(10_000, 4)),
        capability_confidence=maybe(whole(10_000, 4)), historical_confidence=maybe(whole(10_000, 4)),
        total_routing_time_us=maybe(lambda dice: dice.randint(0, 200_000)), cache_hit=flag, selection_validated=flag,
        actual_success=flag, prediction_error=maybe(whole(10_000, 4, -10_000)),
        measured_at=moment,
    )  # fmt: skip
    uses = some(
        pattern_id=one_of([uuid(0), uuid(1)]), correlation_id=around, user_request=always("q"), match_score=whole(10_000, 4),
        used=one_of([True, False]), success=flag, used_at=moment,
        outcome=one_of([None, "success", "partial_success", "failure"]),
        performance_variance=maybe(whole(10**6, 4, -(10**6))),
    )  # fmt: skip
    measurements = some(
        measured_at=moment, measurement_period_start=always(NOON), measurement_period_end=always(NOON),
        capability_name=one_of(["PROBE_AI", "ReviewAgent_Code"]),
        capability_mode=one_of(["Learning", "Shadow"]), tasks_completed=lambda dice: dice.randint(0, 30),
        tasks_required_for_graduation=always(20), primary_metric_name=always("MAPE"), primary_metric_value=whole(10_000, 4),
        primary_metric_target=whole(10_000, 4), metric_direction=one_of(["lower_is_better", "higher_is_better"]),
        graduation_criteria_met=flag,
    )  # fmt: skip
    errors = some(
        error_type=one_of(["KeyError", "http_error"]), agent=maybe(["debugger"]), hook_type=maybe(["Stop"]),
        endpoint_path=maybe(["/a"]), occurrence_count=lambda dice: dice.randint(0, 9), severity=maybe(["high"]),
        first_seen_at=always(NOON), last_seen_at=moment, sample_correlation_ids=always([]),
    )  # fmt: skip
    chains = some(
        primary_agent=one_of(["planner"]), delegated_agents=one_of([["debugger"], ["debugger", "tester"]]),
        delegation_depth=one_of([1, 2]), trigger_context=always("fix"), success_rate=whole(10_000, 4),
        usage_count=lambda dice: dice.randint(0, 9), avg_total_duration_ms=maybe(whole(10**12, 6)),
        avg_coordination_overhead_ms=maybe(whole(10**12, 6)), source_traces=always([]), created_at=moment,
        last_used_at=maybe(moment),
    )  # fmt: skip
    return Work(
        {
            "agent_cost_vector": [metric(dice) for _ in range(dice.randint(0, 3 * most))],
            "execution_traces": [{"correlation_id": uuid(n), **one} for n, one in enumerate(traces)],
            "task_metadata": [{"task_id": TASKS[n], **one} for n, one in enumerate(tasks)],
            "defect_log": [{"defect_id": f"D-{n}", **one} for n, one in enumerate(defects)],
            "endpoint_calls": calls,
            "hook_executions": hooks,
            "router_performance_metrics": decisions,
            "success_patterns": [
                {"id": uuid(n), "source_correlation_id": uuid(n), "intent": "fix", "keywords": [], "agent": "debugger", "prompt_text": [None, "fix <name>"][n],
                 "routing_strategy": "explicit", "hook_sequence": "[]", "endpoint_pattern": "[]"}
                for n in range(2)
            ],
            "pattern_usage_log": [{"id": uuid(100 + n), **one} for n, one in enumerate(uses)],
            "error_patterns": [
                {"id": uuid(200 + n), "error_message_pattern": f"m-{n}", **one} for n, one in enumerate(errors)
            ],
            "agent_chaining_patterns": [{"id": uuid(300 + n), **one} for n, one in enumerate(chains)],
            "bootstrap_metrics": [{"id": n, **one} for n, one in enumerate(measurements)],
        }
    )  # fmt: skip


MOMENTS = st.builds(lambda seed: moment(Random(seed)), st.integers(0, 2**32))
VECTORS = [
    None, "[]", "{}", '{"latency_ms": 5.5, "tokens": 700, "api_cost_usd": 0.00003}',
    '{"latency_ms": "soon", "tokens": true, "api_cost_usd": 12}', '{"latency_ms": 0, "tokens": 3, "api_cost_usd": 0}',
]  # fmt: skip


def work() -> st.SearchStrategy[Work]:
    """Make records of each kind."""
    return st.builds(make, seed=st.integers(0, 2**32), most=st.integers(0, 30))


@st.composite
def narrowing(draw: st.DrawFn) -> dict[str, Any]:
    """Make filters, mostly few of them."""
    found: dict[str, Any] = {
        "project": draw(st.none() | st.none() | st.sampled_from(PROJECTS)), "user": draw(st.none() | st.none() | st.sampled_from(USERS)),
        "role": draw(st.none() | st.none() | st.sampled_from(ROLES)), "model": draw(st.none() | st.none() | st.sampled_from(MODELS)),
        "since": draw(st.none() | MOMENTS), "until": draw(st.none() | MOMENTS),
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}
