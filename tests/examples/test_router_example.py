"""The example of a router chooses as its agents say, and what it chose stands in the database."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "router.py"


def run(folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], cwd=folder, check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_the_example_routes_and_measures(tmp_path):
    """Requests go to whom they call for, unknown ones to nobody, and failures lower what is known of an agent."""
    lines = run(tmp_path)
    assert lines[0] == "3 agents added, 0 unchanged"
    chosen = [line.split(": ", 1)[1].split()[0] for line in lines[1:6]]
    assert chosen == ["debugger", "coder", "debugger", "planner", "nobody"]
    assert lines[6:] == [
        "coder: success rate 1.00, quality 0.90",
        "debugger: success rate 0.50, quality 0.55",
        "planner: success rate 1.00, quality 0.90",
    ]
    with closing(sqlite3.connect(tmp_path / "data" / "asp_telemetry.db")) as connection:
        decisions = connection.execute(
            "SELECT selected_agent, confidence_total, confidence_trigger, routing_strategy FROM agent_routing_decisions "
            "WHERE selected_agent IS NOT NULL ORDER BY created_at"
        ).fetchall()
        errors = connection.execute(
            "SELECT count(*), min(confidence_score - actual_quality_score = prediction_error) "
            "FROM router_performance_metrics WHERE selection_validated"
        ).fetchall()
    assert [row[0] for row in decisions] == ["debugger", "coder", "debugger", "planner"]
    assert all(
        total > 0 and trigger > 0 and strategy == "fuzzy_match" for _, total, trigger, strategy in decisions
    )
    assert errors[0][0] == 4
    assert run(tmp_path)[0] == "0 agents added, 3 unchanged"
