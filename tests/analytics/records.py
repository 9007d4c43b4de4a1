"""Makes records of every kind that questions are about, with all that may be missing, odd or on an edge."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
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


def maybe(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), st.sampled_from(values))


def uuid(number: int) -> UUID:
    return UUID(int=number + 1)


# Edges of days in UTC and in the other zones among them, and the same moment again and again.
MOMENTS = st.one_of(
    st.sampled_from([NOON, NOON.replace(hour=0), NOON.replace(hour=23, minute=59, second=59, microsecond=999999)]),
    st.integers(-4 * 24 * 3600 * 10**6, 4 * 24 * 3600 * 10**6).map(lambda us: NOON + timedelta(microseconds=us)),
).flatmap(lambda moment: st.sampled_from([moment.astimezone(zone) for zone in ZONES]))  # fmt: skip
DURATIONS = st.one_of(st.just(0), st.integers(0, 10**12)).map(lambda ns: Decimal(ns).scaleb(-6))
SHARES = st.integers(0, 10_000).map(lambda part: Decimal(part).scaleb(-4))
VECTORS = st.sampled_from(
    [None, "[]", "{}", '{"latency_ms": 5.5, "tokens": 700, "api_cost_usd": 0.00003}',
     '{"latency_ms": "soon", "tokens": true, "api_cost_usd": 12}', '{"latency_ms": 0, "tokens": 3, "api_cost_usd": 0}']
)  # fmt: skip


@st.composite
def metric(draw: st.DrawFn) -> Record:
    kind = draw(st.sampled_from(sorted(METRICS)))
    digits = METRICS[kind]
    value = Decimal(draw(st.one_of(st.just(0), st.integers(0, 10 ** (digits + 5))))).scaleb(-digits)
    return {
        "timestamp": draw(MOMENTS), "task_id": draw(st.sampled_from(TASKS)), "project_id": draw(maybe(PROJECTS)),
        "user_id": draw(maybe(USERS)), "correlation_id": draw(maybe([uuid(n) for n in range(8)])),
        "agent_role": draw(st.sampled_from(ROLES)), "agent_version": draw(maybe(["1.0", "1.1"])), "metric_type": kind,
        "metric_value": value, "metric_unit": "x", "nested": draw(st.booleans()), "llm_model": draw(maybe(MODELS)),
        "llm_provider": draw(maybe(["openai"])),
    }  # fmt: skip


@st.composite
def work(draw: st.DrawFn) -> Work:
    """Make a few records of each kind."""

    def some(**columns: st.SearchStrategy[Any]) -> list[Record]:
        return draw(st.lists(st.fixed_dictionaries(columns), max_size=8))

    traces = some(
        root_id=st.sampled_from([uuid(0), uuid(1)]), session_id=st.just("s"), user_id=maybe(USERS),
        source=st.just("user_prompt"), kind=maybe(["agent", "tool"]), name=st.sampled_from(["plan", "code"]),
        agent_role=maybe(ROLES), task_id=maybe(TASKS), started_at=MOMENTS, duration_ms=st.none() | DURATIONS,
        status=st.sampled_from(STATUSES), error_type=maybe(["KeyError"]), error_message=maybe(["a", "b"]),
    )  # fmt: skip
    tasks = some(
        project_id=maybe(PROJECTS), user_id=maybe(USERS), task_type=maybe(["api"]), created_at=MOMENTS,
        completed_at=st.none() | MOMENTS, status=st.sampled_from(["pending", "in_progress", "completed", "failed"]),
        estimated_complexity=maybe([0, 3]), actual_complexity=maybe([0, 8]), estimated_cost_vector_json=VECTORS,
        actual_cost_vector_json=VECTORS, defect_count=maybe([0, 2]),
        components_affected=maybe([[], ["a.py"], ["a.py", "b.py"]]),
    )[: len(TASKS)]  # fmt: skip
    flag = maybe([True, False])
    defects = [
        defect
        for defect in some(
            task_id=st.sampled_from(TASKS), project_id=maybe(PROJECTS), user_id=maybe(USERS),
            defect_type=st.sampled_from(["4_Hallucination", "8_Alignment_Deviation"]),
            severity=maybe(["Critical", "High", "Medium", "Low"]), phase_injected=st.sampled_from(PHASES),
            phase_removed=st.sampled_from(PHASES), component_path=maybe(["a.py", "c.py"]), created_at=MOMENTS,
            resolved=st.booleans(), effort_to_fix_json=VECTORS, description=st.just("d"), flagged_by_agent=flag,
            validated_by_human=flag, false_positive=flag,
        )
        if defect["phase_injected"] != defect["phase_removed"]
    ]  # fmt: skip
    for defect in defects:
        defect["resolved_at"] = defect["created_at"] if defect.pop("resolved") else None
    around = st.sampled_from([uuid(n) for n in range(10)])
    calls = some(
        correlation_id=around, service_name=st.just("svc"), endpoint_path=st.sampled_from(["/a", "/b"]),
        http_method=st.just("GET"), started_at=MOMENTS, duration_ms=st.none() | DURATIONS, success=st.booleans(),
        error_type=maybe(["timeout"]), retry_count=maybe([0, 2]),
    )  # fmt: skip
    hooks = some(
        execution_id=around, correlation_id=around, hook_type=st.sampled_from(["Stop", "PreToolUse"]),
        tool_name=maybe(["Write"]), started_at=MOMENTS, duration_ms=st.none() | DURATIONS,
        status=st.sampled_from(STATUSES), success=flag,
    )  # fmt: skip
    decisions = some(
        metric_type=st.sampled_from(["routing_decision", "routing_decision", "cache_hit"]), correlation_id=maybe([uuid(0)]),
        selected_agent=maybe(["debugger"]), selection_strategy=maybe(["explicit", "fuzzy_match"]),
        confidence_score=st.none() | SHARES, trigger_confidence=st.none() | SHARES, context_confidence=st.none() | SHARES,
        capability_confidence=st.none() | SHARES, historical_confidence=st.none() | SHARES,
        total_routing_time_us=st.none() | st.integers(0, 200_000), cache_hit=flag, selection_validated=flag,
        actual_success=flag, prediction_error=st.none() | st.integers(-10_000, 10_000).map(lambda n: Decimal(n).scaleb(-4)),
        measured_at=MOMENTS,
    )  # fmt: skip
    uses = some(
        pattern_id=st.sampled_from([uuid(0), uuid(1)]), correlation_id=around, user_request=st.just("q"), match_score=SHARES,
        used=st.booleans(), success=flag, used_at=MOMENTS,
        performance_variance=st.none() | st.integers(-10**6, 10**6).map(lambda n: Decimal(n).scaleb(-4)),
    )  # fmt: skip
    measurements = some(
        measured_at=MOMENTS, measurement_period_start=st.just(NOON), measurement_period_end=st.just(NOON),
        capability_name=st.sampled_from(["PROBE_AI", "ReviewAgent_Code"]),
        capability_mode=st.sampled_from(["Learning", "Shadow"]), tasks_completed=st.integers(0, 30),
        tasks_required_for_graduation=st.just(20), primary_metric_name=st.just("MAPE"), primary_metric_value=SHARES,
        primary_metric_target=SHARES, metric_direction=st.sampled_from(["lower_is_better", "higher_is_better"]),
        graduation_criteria_met=flag,
    )  # fmt: skip
    return Work(
        {
            "agent_cost_vector": draw(st.lists(metric(), max_size=25)),
            "execution_traces": [{"correlation_id": uuid(n), **one} for n, one in enumerate(traces)],
            "task_metadata": [{"task_id": TASKS[n], **one} for n, one in enumerate(tasks)],
            "defect_log": [{"defect_id": f"D-{n}", **one} for n, one in enumerate(defects)],
            "endpoint_calls": calls,
            "hook_executions": hooks,
            "router_performance_metrics": decisions,
            "success_patterns": [
                {"id": uuid(n), "source_correlation_id": uuid(n), "intent": "fix", "keywords": [], "agent": "debugger",
                 "routing_strategy": "explicit", "hook_sequence": "[]", "endpoint_pattern": "[]"}
                for n in range(2)
            ],
            "pattern_usage_log": [{"id": uuid(100 + n), **one} for n, one in enumerate(uses)],
            "bootstrap_metrics": [{"id": n, **one} for n, one in enumerate(measurements)],
        }
    )  # fmt: skip


@st.composite
def narrowing(draw: st.DrawFn) -> dict[str, Any]:
    """Make filters, mostly few of them."""
    found: dict[str, Any] = {
        "project": draw(st.none() | maybe(PROJECTS)), "user": draw(st.none() | maybe(USERS)),
        "role": draw(st.none() | maybe(ROLES)), "model": draw(st.none() | maybe(MODELS)),
        "since": draw(st.none() | MOMENTS), "until": draw(st.none() | MOMENTS),
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}
