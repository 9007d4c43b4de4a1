"""Measures what `asp-telemetry hook` makes each tool call of Claude Code wait: its whole process, beside a bare Python.

    python tests/benchmarks/hook.py [--quick]

All take turns, so that what else the machine does slows all; of each the median and the fastest are shown.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter_ns

from tables import arguments, print_machine, print_requirement, print_table

BARE = [sys.executable, "-c", "pass"]
HOOK = [sys.executable, "-c", "from asp_telemetry_command import main; main()", "hook"]
MOST_FACTOR, MOST_MORE_MS = 1.5, 40.0
TOLD = {
    "session_id": "5e551011-0000-4000-8000-000000000001",
    "transcript_path": "/nowhere/transcript.jsonl",
    "cwd": "/home/ana/shop",
    "permission_mode": "default",
    "tool_name": "Write",
    "tool_use_id": "toolu_1",
}


def told(kind: str, size: int) -> bytes:
    """Return what a hook is told of a file of so many bytes."""
    tool_input = {"file_path": "/home/ana/shop/cart.py", "content": "x" * size}
    return json.dumps({**TOLD, "hook_event_name": kind, "tool_input": tool_input}).encode()


def milliseconds(command: list[str], data: bytes, environment: dict[str, str]) -> float:
    """Run a process to its end."""
    begin = perf_counter_ns()
    subprocess.run(command, input=data, env=environment, stdout=subprocess.DEVNULL, check=True)
    return (perf_counter_ns() - begin) / 1e6


def main() -> None:
    """Measure and print."""
    rounds = 5 if arguments(__doc__ or "").quick else 60
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        plain = {**os.environ, "ASP_DATABASE_URL": f"sqlite:///{folder}/a.db", "ASP_JOURNAL_DIR": folder}
        cases = {
            "bare python -c pass": (BARE, b"", plain),
            "hook, 1 kB": (HOOK, told("PreToolUse", 1_000), plain),
            "hook, 100 kB": (HOOK, told("PostToolUse", 100_000), plain),
            "hook, 1 kB, with content": (
                HOOK,
                told("PreToolUse", 1_000),
                {**plain, "ASP_CAPTURE_CONTENT": "1"},
            ),
            "hook, 1 kB, PostgreSQL": (
                HOOK,
                told("PreToolUse", 1_000),
                {**plain, "ASP_DATABASE_URL": "postgresql://ana@db.example/asp"},
            ),
        }
        spent: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(rounds + 1):
            for name, (command, data, environment) in cases.items():
                spent[name].append(milliseconds(command, data, environment))
        records = sum(len(path.read_bytes().splitlines()) - 2 for path in Path(folder).glob("hooks/*.spool"))
    # The first time, everything is compiled.
    rows = [(name, median(times[1:]), min(times[1:])) for name, times in spent.items()]
    print_table(f"A process in ms, {rounds} rounds in turns", ["", "median", "fastest"], rows)
    print(f"\nrecords taken down: {records} of {(len(cases) - 1) * (rounds + 1)}")
    bare = rows[0][2]
    for name, _, fastest in rows[1:]:
        print_requirement(f"{name}, the fastest", fastest, MOST_FACTOR * bare + MOST_MORE_MS, " ms")


if __name__ == "__main__":
    main()
