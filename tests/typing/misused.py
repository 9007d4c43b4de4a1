"""Mistakes that a type checker has to find; each line that is wrong says so, and nothing here is ever run."""

import asp_telemetry as asp
from asp_telemetry.analytics import Analytics


@asp.track_agent("Planning")
def plan(task_id: str, *, depth: int = 1) -> int:
    return len(task_id) * depth


@asp.track_tool
async def search(query: str) -> str:
    return query


def misuse() -> None:
    plan(1)  # wrong
    plan("T", 2)  # wrong
    plan("T", depth="x")  # wrong
    plan("T").upper()  # wrong
    search("q").upper()  # wrong
    asp.propagate(plan)(1)  # wrong
    asp.track_agent(rolle="Planning")  # wrong
    asp.span("x", iteration="y")  # wrong
    asp.span("x").nothing()  # wrong


def misask() -> None:
    with Analytics.sync() as ask:
        ask.cost_by_day(day=30)  # wrong
        ask.defects_by_type(severity="High")  # wrong
        ask.cost_by_day(30)  # wrong
        ask.cost_by_day()[0].cost.upper()  # wrong
