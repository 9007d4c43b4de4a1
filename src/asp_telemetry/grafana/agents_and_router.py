"""Says what stands on the Grafana dashboard about how agents, services and the router do."""

from typing import Final

from asp_telemetry.grafana.dashboard import Dashboard
from asp_telemetry.grafana.panel import COUNT, MICROSECONDS, MILLISECONDS, SHARE, USD, Panel

_DURATIONS: Final = {"Median": MILLISECONDS, "p95": MILLISECONDS}
_ROUTING: Final = {
    "Median": MICROSECONDS, "p95": MICROSECONDS, "Cache hits": SHARE, "Confidence": SHARE, "Trigger": SHARE,
    "Context": SHARE, "Capability": SHARE, "History": SHARE, "Succeeded": SHARE, "Prediction error": SHARE,
}  # fmt: skip
_FAILED: Final = "Errors, timeouts and abandoned runs of all that have ended; cancelled ones are no failure."
_PARTS: Final = (
    "Confidence is made of triggers (40 %), context (30 %), capability (20 %) and history (10 %). The prediction error is "
    "confidence less quality: above 0 the router was too sure."
)
_TARGET_US: Final = 100_000.0

AGENTS_AND_ROUTER: Final = Dashboard(
    title="Agents and router",
    description="How fast and how reliable agents, hooks, services and the router are, and what goes wrong.",
    filters=("project", "role", "model", "user"),
    groups={
        "Agents": (
            Panel("Runs of agents", "Runs that began in this time: those that have ended, and those still running.",
                  "stat", "agent_runs", width=8, height=4),
            Panel("Error rate of agents", _FAILED, "stat", "agent_errors", SHARE, width=8, height=4),
            Panel("Time of agents", "Wall time of runs: the median, and what 95 % do not exceed.", "stat",
                  "agent_latency", MILLISECONDS, width=8, height=4),
            Panel("Error rate by role", f"{_FAILED} All kinds of executions that have a role.", "lines",
                  "error_rate_over_time", SHARE),
            Panel("Time by role, p95", "Wall time that 95 % of the runs of a role do not exceed.", "lines",
                  "latency_by_role_over_time", MILLISECONDS),
            Panel("Time of all agents", "Wall time of runs: the median, and what 95 % do not exceed.", "lines",
                  "latency_over_time", MILLISECONDS),
            Panel(
                "Time to first token by model, p95",
                "What 95 % of the streamed answers of a model do not exceed.",
                "lines", "first_token_over_time", MILLISECONDS,
            ),
            Panel(
                "Roles",
                f"{_FAILED} Cost per success has failed runs in it, in USD.",
                "table", "agents", COUNT,
                {"Success rate": SHARE, "Error rate": SHARE, **_DURATIONS, "Cost": USD, "Cost per success": USD},
            ),
            Panel(
                "Versions",
                "Runs of each version of an agent in this time, newest first; cost per run in USD. "
                "`asp-telemetry report agents` says which differences are more than chance.",
                "table", "versions", COUNT, {**_DURATIONS, "Cost per run": USD},
            ),
        ),
        "What goes wrong": (
            Panel("By name", f"Most failures first. {_FAILED}", "table", "outcomes_by_name", units={"Error rate": SHARE}),
            Panel("Errors", "Most frequent first.", "table", "errors"),
            Panel("Running", "Executions that began in this time and have not ended, oldest first.", "table", "running"),
            Panel("Services", "Calls of HTTP endpoints.", "table", "endpoints",
                  units={"Success rate": SHARE, **_DURATIONS}),
            Panel("Hooks", "Hooks around tools and prompts.", "table", "hooks",
                  units={"Success rate": SHARE, **_DURATIONS}, width=24),
        ),
        "Router": (
            Panel("Decisions", "Routing decisions, and those that took more than the target of 100 ms.", "stat",
                  "decisions", width=6, height=4),
            Panel("Routing time, p95", "What 95 % of the decisions do not exceed; the target is 100 ms.", "stat",
                  "routing_time", MICROSECONDS, width=6, height=4, limit=_TARGET_US),
            Panel("Cache hits", "Part of the decisions that came out of the cache.", "stat", "cache_hits", SHARE,
                  width=6, height=4),
            Panel("Choices that succeeded", "Part of the judged decisions whose agent succeeded.", "stat",
                  "routing_success", SHARE, width=6, height=4),
            Panel("Routing time", "Median and p95; the line is the target of 100 ms.", "lines",
                  "routing_time_over_time", MICROSECONDS, limit=_TARGET_US),
            Panel("Confidence and quality", "Means: a router that knows itself is as sure as it is good.", "lines",
                  "confidence_over_time", SHARE),
            Panel("Strategies", _PARTS, "table", "router_by_strategy", COUNT, _ROUTING, width=24),
            Panel("Chosen agents", _PARTS, "table", "router_by_agent", COUNT, _ROUTING, width=24),
            Panel(
                "Patterns",
                "How often each success pattern was offered in this time, used, and led to success; it is of no project, "
                "role or user.",
                "table", "patterns", COUNT, {"Score": SHARE, "Used": SHARE, "Succeeded": SHARE, "Match": SHARE}, width=24,
            ),
        ),
    },
)  # fmt: skip
