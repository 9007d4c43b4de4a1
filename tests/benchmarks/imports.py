"""Measures what `import asp_telemetry` costs, and lists what it brings along.

    python tests/benchmarks/imports.py [--quick]

Every import happens in a fresh interpreter; all take turns, and of each the fastest counts.
"""

import os
import subprocess
import sys
import tempfile
from typing import Any

from contenders import is_installed
from tables import arguments, print_machine, print_requirement, print_table

OURS = "asp_telemetry"
SHARES = {"opentelemetry.sdk.trace": 1 / 2, "langfuse": 1 / 16}
HEAVY = ("pydantic", "anyio", "aiosqlite", "asyncpg", "orjson", "asyncio", "sqlite3")
# What the interpreter itself imports at its start is there already and costs nobody anything.
_CODE = """
import sys, time
before = set(sys.modules)
begin = time.perf_counter_ns()
import {module}
spent = time.perf_counter_ns() - begin
found = set(sys.modules) - before
print(spent, len(found), *(name for name in {heavy!r} if name in found))
"""


def import_once(module: str, folder: str) -> tuple[float, int, list[str]]:
    """Return the ms of an import in a fresh interpreter, how many modules came with it, and which heavy ones."""
    # Whether anybody has compiled a package before, or may write into it, shall not matter.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    output = subprocess.run(
        [sys.executable, "-c", _CODE.format(module=module, heavy=HEAVY)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    ).stdout
    spent, modules, *heavy = output.split()
    return int(spent) / 1e6, int(modules), heavy


def print_imports(*, rounds: int) -> None:
    """Import all in turns and print the fastest of each."""
    names = [OURS, *(name for name in SHARES if is_installed(name))]
    best = dict.fromkeys(names, float("inf"))
    came: dict[str, list[Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            for name in names:
                spent, *came[name] = import_once(name, folder)
                if number > 0:  # the first time, everything is compiled
                    best[name] = min(best[name], spent)
    print_table(
        f"Imports in ms: fastest of {rounds} alternating rounds, each in a fresh interpreter",
        ["import", "ms", "modules", f"{OURS} / this", "of the heavy ones"],
        [
            [name, best[name], came[name][0], best[OURS] / best[name], " ".join(came[name][1]) or "none"]
            for name in names
        ],
    )
    for name, share in SHARES.items():
        measured = best[OURS] / best[name] if name in best else None
        print_requirement(f"import {OURS}, against import {name}", measured, share, "x")
    print_requirement(f"heavy modules that import {OURS} brings along", len(came[OURS][1]), 0)


if __name__ == "__main__":
    brief = arguments("What importing this package costs.").quick
    print_machine()
    print_imports(rounds=2 if brief else 15)
