"""Measures what an execution costs in CPU from call to commit, and how much memory the process keeps.

    python tests/benchmarks/pipeline.py [--quick]

An execution is an agent's call that returns an answer with token usage: one trace row and four metric rows. The measure
is `sqlite3` alone: `executemany` of the very same rows, prepared beforehand, into the same schema with the same pragmas
and the same commits.
"""

import gc
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import anyio
from contenders import answer
from memory import print_memory
from tables import arguments, print_machine, print_requirement, print_table

import asp_telemetry as asp
from asp_telemetry.journal.outlet import find_journals
from asp_telemetry.sinks.database import DatabaseSink
from asp_telemetry.writer.batch import METRIC_COLUMNS, TRACE_COLUMNS, Batch, Checkpoint
from asp_telemetry.writer.drainer import Drainer

LIMIT = 1.6
METRICS = ("API_Cost", "Latency", "Tokens_In", "Tokens_Out")


class Rows(NamedTuple):
    """Hold the rows of some executions, in the order of the table's columns."""

    traces: list[Sequence[Any]]
    metrics: list[Sequence[Any]]


class _Collector:
    """Be a sink that keeps the batches it is given."""

    name = "collector"

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    async def open(self) -> str:
        return "collector"

    async def checkpoints(self, journal_id: str) -> dict[str, Checkpoint]:
        return {}

    async def write(self, batch: Batch) -> None:
        self.batches.append(batch)


def call(executions: int) -> None:
    """Make executions."""
    agent = asp.track_agent("Planning", version="1.2.3")(answer)
    for _ in range(executions):
        agent()


def prepared_rows(folder: Path, executions: int) -> Rows:
    """Return the rows that the writer makes of some executions."""
    asp.configure(f"sqlite:///{folder}/prepared/unused.db", writer=False, replace=True)
    call(executions)
    asp.shutdown()
    (outlet,) = find_journals(folder / "prepared" / "asp-journal")
    assert outlet.claim(also_living=True)
    sink = _Collector()
    drainer = Drainer(sink, considerate=False)

    async def drain() -> None:
        while await drainer.drain([outlet]):
            outlet.refresh()

    anyio.run(drain)
    outlet.delete()
    entries = [entry for batch in sink.batches for entry in batch.entries]
    rows = Rows([entry.row for entry in entries], [row for entry in entries for row in entry.metrics])
    assert len(rows.traces) == executions
    assert len(rows.metrics) == executions * len(METRICS)
    return rows


def without_writer(folder: Path, executions: int) -> float:
    """Return the CPU seconds of the host alone, when somebody else drains."""
    asp.configure(f"sqlite:///{folder}/alone/unused.db", writer=False, replace=True)
    call(100)
    begin = process_time()
    call(executions)
    used = process_time() - begin
    asp.shutdown()
    shutil.rmtree(folder / "alone")
    return used


def from_call_to_commit(folder: Path, executions: int) -> tuple[float, list[int]]:
    """Return the CPU seconds of all threads until everything is committed, and the sizes of the commits."""
    path = folder / "ours" / "telemetry.db"
    sizes: list[int] = []
    write = DatabaseSink.write

    async def noting_size(sink: DatabaseSink, batch: Batch) -> None:
        await write(sink, batch)
        sizes.append(len(batch.entries))

    DatabaseSink.write = noting_size  # type: ignore[method-assign]
    try:
        asp.configure(f"sqlite:///{path}", replace=True)
        call(100)
        assert asp.flush(timeout=60).complete
        sizes.clear()
        gc.collect()
        begin = process_time()
        call(executions)
        result = asp.flush(timeout=600)
        used = process_time() - begin
    finally:
        DatabaseSink.write = write  # type: ignore[method-assign]
    asp.shutdown(timeout=60)
    assert result.complete, result
    _check(path, executions + 100)
    shutil.rmtree(path.parent)
    return used, sizes


def bare(path: Path, rows: Rows, sizes: list[int], *, whole: bool) -> float:
    """Return the CPU seconds that `sqlite3` alone takes for the same rows in commits of the same sizes.

    Args:
        path: An empty database with the schema.
        rows: The rows, prepared.
        sizes: How many executions go into each commit.
        whole: Whether all columns are written, or only those that are not NULL throughout.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    traces, trace_sql = _insertion("execution_traces", TRACE_COLUMNS, rows.traces, whole=whole)
    metrics, metric_sql = _insertion("agent_cost_vector", METRIC_COLUMNS, rows.metrics, whole=whole)
    batches = list(_cut(traces, metrics, sizes))
    gc.collect()
    begin = process_time()
    for some_traces, some_metrics in batches:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(trace_sql, some_traces)
        connection.executemany(metric_sql, some_metrics)
        connection.execute("COMMIT")
    used = process_time() - begin
    connection.close()
    _check(path, len(rows.traces))
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    return used


def _insertion(
    table: str, columns: Sequence[str], rows: list[Sequence[Any]], *, whole: bool
) -> tuple[list[Sequence[Any]], str]:
    used = [place for place in range(len(columns)) if whole or any(row[place] is not None for row in rows)]
    names = ", ".join(columns[place] for place in used)
    marks = ", ".join("?" * len(used))
    return [
        tuple(row[place] for place in used) for row in rows
    ], f"INSERT INTO {table} ({names}) VALUES ({marks})"


def _cut(
    traces: list[Sequence[Any]], metrics: list[Sequence[Any]], sizes: list[int]
) -> Iterator[tuple[list[Sequence[Any]], list[Sequence[Any]]]]:
    begin, each = 0, len(METRICS)
    for size in sizes:
        yield traces[begin : begin + size], metrics[begin * each : (begin + size) * each]
        begin += size


def _check(path: Path, executions: int) -> None:
    with sqlite3.connect(path) as connection:
        (traces,) = connection.execute("SELECT count(*) FROM execution_traces").fetchone()
        found = connection.execute(
            "SELECT metric_type, count(*) FROM agent_cost_vector GROUP BY 1 ORDER BY 1"
        ).fetchall()
    connection.close()
    assert traces == executions, (traces, executions)
    assert found == [(name, executions) for name in METRICS], found


def _empty_database(folder: Path) -> Path:
    """Make a database with the schema, to be copied."""
    path = folder / "empty" / "telemetry.db"
    asp.configure(f"sqlite:///{path}", replace=True)
    with asp.span("to have the database made"):
        pass
    assert asp.flush(timeout=60).complete
    asp.shutdown(timeout=60)
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM execution_traces")
        connection.execute("DELETE FROM agent_cost_vector")
    connection.execute("VACUUM")
    connection.close()
    return path


def print_pipeline(folder: Path, *, rounds: int, executions: int) -> None:
    """Measure all in turns, and print the fastest of each."""
    rows = prepared_rows(folder, executions)
    # Half a million tuples that stay: the garbage collector of the rounds below shall not look at them.
    gc.collect()
    gc.freeze()
    empty = _empty_database(folder)
    best: dict[str, float] = {}
    commits: list[int] = []

    def note(name: str, seconds: float) -> None:
        best[name] = min(best.get(name, float("inf")), seconds * 1e6 / executions)

    for _ in range(rounds):
        used, sizes = from_call_to_commit(folder, executions)
        note("from call to commit", used)
        commits.append(len(sizes))
        for name, whole in (("sqlite3, all columns", True), ("sqlite3, columns in use", False)):
            copy = folder / "bare.db"
            shutil.copy(empty, copy)
            note(name, bare(copy, rows, sizes, whole=whole))
        note("the host alone, writer=False", without_writer(folder, executions))
    measure = best["sqlite3, all columns"]
    print_table(
        f"CPU of all threads in µs per execution of 1 + {len(METRICS)} rows: fastest of {rounds} rounds of "
        f"{executions} executions in {min(commits)} to {max(commits)} commits",
        ["", "µs", "/ sqlite3, all columns", "/ sqlite3, columns in use"],
        [
            [name, figure, figure / measure, figure / best["sqlite3, columns in use"]]
            for name, figure in best.items()
        ],
    )
    print_requirement(
        "from call to commit, against sqlite3 alone", best["from call to commit"] / measure, LIMIT, "x"
    )


def main() -> None:
    """Measure and print everything."""
    quick = arguments("What an execution costs from call to commit, and what memory is kept.").quick
    for name in [name for name in os.environ if name.startswith("ASP_")]:
        del os.environ[name]
    print_machine()
    print(f"SQLite {sqlite3.sqlite_version}")
    with tempfile.TemporaryDirectory() as folder:
        print_pipeline(Path(folder), rounds=1 if quick else 7, executions=500 if quick else 20_000)
    print_memory(quick=quick)


if __name__ == "__main__":
    main()
