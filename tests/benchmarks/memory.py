"""Measures how much memory a process keeps while it records, and while its database cannot be written.

    python tests/benchmarks/memory.py [--quick]

Each measurement runs in a process of its own.
"""

import gc
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, Self

from contenders import answer
from tables import arguments, print_machine, print_requirement, print_table

import asp_telemetry as asp

WARM_UP_CALLS = 10_000
LIMIT_MIB = 30.0
_SAMPLE_SECONDS = 0.02
_LOCK = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('BEGIN IMMEDIATE'); print(flush=True); input()"


def resident_mib() -> float:
    """Return the resident memory of this process, maps of files included."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        # The highest so far: as good, where what is asked for is a growth that must not happen.
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
    return pages * resource.getpagesize() / 2**20


class _Watch:
    """Keep the highest resident memory that was seen while something ran."""

    def __init__(self) -> None:
        self.highest = resident_mib()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(_SAMPLE_SECONDS):
            self.highest = max(self.highest, resident_mib())


def million(agent: Callable[[], Any], _path: Path, calls: int) -> int:
    """Make calls as fast as they go, and commit them all."""
    for _ in range(calls):
        agent()
    result = asp.flush(timeout=3600)
    assert result.complete, result
    return calls


def locked(agent: Callable[[], Any], path: Path, seconds: int) -> int:
    """Make calls as fast as they go while another process holds the database's lock."""
    made = 0
    with subprocess.Popen(
        [sys.executable, "-c", _LOCK, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        until = monotonic() + seconds
        while monotonic() < until:
            for _ in range(1000):
                agent()
            made += 1000
        other.communicate("\n")
    return made


RUNS = {"million": million, "locked": locked}


def measure(name: str, amount: int) -> dict[str, Any]:
    """Return the resident memory after the warm-up and the highest during a run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "telemetry.db"
        asp.configure(f"sqlite:///{path}")
        agent = asp.track_agent("Planning", version="1.2.3")(answer)
        for _ in range(WARM_UP_CALLS):
            agent()
        assert asp.flush(timeout=120).complete
        gc.collect()
        before = resident_mib()
        with _Watch() as watch:
            made = RUNS[name](agent, path, amount)
        figures = asp.stats()
        if name == "million":
            with sqlite3.connect(path) as connection:
                (stored,) = connection.execute("SELECT count(*) FROM execution_traces").fetchone()
            connection.close()
            assert stored == WARM_UP_CALLS + made, (stored, made)
        # What is still pending goes with the folder.
        asp.shutdown(timeout=0.1 if name == "locked" else 60)
    assert figures["accepted"] == sum(figures[part] for part in ("stored", "pending", "rejected", "dropped"))
    return {"before": before, "highest": watch.highest, "made": made, "dropped": figures["dropped"]}


def print_memory(*, quick: bool) -> None:
    """Run the measurements and print how far each went above its warm-up."""
    amounts = {"million": 5_000 if quick else 1_000_000, "locked": 1 if quick else 60}
    titles = {
        "million": f"{amounts['million']:,} calls at full speed",
        "locked": f"database locked for {amounts['locked']} s, at full speed",
    }
    rows = []
    for name, amount in amounts.items():
        output = subprocess.run(
            [sys.executable, __file__, "--only", name, str(amount)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        found = json.loads(output)
        grown = found["highest"] - found["before"]
        rows.append([titles[name], found["made"], found["dropped"], found["before"], found["highest"], grown])
    print_table(
        f"Resident memory in MiB, maps of the journal included, after {WARM_UP_CALLS:,} calls of warm-up",
        ["", "calls", "dropped", "warm", "highest", "growth"],
        rows,
    )
    for row in rows:
        print_requirement(f"growth of memory, {row[0]}", row[-1], LIMIT_MIB, " MiB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--only"]:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]))))
    else:
        brief = arguments("How much memory recording keeps.").quick
        print_machine()
        print_memory(quick=brief)
