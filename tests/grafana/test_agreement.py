"""The dashboards and `Analytics` give the same figures for the same time and the same choice."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from grafana_asking import NOW, Questioner

from asp_telemetry.analytics import Analytics

COST, QUALITY, AGENTS = "cost-and-usage", "quality-and-bootstrap", "agents-and-router"
SINCE, UNTIL = NOW - timedelta(days=70), NOW - timedelta(days=3)
TIME = {"since": SINCE, "until": UNTIL}
CHOICES = [
    pytest.param({}, id="all"),
    pytest.param({"project": "Checkout"}, id="project"),
    pytest.param({"role": "Code"}, id="role"),
    pytest.param({"user": "ana", "project": "Mobile-App"}, id="user and project"),
]
WITHOUT_ROLE = [choice for choice in CHOICES if choice.id != "role"]


def agree(drawn: Iterable[Any], answered: Iterable[Any], columns: dict[str, str]) -> None:
    """Hold the rows that a panel draws against those of a question: each column against the field it stands for."""
    shown = sorted(([_plain(row[column]) for column in columns] for row in drawn), key=repr)
    told = sorted(([_plain(getattr(row, name)) for name in columns.values()] for row in answered), key=repr)
    assert shown
    assert shown == [pytest.approx(row) for row in told]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return float(value) if isinstance(value, int | float | Decimal) else value


@pytest.fixture
async def ask(team_url: str) -> Any:
    """Ask what the dashboards are held against."""
    async with Analytics(team_url) as analytics:
        yield analytics


def chosen(choice: dict[str, str]) -> dict[str, list[str]]:
    """Return a choice as the variables of a dashboard have it."""
    return {name: [value] for name, value in choice.items()}


@pytest.mark.parametrize("choice", [*CHOICES, pytest.param({"model": "gpt-4.1"}, id="model")])
async def test_costs(grafana: Questioner, ask: Analytics, choice: dict[str, str]) -> None:
    """Costs and tokens by role, model, project and user are those of the reports, and so are the figures in all."""
    narrowed = TIME | chosen(choice)
    figures = {"Cost": "cost_usd", "Model calls": "model_calls", "Tokens in": "tokens_in", "Tokens out": "tokens_out",
               "Out of a cache": "cache_read_share"}  # fmt: skip
    for title, key, answered in (
        ("By role", {"Role": "agent_role"}, await ask.cost_by_agent_role(**TIME, **choice)),
        ("By model", {"Model": "model", "Provider": "provider"}, await ask.cost_by_model(**TIME, **choice)),
        ("By project", {"Project": "project_id"}, await ask.cost_by_project(**TIME, **choice)),
        ("By user", {"User": "user_id"}, await ask.cost_by_user(**TIME, **choice)),
    ):
        agree(await grafana.panel(title, COST, **narrowed), answered, key | figures)
    in_all = await ask.cost_in_all(**TIME, **choice)
    (cost,) = await grafana.panel("Cost", COST, **narrowed)
    (tokens,) = await grafana.panel("Tokens", COST, **narrowed)
    (calls,) = await grafana.panel("Runs and calls", COST, **narrowed)
    (cached,) = await grafana.panel("Input out of a cache", COST, **narrowed)
    assert cost["Cost"] == in_all.cost_usd
    assert (tokens["In"], tokens["Out"]) == (in_all.tokens_in, in_all.tokens_out)
    assert (calls["Agent runs"], calls["Model calls"]) == (in_all.agent_runs, in_all.model_calls)
    assert float(cached[0]) == pytest.approx(in_all.cache_read_share)


async def test_costs_over_time_add_up(grafana: Questioner, ask: Analytics) -> None:
    """The bars of a day are what the report says of that day."""
    rows = await grafana.panel("Cost by role", COST, **TIME)
    days: dict[str, float] = {}
    for row in rows:
        day = datetime.fromtimestamp(int(row["time"]), UTC).date().isoformat()
        days[day] = days.get(day, 0) + float(row["value"])
    expected = {
        row.day.isoformat(): float(row.cost_usd) for row in await ask.cost_by_day(**TIME) if row.cost_usd
    }
    assert days == pytest.approx(expected)


@pytest.mark.parametrize("choice", WITHOUT_ROLE)
async def test_cost_per_completed_task(grafana: Questioner, ask: Analytics, choice: dict[str, str]) -> None:
    """What a completed task costs, failed ones included, is what the report says."""
    rows = await ask.cost_per_successful_task(**TIME, **choice)
    paid = sum(row.cost_usd or 0 for row in rows) / sum(row.successes for row in rows)
    (drawn,) = await grafana.panel("Cost per completed task", COST, **TIME, **chosen(choice))
    assert float(drawn[0]) == pytest.approx(float(paid))


@pytest.mark.parametrize("choice", CHOICES)
async def test_reliability_and_latency(grafana: Questioner, ask: Analytics, choice: dict[str, str]) -> None:
    """Error rates, percentiles and costs of roles, and error rates by name, are those of the reports."""
    narrowed = TIME | chosen(choice)
    agree(
        await grafana.panel("Roles", AGENTS, **narrowed),
        await ask.agent_reliability(**TIME, **choice),
        {"Role": "agent_role", "Runs": "executions", "Running": "in_progress", "Success rate": "success_rate",
         "Error rate": "error_rate", "Median": "p50_ms", "p95": "p95_ms", "Cost": "cost_usd",
         "Cost per success": "cost_per_success_usd"},
    )  # fmt: skip
    agree(
        await grafana.panel("By name", AGENTS, **narrowed),
        await ask.error_rates(**TIME, **choice),
        {"Kind": "kind", "Name": "name", "Role": "agent_role", "Runs": "executions", "Error rate": "error_rate",
         "Timeouts": "timeouts", "Abandoned": "abandoned"},
    )  # fmt: skip
    agree(
        await grafana.panel("Errors", AGENTS, **narrowed),
        await ask.errors(**TIME, **choice),
        {"Error": "error_type", "Role": "agent_role", "Name": "name", "Occurrences": "occurrences", "Traces": "traces",
         "Last seen": "last_seen_at"},
    )  # fmt: skip
    agree(
        await grafana.panel("Versions", AGENTS, **narrowed),
        await ask.agent_versions(**TIME, **choice),
        {"Role": "agent_role", "Version": "version", "Runs": "runs", "Last run": "last_run_at"},
    )


async def test_latency_by_role_and_day(grafana: Questioner, ask: Analytics) -> None:
    """The percentiles of a day and of the time to the first token are values that occurred, and those of the reports."""
    drawn = {
        datetime.fromtimestamp(int(row["time"]), UTC).date(): (float(row["Median"]), float(row["p95"]))
        for row in await grafana.panel("Time of all agents", AGENTS, **TIME)
    }
    assert drawn == {row.day: (row.p50_ms, row.p95_ms) for row in await ask.latency_by_day(**TIME)}
    day = {"since": NOW.replace(hour=0, minute=0), "until": NOW}
    agree(
        await grafana.panel("Time to first token by model, p95", AGENTS, **day),
        await ask.first_token_by_model(**day),
        {"metric": "model", "value": "p95_ms"},
    )
    agree(
        await grafana.panel("Time by role, p95", AGENTS, **day),
        await ask.latency_by_agent_role(**day),
        {"metric": "agent_role", "value": "p95_ms"},
    )


@pytest.mark.parametrize("choice", CHOICES)
async def test_surroundings_and_router(grafana: Questioner, ask: Analytics, choice: dict[str, str]) -> None:
    """Services, hooks and routing decisions do as the reports say."""
    narrowed = TIME | chosen(choice)
    if "role" not in choice:
        agree(
            await grafana.panel("Services", AGENTS, **narrowed),
            await ask.endpoint_reliability(**TIME, **choice),
            {"Service": "service", "Method": "method", "Path": "path", "Calls": "calls", "Success rate": "success_rate",
             "Timeouts": "timeouts", "Retries": "retries", "Median": "p50_ms", "p95": "p95_ms"},
        )  # fmt: skip
    agree(
        await grafana.panel("Hooks", AGENTS, **narrowed),
        await ask.hook_reliability(**TIME, **choice),
        {"Hook": "hook_type", "Tool": "tool_name", "Runs": "runs", "Success rate": "success_rate", "Median": "p50_ms",
         "p95": "p95_ms"},
    )  # fmt: skip
    if "role" not in choice:
        figures = {
            "Decisions": "decisions", "Median": "p50_us", "p95": "p95_us", "Cache hits": "cache_hit_rate",
            "Confidence": "confidence", "Trigger": "trigger_confidence", "Context": "context_confidence",
            "Capability": "capability_confidence", "History": "historical_confidence", "Succeeded": "success_rate",
            "Prediction error": "prediction_error",
        }  # fmt: skip
        agree(
            await grafana.panel("Strategies", AGENTS, **narrowed),
            await ask.router_quality(**TIME, **choice),
            {"Strategy": "strategy"} | figures,
        )
        agree(
            await grafana.panel("Chosen agents", AGENTS, **narrowed),
            await ask.router_quality_by_agent(**TIME, **choice),
            {"Agent": "selected_agent"} | figures,
        )


async def test_patterns(grafana: Questioner, ask: Analytics) -> None:
    """Patterns were offered, used and useful as often as the report says."""
    agree(
        await grafana.panel("Patterns", AGENTS),
        await ask.pattern_effectiveness(),
        {"Intent": "intent", "Offered": "offered", "Used": "use_rate", "Succeeded": "success_rate",
         "Match": "average_match", "Score": "success_score"},
    )  # fmt: skip


@pytest.mark.parametrize("choice", WITHOUT_ROLE)
async def test_defects_and_estimates(grafana: Questioner, ask: Analytics, choice: dict[str, str]) -> None:
    """Defects by type, phase, review and component, and the errors of estimates, are those of the reports."""
    narrowed = TIME | chosen(choice)
    agree(
        await grafana.panel("Defects by type", QUALITY, **narrowed),
        await ask.defects_by_type(**TIME, **choice),
        {"Type": "defect_type", "Defects": "defects", "Critical": "critical", "High": "high", "Medium": "medium",
         "Low": "low", "Unresolved": "unresolved"},
    )  # fmt: skip
    (fixes,) = await grafana.panel("Cost of fixes", QUALITY, **narrowed)
    assert fixes[0] == sum(row.fix_cost_usd or 0 for row in await ask.defects_by_type(**TIME, **choice))
    matrix = await grafana.panel("Put in and taken out", QUALITY, **narrowed)
    assert {
        (row["Put in"], removed): count
        for row in matrix
        for removed, count in row.items()
        if removed not in {"Put in", "All"} and count
    } == {
        (row.phase_injected, row.phase_removed): row.defects
        for row in await ask.defects_by_phase(**TIME, **choice)
    }
    agree(
        await grafana.panel("Reviews", QUALITY, **narrowed),
        await ask.review_effectiveness(**TIME, **choice),
        {"Review": "review_phase", "Right": "true_positives", "Wrong": "false_positives", "Not judged": "unvalidated",
         "Escaped": "escapes", "Right share": "true_positive_rate", "Escaped share": "escape_rate"},
    )  # fmt: skip
    agree(
        await grafana.panel("Defects by component", QUALITY, **narrowed),
        await ask.defect_density_by_component(**TIME, **choice),
        {"Component": "component_path", "Defects": "defects", "Critical or high": "severe_defects", "Tasks": "tasks",
         "Complexity": "complexity", "Defects per unit": "defect_density"},
    )  # fmt: skip
    (error,) = await grafana.panel("Mean error of estimates", QUALITY, **narrowed)
    accuracy = {row.figure: row.mape_share for row in await ask.estimate_accuracy(**TIME, **choice)}
    for column, figure in (
        ("Complexity", "complexity"),
        ("Time", "latency"),
        ("Tokens", "tokens"),
        ("Cost", "cost"),
    ):
        assert error[column] == pytest.approx(accuracy[figure])


async def test_bootstrap(grafana: Questioner, ask: Analytics) -> None:
    """Modes, values and targets of capabilities are those of the report, and so is their history."""
    agree(
        await grafana.panel("Capabilities", QUALITY),
        await ask.bootstrap_status(),
        {"Capability": "capability", "Mode": "mode", "Metric": "metric", "Value": "value", "Target": "target",
         "Tasks": "tasks_completed", "Tasks needed": "tasks_required", "What is missing": "notes"},
    )  # fmt: skip
    history = await ask.bootstrap_history(**TIME)
    agree(
        await grafana.panel("Measured values", QUALITY, **TIME),
        history,
        {"time": "measured_at", "value": "value"},
    )
    drawn = await grafana.panel("Modes", QUALITY, **TIME)
    modes = {1: "Learning", 2: "Shadow", 3: "Autonomous"}
    assert sorted((row["time"], row["metric"], modes[row["value"]]) for row in drawn) == sorted(
        (row.measured_at, row.capability, row.mode) for row in history
    )
