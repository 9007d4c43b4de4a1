"""What is measured of agents: success, quality and time, out of executions, transformations and validations."""

from decimal import Decimal

import pytest

import asp_telemetry as asp
from asp_telemetry import guard

ROOT = "019bc0de-0000-7000-8000-{:012d}"


@pytest.fixture
def agents(registry, folder):
    for name in ("runner", "role", "target", "routed", "idle"):
        folder.agent(name)
    asp.load_agents(folder.path, registry.url)
    return registry


def figures(registry, name):
    [row] = registry.rows(
        "SELECT success_rate, quality_score, avg_execution_time_ms FROM agent_definitions "
        f"WHERE agent_name = '{name}' AND is_active"
    )
    return tuple(None if cell is None else Decimal(str(cell)).normalize() for cell in row)


def execution(registry, number, name, status, milliseconds, *, kind="agent", role=None, started="now"):
    moment = {"now": "CURRENT_TIMESTAMP", "long ago": "TIMESTAMP '2001-01-01 00:00:00'"}[started]
    if registry.is_sqlite:
        moment = {
            "now": "strftime('%Y-%m-%d %H:%M:%f000', 'now')", "long ago": "'2001-01-01 00:00:00.000000'",
        }[started]  # fmt: skip
    key = ROOT.format(number)
    registry.run(
        "INSERT INTO execution_traces (correlation_id, root_id, session_id, source, kind, name, agent_role, status, "
        f"started_at, duration_ms) VALUES ('{key}', '{key}', 's', 'user_prompt', '{kind}', '{name}', "
        f"'{role or name}', '{status}', {moment}, {milliseconds})"
    )


def test_executions_tell_success_and_time(agents):
    """By name or role; errors and time-outs count against, what still runs, is no agent or long ago does not count."""
    execution(agents, 1, "runner", "success", 100)
    execution(agents, 2, "runner", "success", 200)
    execution(agents, 3, "runner", "error", 300)
    execution(agents, 4, "runner", "in_progress", "NULL")
    execution(agents, 5, "runner", "error", 9_000, kind="tool")
    execution(agents, 6, "runner", "error", 9_000, started="long ago")
    execution(agents, 7, "step", "success", 50, role="role")
    assert asp.refresh_agents(agents.url) == ("role", "runner")
    assert figures(agents, "runner") == (Decimal("0.6667"), None, Decimal(200))
    assert figures(agents, "role") == (Decimal(1), None, Decimal(50))
    assert figures(agents, "idle") == (None, None, None)
    assert asp.refresh_agents(agents.url) == ()


def test_transformations_and_validations_tell_quality(agents):
    """Both count for the quality; they tell success only of agents that nothing better is known of."""
    for number, (target, success, quality) in enumerate(
        [("target", "true", 0.9), ("target", "false", 0.5), ("runner", "false", 0.2)]
    ):
        agents.run(
            "INSERT INTO agent_transformation_events (event_type, correlation_id, target_agent, success, quality_score, "
            f"total_execution_duration_ms) VALUES ('transformation_complete', '{ROOT.format(number)}', '{target}', "
            f"{success}, {quality}, 40)"
        )
    for agent, success, quality in (
        ("routed", "true", 0.8),
        ("target", "false", 0.1),
        ("routed", "false", "NULL"),
    ):
        agents.run(
            "INSERT INTO router_performance_metrics (metric_type, selected_agent, selection_validated, actual_success, "
            f"actual_quality_score) VALUES ('routing_decision', '{agent}', true, {success}, {quality})"
        )
    execution(agents, 1, "runner", "success", 100)
    assert asp.refresh_agents(agents.url) == ("routed", "runner", "target")
    assert figures(agents, "target") == (Decimal("0.5"), Decimal("0.5"), Decimal(40))
    assert figures(agents, "routed") == (Decimal("0.5"), Decimal("0.8"), None)
    assert figures(agents, "runner") == (Decimal(1), Decimal("0.2"), Decimal(100))


def test_who_had_nothing_to_do_keeps_its_figures(agents):
    """A quiet month does not make an agent unknown; inactive versions keep what was measured while they were active."""
    execution(agents, 1, "runner", "success", 100)
    asp.refresh_agents(agents.url)
    agents.run("DELETE FROM execution_traces")
    assert asp.refresh_agents(agents.url) == ()
    assert figures(agents, "runner") == (Decimal(1), None, Decimal(100))


def test_a_load_measures_what_was_recorded(agents, folder):
    """What decorators, transformations and routings record of an agent is what routers know of it after the next load."""
    asp.configure(agents.url, strict=True, replace=True)

    @asp.track_agent
    def runner(fails):
        if fails:
            raise ValueError("broken")

    @asp.track_agent("role")
    def step():
        runner(False)

    step()
    with pytest.raises(ValueError, match="broken"):
        runner(True)
    with asp.transformation("role", "target") as handed:
        handed.quality(0.6)
    with asp.routing("run it") as routing:
        routing.choose("target", confidence=0.9)
    asp.validate_routing(routing.id, success=True, quality=0.8)
    assert asp.flush(20).complete
    asp.shutdown(20)
    guard.be_strict(False)
    assert asp.load_agents(folder.path, agents.url).measured == ("role", "runner", "target")
    assert figures(agents, "target")[:2] == (Decimal(1), Decimal("0.7"))
    assert figures(agents, "runner")[0] == Decimal("0.5")
    assert figures(agents, "role")[0] == Decimal(1)
