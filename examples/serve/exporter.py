"""Send traces to `asp-telemetry serve` with nothing but OpenTelemetry, as a program in any language can.

    python examples/serve/exporter.py

Starts a server of its own, on loopback and with a token, lets a stock OpenTelemetry SDK and exporter send it an agent with
three model calls, stops it, and asks the database what that has cost. The sender knows nothing of this package; needs
`pip install "asp-telemetry[serve]" opentelemetry-exporter-otlp-proto-http`.
"""

import json
import os
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

DATABASE = Path("data/served.db")


@contextmanager
def server(token: str) -> Iterator[str]:
    """Run `asp-telemetry serve` on any free port, and give its URL."""
    command = [
        sys.executable,
        "-m",
        "asp_telemetry",
        "serve",
        "--port",
        "0",
        "--json",
        "--db-path",
        str(DATABASE),
    ]
    process = subprocess.Popen(
        command, env={**os.environ, "ASP_SERVE_TOKEN": token}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["listens"][0]
    finally:
        process.terminate()  # what was received is committed before it ends
        process.communicate(timeout=30)


def send(url: str, token: str) -> None:
    """Be a program that is instrumented with OpenTelemetry."""
    exporter = OTLPSpanExporter(url, headers={"Authorization": f"Bearer {token}"})
    provider = TracerProvider(resource=Resource({"service.name": "planner", "service.version": "1.4"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("planner")
    agent = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "Planner",
        "asp.agent.role": "Planning",
        "asp.task.id": "TASK-001",
    }
    call = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 80,
    }
    with tracer.start_as_current_span("invoke_agent Planner", attributes=agent):
        for _ in range(3):
            with tracer.start_as_current_span("chat gpt-4o-mini", attributes=call):
                pass
    provider.shutdown()


def main() -> None:
    """Send, then ask."""
    token = secrets.token_urlsafe(32)
    with server(token) as url:
        send(url, token)
    query = """
        SELECT agent_role, task_id, count(*), round(sum(metric_value), 6) FROM agent_cost_vector
        WHERE metric_type = 'API_Cost' GROUP BY agent_role, task_id
    """
    with closing(sqlite3.connect(DATABASE)) as connection:
        for role, task, calls, usd in connection.execute(query):
            print(f"{role} for {task}: {calls} calls, {usd} USD")


if __name__ == "__main__":
    main()
