"""Says what stands on the Grafana dashboard about defects, estimates and what agents have learned."""

from typing import Final

from asp_telemetry.grafana.dashboard import Dashboard
from asp_telemetry.grafana.panel import COUNT, MILLISECONDS, PERCENT, SHARE, USD, Panel

_MODES: Final = (("Learning", "blue"), ("Shadow", "yellow"), ("Autonomous", "green"))

QUALITY_AND_BOOTSTRAP: Final = Dashboard(
    title="Quality and bootstrap",
    description="Where defects come from and what lets them through, how good estimates are, what agents have learned.",
    filters=("project", "user"),
    groups={
        "Defects": (
            Panel("Defects", "Defects found in this time, false positives left out, and those not yet resolved.", "stat",
                  "defects", width=6, height=4),
            Panel("Cost of fixes", "What fixing them took, in USD, as far as it was told.", "stat", "fix_cost", USD,
                  width=6, height=4),
            Panel("Tasks that ended", "Tasks that were completed or failed in this time.", "stat", "ended_tasks", width=6,
                  height=4),
            Panel(
                "Defects per unit of complexity",
                "Defects of completed tasks that were begun in this time, for each unit of their complexity.",
                "stat", "density", width=6, height=4,
            ),
            Panel("Defects by severity", "Defects found in each step.", "bars", "defects_over_time", total=True),
            Panel("Defects by type", "Most frequent first; the share is that of the type and all above it.", "table",
                  "pareto", units={"Cumulative share": SHARE}, bar="Defects"),
            Panel(
                "Put in and taken out",
                "Defects by the phase that put them in (rows) and the one that took them out (columns). The further right "
                "of its own phase, the dearer.",
                "table", "phase_matrix",
            ),
            Panel(
                "Reviews",
                "What review agents flagged: right and wrong by a person's judgement, or not judged yet; and defects from "
                "before that were found only later. The shares are of what was judged, and of what there was to find.",
                "table", "reviews", COUNT, {"Right share": SHARE, "Escaped share": SHARE},
            ),
            Panel(
                "Defects by component",
                "Defects of each component for each unit of complexity of the tasks that touched it; the fifty worst.",
                "table", "by_component", width=24,
            ),
        ),
        "Estimates": (
            Panel(
                "Mean error of estimates",
                "The mean of |estimated - actual| / actual (MAPE) over completed tasks that were created in this time. "
                "PROBE_AI graduates at 20 %.",
                "stat", "estimate_error", SHARE,
            ),
            Panel(
                "Error of estimates over time",
                "The mean of |estimated - actual| / actual of the tasks created in each step.",
                "points", "estimate_error_over_time", SHARE,
            ),
            Panel(
                "Estimated and actual",
                "The newest hundred completed tasks that were estimated.",
                "table", "estimated_tasks", COUNT,
                {"Time, estimated": MILLISECONDS, "Time, actual": MILLISECONDS, "Cost, estimated": USD,
                 "Cost, actual": USD},
                width=24, height=9,
            ),
        ),
        "Bootstrap": (
            Panel(
                "Capabilities",
                "The newest measurement of each capability, whatever the time above: `asp-telemetry bootstrap measure` "
                "records them, in percent.",
                "table", "bootstrap_status", COUNT, {"Value": PERCENT, "Target": PERCENT}, width=24,
            ),
            Panel("Measured values", "The metric of each capability as it was recorded, in percent.", "lines",
                  "bootstrap_values", PERCENT),
            Panel("Modes", "The mode of each capability as it was recorded.", "states", "bootstrap_modes", states=_MODES),
        ),
    },
)  # fmt: skip
