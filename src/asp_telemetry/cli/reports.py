"""Says which questions each report asks, and which of their figures fit on a terminal."""

from typing import Any, Final, NamedTuple, cast, get_args, get_type_hints

from asp_telemetry.analytics import Analytics
from asp_telemetry.bootstrap import Bootstrap
from asp_telemetry.estimation import Estimator

Door = type[Analytics] | type[Bootstrap] | type[Estimator]
"""What opens a database and answers questions about it."""

_SAID: Final = {"project_id": "project"}
"""Filters that a door calls otherwise than the command line does."""


class Table(NamedTuple):
    """Be one table of a report.

    Attributes:
        name: What `--table` calls it.
        title: What people read above it.
        question: The method that answers it.
        columns: The fields that a terminal shows; programs get all of them.
        always: Whether it is shown without being asked for by name.
        door: Whose method that is.
        record: What records such rows, for whom has none.
        by_day: Whether its rows are days, from old to new: of a long table the last ones are what people want.
    """

    name: str
    title: str
    question: str
    columns: tuple[str, ...]
    always: bool = True
    door: Door = Analytics
    record: str = ""
    by_day: bool = False

    @property
    def row_class(self) -> type[Any]:
        """Return what a row of the answer is: a dataclass."""
        [found] = get_args(get_type_hints(getattr(self.door, self.question))["return"])
        return cast("type[Any]", found)

    @property
    def filters(self) -> dict[str, str]:
        """Return what the question can be narrowed by: the name here, and that of the method's parameter."""
        hint = get_type_hints(getattr(self.door, self.question)).get("filters")
        names = () if hint is None else get_type_hints(get_args(hint)[0])
        return {_SAID.get(name, name): name for name in names}


_SPENDING: Final = (
    "cost_usd", "model_calls", "tokens_in", "tokens_out", "cache_read_share", "latency_ms", "tool_calls", "retries",
)  # fmt: skip
_OF_MODELS: Final = (
    "cost_usd",
    "model_calls",
    "tokens_in",
    "tokens_out",
    "cache_read_share",
    "reasoning_share",
)
_OUTCOMES: Final = ("executions", "error_rate", "successes", "errors", "timeouts", "cancelled", "abandoned")
_DURATIONS: Final = ("average_ms", "p50_ms", "p95_ms", "p99_ms")
_ROUTER: Final = (
    "decisions", "average_us", "over_target", "cache_hit_rate", "confidence", "prediction_error", "success_rate",
)  # fmt: skip

REPORTS: Final[dict[str, tuple[Table, ...]]] = {
    "cost": (
        Table("role", "Cost by agent role", "cost_by_agent_role", ("agent_role", *_SPENDING)),
        Table("model", "Cost by model", "cost_by_model", ("model", "provider", *_OF_MODELS)),
        Table("project", "Cost by project", "cost_by_project", ("project_id", *_SPENDING)),
        Table("user", "Cost by user", "cost_by_user", ("user_id", *_SPENDING)),
        Table("day", "Cost by day (UTC)", "cost_by_day", ("day", *_SPENDING), by_day=True),
    ),
    "tasks": (
        Table(
            "success", "What a completed task costs", "cost_per_successful_task",
            ("project_id", "task_type", "tasks", "successes", "success_rate", "cost_usd", "cost_per_success_usd"),
        ),
        Table(
            "list", "Tasks, estimated against actual (off: +, it took more); the newest first", "tasks",
            (
                "task_id", "status", "estimated_complexity", "actual_complexity", "complexity_error",
                "estimated_latency_ms", "actual_latency_ms", "latency_error", "estimated_cost_usd", "actual_cost_usd",
                "cost_error", "defect_count",
            ),
        ),
    ),
    "defects": (
        Table(
            "type", "Defects by type", "defects_by_type",
            ("defect_type", "defects", "critical", "high", "medium", "low", "unresolved", "fix_cost_usd", "fix_ms"),
            record="asp.log_defect(...)",
        ),
        Table(
            "component", "Defect density by component", "defect_density_by_component",
            ("component_path", "tasks", "complexity", "defects", "severe_defects", "defect_density"),
            record="task.set(components_affected=[...]) and log_defect(component_path=...)",
        ),
        Table("phase", "From where defects come, and where they are found", "defects_by_phase",
              ("phase_injected", "phase_removed", "defects"), record="asp.log_defect(...)"),
        Table("yield", "What each phase finds of what it could", "phase_yields",
              ("phase", "injected", "removed", "escaped", "phase_yield")),
    ),
    "review": (
        Table(
            "review", "What review agents find, wrongly find, and let through", "review_effectiveness",
            (
                "review_phase", "true_positives", "false_positives", "unvalidated", "escapes", "true_positive_rate",
                "false_positive_rate", "escape_rate",
            ),
        ),
    ),
    "bootstrap": (
        Table(
            "status", "How far each capability has come, measured now", "status",
            ("capability", "mode", "value", "target", "notes", "tasks_completed", "tasks_required"), door=Bootstrap,
        ),
        Table(
            "history", "What was recorded, over time", "bootstrap_history",
            ("measured_at", "capability", "mode", "value", "target", "notes"), always=False,
        ),
    ),
    "probe": (
        Table("accuracy", "How good estimates of completed tasks were (off: +, they took more)", "estimate_accuracy",
              ("figure", "tasks", "mape_share", "bias_share", "near_share")),
        Table(
            "basis", "What new estimates rest on, and what a task of middling complexity will take", "basis",
            (
                "figure", "method", "tasks", "r_squared", "mape_share", "complexity", "estimate", "low_70", "high_70",
                "low_90", "high_90",
            ), door=Estimator,
        ),
        Table(
            "list", "Tasks, estimated against actual; the newest first", "tasks",
            (
                "task_id", "estimated_complexity", "actual_complexity", "estimated_latency_ms", "actual_latency_ms",
                "estimated_tokens", "actual_tokens", "estimated_cost_usd", "actual_cost_usd",
            ),
        ),
    ),
    "agents": (
        Table(
            "reliability", "Agents by role", "agent_reliability",
            ("agent_role", "executions", "errors", "timeouts", "error_rate", *_DURATIONS, "cost_usd", "cost_per_success_usd"),
        ),
        Table("versions", "Versions of agents", "agent_versions",
              ("agent_role", "version", "runs", "first_run_at", "last_run_at")),
        Table("router", "How agents were chosen", "router_quality", ("strategy", *_ROUTER),
              record="asp.routing(...)"),
        Table("selected", "Which agents were chosen", "router_quality_by_agent", ("selected_agent", *_ROUTER), always=False,
              record="asp.routing(...)"),
        Table(
            "patterns", "Learned patterns", "pattern_effectiveness",
            ("intent", "agent", "offered", "used", "use_rate", "successes", "partial_successes", "failures", "success_rate", "average_variance"), always=False,
            record="`asp-telemetry patterns learn`",
        ),
        Table("day", "Latency by day (UTC)", "latency_by_day", ("day", "measured", *_DURATIONS), by_day=True),
    ),
    "errors": (
        Table(
            "errors", "Errors, by type and place", "errors",
            ("error_type", "agent_role", "name", "occurrences", "traces", "last_seen_at", "newest_message"),
        ),
        Table("rates", "How executions end", "error_rates", ("name", "kind", "agent_role", *_OUTCOMES)),
        Table(
            "endpoints", "Calls of services", "endpoint_reliability",
            ("service", "method", "path", "calls", "successes", "timeouts", "retries", *_DURATIONS, "last_failure_at"),
            record="asp.endpoint_call(...)",
        ),
        Table(
            "hooks", "Hooks", "hook_reliability",
            ("hook_type", "tool_name", "runs", "successes", *_DURATIONS, "last_started_at"), always=False, record="asp.hook(...)",
        ),
        Table("day", "How executions end, by day (UTC)", "outcomes_by_day", ("day", *_OUTCOMES), by_day=True),
    ),
}  # fmt: skip
"""The reports, each with its tables; the first one is what --csv writes."""
