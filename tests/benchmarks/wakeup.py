"""Measures how late another thread wakes up from a sleep of 1 ms while a thread makes 5,000 spans a second.

    python tests/benchmarks/wakeup.py [--quick]

A background thread that holds the interpreter's lock for long does not make the tracked call slow, but every other
thread of the host. Each contender runs in a process of its own.
"""

import json
import subprocess
import sys
import tempfile
import threading
from array import array
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, perf_counter_ns, sleep
from typing import Any

from contenders import OpenTelemetry, is_installed, no_operation
from measuring import percentile
from tables import arguments, print_machine, print_requirement, print_table

import asp_telemetry as asp

SPANS_PER_SECOND = 5_000
NAP_SECONDS = 0.001
LIMIT_MS = 2.0
NAMES = {
    "idle": "no spans at all",
    "ours": "asp-telemetry, writer on",
    "ours without writer": "asp-telemetry, writer=False",
    "otel": "opentelemetry, exporter discards",
    "otel encoding": "opentelemetry, exporter encodes OTLP",
}


def _function(name: str, folder: Path) -> Callable[[], Any]:
    if name == "idle":
        return no_operation
    if name.startswith("otel"):
        return OpenTelemetry(encode=name == "otel encoding").plain(no_operation, "agent")
    asp.configure(f"sqlite:///{folder}/wakeup.db", writer=name == "ours")
    return asp.track_agent("Agent")(no_operation)


def _keep_pace(function: Callable[[], Any], until: float) -> int:
    made, begin = 0, perf_counter()
    while (now := perf_counter()) < until:
        due = int((now - begin) * SPANS_PER_SECOND)
        while made < due:
            function()
            made += 1
        sleep(max(0.0, begin + (made + 1) / SPANS_PER_SECOND - perf_counter()))
    return made


def measure(name: str, seconds: float) -> dict[str, Any]:
    """Return how late the naps of this process ended, in ns, and how many spans were made meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        function = _function(name, Path(folder))
        for _ in range(100):
            function()
        if name == "ours":
            assert asp.flush(timeout=20).complete
        late, made = array("q"), array("q")
        until = perf_counter() + seconds
        pace = threading.Thread(target=lambda: made.append(_keep_pace(function, until)))
        pace.start()
        nap = int(NAP_SECONDS * 1e9)
        while perf_counter() < until:
            begin = perf_counter_ns()
            sleep(NAP_SECONDS)
            late.append(perf_counter_ns() - begin - nap)
        pace.join()
        asp.shutdown(timeout=20)
    return {"late": list(late), "made": made[0]}


def print_wakeups(*, rounds: int, seconds: float) -> None:
    """Run each contender in processes of its own, in turns, and print the percentiles."""
    names = [name for name in NAMES if not name.startswith("otel") or is_installed("opentelemetry.sdk.trace")]
    late: dict[str, list[int]] = {name: [] for name in names}
    made = dict.fromkeys(names, 0)
    for _ in range(rounds):
        for name in names:
            output = subprocess.run(
                [sys.executable, __file__, "--only", name, str(seconds)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            measured = json.loads(output)
            late[name] += measured["late"]
            made[name] += measured["made"]
    rows = []
    for name in names:
        values = sorted(late[name])
        rows.append(
            [
                NAMES[name],
                0 if name == "idle" else round(made[name] / rounds / seconds),
                *(percentile(values, share) / 1e6 for share in (0.5, 0.99, 0.999)),
                values[-1] / 1e6,
            ]
        )
    print_table(
        f"How late a sleep of 1 ms returns in another thread, in ms: {rounds} x {seconds:g} s each",
        ["", "spans/s", "p50", "p99", "p99.9", "max"],
        rows,
    )
    print_requirement("p99 of the wake-up with the writer on", rows[1][3], LIMIT_MS, " ms")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--only"]:
        print(json.dumps(measure(sys.argv[2], float(sys.argv[3]))))
    else:
        brief = arguments("How late other threads wake up.").quick
        print_machine()
        print_wakeups(rounds=1 if brief else 2, seconds=0.3 if brief else 8.0)
