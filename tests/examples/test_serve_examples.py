"""The examples of the server send what they say, with curl and with a stock exporter."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples" / "serve"


def costs(path):
    """Return role, task and cost of each model call."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            "SELECT agent_role, task_id, round(metric_value, 6) FROM agent_cost_vector WHERE metric_type = 'API_Cost'"
        ).fetchall()


def test_curl_sends_a_trace(tmp_path):
    """The script sends its trace to a server with a token; sent twice it counts once, and without the token it fails."""
    token = "correct-horse-battery-staple"
    command = [
        sys.executable,
        "-m",
        "asp_telemetry",
        "serve",
        "--port",
        "0",
        "--json",
        "--db-path",
        "served.db",
    ]
    with subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "ASP_SERVE_TOKEN": token}, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            (url,) = json.loads(server.stdout.readline())["listens"]

            def send(**environment):
                return subprocess.run(
                    [str(EXAMPLES / "send.sh"), url],
                    env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False,
                )  # fmt: skip

            for _ in range(2):
                done = send(ASP_SERVE_TOKEN=token)
                assert (done.returncode, done.stdout, done.stderr) == (0, "{}\n", "")
            refused = send()
            assert refused.returncode != 0
            assert json.loads(refused.stdout)["code"] == 16
        finally:
            server.terminate()
        assert server.wait(30) == 0
    assert costs(tmp_path / "served.db") == [("Planning", "TASK-001", 0.000228)]


def test_a_stock_exporter_sends_a_trace(tmp_path):
    """The example prints what the calls of a program cost that knows OpenTelemetry alone."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "exporter.py")],
        cwd=tmp_path, check=True, timeout=60, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "Planning for TASK-001: 3 calls, 0.000684 USD\n"
    assert done.stderr == ""
