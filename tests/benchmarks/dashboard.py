"""Measures how long the dashboard's overview takes over HTTP, the last 30 days, on both databases.

The rows are those of questions.py: they lie evenly over a year, so 30 days are a twelfth of them, and so are the 30 days
before, which the page compares them with. On a machine that is busy otherwise, look at the processor time of this process
(server, client and SQLite; PostgreSQL computes in processes of its own).

python tests/benchmarks/dashboard.py [--quick] [--rows 10000000] [--only sqlite]
"""

import argparse
import asyncio
import http.client
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1] / "dashboard"))
sys.path.insert(0, str(Path(__file__).parents[1]))
from questions import fill_postgres, fill_sqlite
from serving_pages import served
from tables import print_machine, print_requirement, print_table

from asp_telemetry.dashboard.app import create_app
from postgres import Server, programs

_ROUNDS = 15
_LIMITS = {10_000: 100.0, 1_000_000: 300.0}  # ms
_PAGES = {
    "overview, 30 days": "/",
    "overview, 7 days": "/?days=7",
    "running now": "/live",
    "health": "/healthz",
}


def measure(url: str) -> dict[str, tuple[float, ...]]:
    """Return the milliseconds of each page: the first time, of those after it the fastest, the median, and what this process computed."""
    found = {}
    for name, path in _PAGES.items():
        # Each page gets a dashboard of its own, so that the first time is that of a dashboard that was just started.
        with served(create_app(url)) as base:
            took, computed = [], []
            for _ in range(_ROUNDS):
                connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=60)
                begun, used = perf_counter(), process_time()
                connection.request("GET", path)
                answer = connection.getresponse()
                answer.read()
                took.append((perf_counter() - begun) * 1000)
                computed.append((process_time() - used) * 1000)
                connection.close()
                assert answer.status == 200, answer.status
        found[name] = (took[0], min(took[1:]), median(took[1:]), median(computed[1:]))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10 000 rows only")
    parser.add_argument("--rows", type=int, help="so many cost rows instead of 10 000 and a million")
    parser.add_argument("--only", choices=["sqlite", "postgres"], help="one database instead of both")
    chosen = parser.parse_args()
    print_machine()
    for rows in [10_000] if chosen.quick else [chosen.rows] if chosen.rows else list(_LIMITS):
        if chosen.only != "postgres":
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "dashboard.db"
                fill_sqlite(path, rows)
                _print(rows, "SQLite", measure(f"sqlite:///{path}"))
        binaries = programs()
        if chosen.only != "sqlite" and binaries is not None:
            server = Server(binaries)
            try:
                server.stop()
                server.start(shared_buffers="512MB", timezone="UTC", max_wal_size="4GB")
                asyncio.run(fill_postgres(server.url(), rows))
                _print(rows, "PostgreSQL", measure(server.url()))
            finally:
                server.remove()


def _print(rows: int, database: str, found: dict[str, tuple[float, ...]]) -> None:
    print_table(
        f"dashboard on {database} at {rows} cost rows, milliseconds over HTTP",
        ["", "first", "fastest", "median", "CPU here"],
        [[name, *figures] for name, figures in found.items()],
    )
    print()
    limit = _LIMITS.get(rows, 10_000.0)
    print_requirement(f"{database}, overview, 30 days, median", found["overview, 30 days"][2], limit, " ms")


if __name__ == "__main__":
    main()
