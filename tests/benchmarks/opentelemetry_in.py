"""Measures what listening to OpenTelemetry spans costs whoever ends them, over a provider that nobody listens to.

    python tests/benchmarks/opentelemetry_in.py [--quick]

CPU time of the calling thread, without a writer, the fastest of several rounds: what is added to each span.
"""

import sys
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from time import thread_time

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer
from tables import arguments, print_machine, print_table

import asp_telemetry as asp
from asp_telemetry.integrations.opentelemetry import attach

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.provider.name": "openai"}
AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "Planner"}
_numbers = count()


def model_call(tracer: Tracer) -> None:
    """Make the span of a model call with an answer."""
    with tracer.start_as_current_span("chat gpt-4o", attributes=CHAT) as span:
        span.set_attributes(
            {
                "gen_ai.response.id": f"chatcmpl-{next(_numbers)}",
                "gen_ai.usage.input_tokens": 1200,
                "gen_ai.usage.output_tokens": 80,
            }
        )


def agent_with_call(tracer: Tracer) -> None:
    """Make the span of an agent that calls a model."""
    with tracer.start_as_current_span("invoke_agent Planner", attributes=AGENT):
        model_call(tracer)


def http_request(tracer: Tracer) -> None:
    """Make a span that is none of ours."""
    with tracer.start_as_current_span("GET", attributes={"http.request.method": "GET"}):
        pass


def microseconds(make: Callable[[Tracer], None], tracer: Tracer, *, rounds: int, calls: int) -> float:
    """Return what one call takes, in the fastest round."""
    best = float("inf")
    for _ in range(rounds):
        start = thread_time()
        for _ in range(calls):
            make(tracer)
        best = min(best, thread_time() - start)
    return best / calls * 1e6


def main() -> int:
    """Measure and print."""
    quick = arguments(__doc__ or "").quick
    rounds, calls = (2, 200) if quick else (12, 2_000)
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        asp.configure(f"sqlite:///{Path(folder) / 'telemetry.db'}", writer=False, exit_seconds=0)
        bare, heard = TracerProvider(shutdown_on_exit=False), TracerProvider(shutdown_on_exit=False)
        attach(heard)
        rows = []
        for label, make in (
            ("model call", model_call),
            ("agent that calls a model", agent_with_call),
            ("HTTP request", http_request),
        ):
            alone = microseconds(make, bare.get_tracer("benchmark"), rounds=rounds, calls=calls)
            ours = microseconds(make, heard.get_tracer("benchmark"), rounds=rounds, calls=calls)
            rows.append([label, alone, ours, ours - alone])
        print_table("µs of CPU in the caller's thread", ["span", "bare", "listened to", "added"], rows)
        asp.shutdown(timeout=0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
