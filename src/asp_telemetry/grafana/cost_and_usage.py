"""Says what stands on the Grafana dashboard about money and tokens."""

from typing import Final

from asp_telemetry.grafana.dashboard import Dashboard
from asp_telemetry.grafana.panel import COUNT, SHARE, USD, Panel

_SPENDING: Final = {"Cost": USD, "Out of a cache": SHARE}
_UNKNOWN: Final = "A cost that is not known is missing, never 0."

COST_AND_USAGE: Final = Dashboard(
    title="Cost and usage",
    description="What agents cost in USD and tokens: by role, model, project, user and task.",
    filters=("project", "role", "model", "user"),
    groups={
        "In all": (
            Panel("Cost", f"The cost of all model calls, in USD. {_UNKNOWN}", "stat", "cost", USD, width=5, height=4),
            Panel(
                "Tokens",
                "Input tokens, cached ones included, and output tokens, those of reasoning included.",
                "stat", "tokens", width=6, height=4,
            ),
            Panel(
                "Input out of a cache",
                "Part of the input tokens that came out of a provider's cache.",
                "stat", "cache_share", SHARE, width=4, height=4,
            ),
            Panel(
                "Runs and calls",
                "Finished runs of agents, and answers of models whose tokens are known. Runs belong to no model, so a "
                "chosen model leaves them out.",
                "stat", "calls", width=5, height=4,
            ),
            Panel(
                "Cost per completed task",
                "What tasks that ended in this time cost, failed ones included, for each completed one, in USD, whenever "
                "it was spent. Role and model do not count here.",
                "stat", "cost_per_success", USD, width=4, height=4,
            ),
        ),
        "Over time": (
            Panel("Cost by role", f"USD in each step, by the agent's role. {_UNKNOWN}", "bars", "cost_by_role_over_time",
                  USD, total=True),
            Panel("Cost by model", f"USD in each step, by model. {_UNKNOWN}", "bars", "cost_by_model_over_time", USD,
                  total=True),
            Panel(
                "Tokens over time",
                "Tokens in each step. In is the whole input; what came out of a cache or went into one is part of it, as "
                "reasoning is part of out: do not add them up.",
                "lines", "tokens_over_time", total=True,
            ),
            Panel("Calls and retries", "Model calls, tool calls and repeated attempts in each step.", "lines",
                  "calls_over_time", total=True),
        ),
        "Who and what": (
            Panel("By role", f"Dearest first. {_UNKNOWN}", "table", "by_role", units=_SPENDING),
            Panel("By model", f"Dearest first. {_UNKNOWN}", "table", "by_model", units=_SPENDING),
            Panel("By project", f"Dearest first. {_UNKNOWN}", "table", "by_project", units=_SPENDING),
            Panel("By user", f"Dearest first. {_UNKNOWN}", "table", "by_user", units=_SPENDING),
            Panel(
                "Dearest tasks",
                "The twenty tasks on which most was spent in this time; tokens are input and output together, complexity "
                "is what it turned out to be.",
                "table", "dearest_tasks", COUNT, {"Cost": USD}, width=24, height=9,
            ),
        ),
    },
)  # fmt: skip
