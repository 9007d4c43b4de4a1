"""What the crash tests share: starting the worker, reading its report, draining, and comparing with the database."""

import os
import sqlite3
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from struct import unpack
from time import monotonic, sleep
from typing import Any

import anyio
from worker import OPENED, STREAMS, THREADS

from asp_telemetry.settings import resolve
from asp_telemetry.sidecar import DrainSummary, drain_all
from asp_telemetry.sinks.database import DatabaseSink
from asp_telemetry.stores import open_store
from asp_telemetry.writer.adoption import Adoption
from asp_telemetry.writer.batch import Batch
from asp_telemetry.writer.drainer import Drainer
from asp_telemetry.writer.mirrors import Mirrors

WORKER = Path(__file__).with_name("worker.py")
LOADED = range(6)
"""The streams of a worker under load."""
_START_SECONDS = 30.0


@dataclass
class Worker:
    """Be one running or ended worker."""

    run: str
    report: Path
    process: subprocess.Popen[bytes]
    died_at: float = field(default=0.0)

    @property
    def returned(self) -> tuple[int, ...]:
        """How many calls of each stream have returned."""
        return tuple(unpack(f"<{STREAMS}Q", self.report.read_bytes()))

    def wait_until_loaded(self) -> None:
        """Wait until several threads have returned from calls, and the span that never ends has been entered."""
        self.wait_for(*range(THREADS), OPENED)

    def wait_for(self, *streams: int) -> None:
        """Wait until a number stands in the report for each of some streams."""
        deadline = monotonic() + _START_SECONDS
        while not all(self.returned[stream] for stream in streams):
            assert self.process.poll() is None, f"the worker ended by itself: {self.process.returncode}"
            assert monotonic() < deadline, "the worker did not begin in time"
            sleep(0.002)

    def send(self, number: int) -> None:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        self.process.wait(20)
        self.died_at = monotonic()

    @property
    def open_seconds(self) -> float:
        """How long the span that never ends had been open when the worker died."""
        opened = self.returned[OPENED]
        return self.died_at - opened / 1e9 if opened else 0.0


class Matrix:
    """Start workers that record into one database, and look at what has become of their calls.

    Args:
        folder: Where database, journals and reports lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "telemetry.db"
        self.workers: list[Worker] = []
        self._numbers = count()

    def start(self, mode: str, number: int = 0, *, run: str = "") -> Worker:
        """Start a worker."""
        place = next(self._numbers)
        name = run or f"run{place}"
        report = self.folder / f"report-{place}"
        report.write_bytes(bytes(STREAMS * 8))
        with report.with_name(f"{report.name}-errors").open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, str(WORKER), str(self.database), str(report), name, mode, str(number)],
                env={**os.environ, "PYTHONWARNINGS": "error"},
                stderr=errors,
            )
        worker = Worker(name, report, process)
        self.workers.append(worker)
        return worker

    def errors(self, worker: Worker) -> str:
        """Return what a worker has written to its standard error."""
        return worker.report.with_name(f"{worker.report.name}-errors").read_text()

    def end(self) -> None:
        """Kill what still runs."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()

    def drain(self, **options: Any) -> DrainSummary:
        """Finish all journals, as `asp-telemetry drain` does."""
        return anyio.run(lambda: drain_all(resolve({"database": f"sqlite:///{self.database}"}), **options))

    def drain_around(self, between: Callable[[], object]) -> None:
        """Drain without locks, and let something else happen between the first reading and the first commit."""

        class SlowSink(DatabaseSink):
            waited = False

            async def write(self, batch: Batch) -> None:
                if not self.waited:
                    self.waited = True
                    await anyio.to_thread.run_sync(between)
                await super().write(batch)

        async def drain() -> None:
            settings = resolve({"database": f"sqlite:///{self.database}"})
            sink = SlowSink(open_store(settings.database))
            drainer = Drainer(sink, considerate=False)
            adoption = Adoption([settings.journal_dir], settings.destination, None, use_locks=False)
            adoption.look(await sink.open())
            try:
                while await drainer.drain(list(adoption.outlets)):
                    pass
                await adoption.finish(drainer, sink, Mirrors((), drainer))
            finally:
                await sink.close()
            assert sink.waited

        anyio.run(drain)

    def journals(self) -> list[Path]:
        """Return the journals that wait; what a killed process leaves of one that it has emptied goes a minute later."""
        return sorted(path.parent for path in (self.folder / "asp-journal").glob("*/journal.json"))

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Ask the database."""
        connection = sqlite3.connect(self.database)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep everybody else from writing into the database, as soon as it is there."""
        while not self.database.exists() or not self.rows("PRAGMA table_info(journal_checkpoints)"):
            sleep(0.002)
        connection = sqlite3.connect(self.database, isolation_level=None, timeout=20)
        connection.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            connection.close()

    def check_nothing_doubled(self) -> None:
        """Check that no row is there twice, that none was refused for being there already, and that nothing is lost."""
        assert self.rows("SELECT journal_id, sequence, reason FROM rejected_records") == []
        assert (
            self.rows("SELECT journal_id, dropped, drop_reasons FROM journal_checkpoints WHERE dropped") == []
        )
        doubled = self.rows(
            "SELECT name, agent_iteration, count(*) FROM execution_traces "
            "WHERE name LIKE '%/%' GROUP BY 1, 2 HAVING count(*) > 1"
        )
        assert doubled == []
        kinds = self.rows(
            "SELECT (SELECT count(*) FROM execution_traces WHERE kind = 'agent' AND completed_at IS NOT NULL), "
            "(SELECT count(*) FROM agent_cost_vector WHERE metric_type = 'Latency'), "
            "(SELECT count(DISTINCT correlation_id) FROM agent_cost_vector WHERE metric_type = 'Latency'), "
            "(SELECT count(*) FROM execution_traces WHERE kind = 'tool'), "
            "(SELECT count(*) FROM agent_cost_vector WHERE metric_type = 'Tool_Calls')"
        )[0]
        assert kinds[0] == kinds[1] == kinds[2], kinds
        assert kinds[3] == kinds[4], kinds
        measured = self.rows(
            "SELECT capability_name, tasks_completed FROM bootstrap_metrics GROUP BY 1, 2 HAVING count(*) > 1"
        )
        assert measured == []

    def check(self, worker: Worker, streams: range, *, exact: int | None = None) -> None:
        """Check that every call which had returned is there, once, with all that belongs to it.

        Args:
            worker: The dead worker.
            streams: Its streams.
            exact: How many calls there must be per stream; without it one more than have been reported may be there,
                since a worker may die between the return of a call and its report.
        """
        found: dict[str, Counter[int]] = defaultdict(Counter)
        for name, number in self.rows(
            "SELECT name, agent_iteration FROM execution_traces WHERE name LIKE ? || '/%'", worker.run
        ):
            found[name][number] += 1
        tools = Counter(
            dict(
                self.rows(
                    "SELECT above.name || '/' || above.agent_iteration, count(*) FROM execution_traces AS tool "
                    "JOIN execution_traces AS above ON above.correlation_id = tool.parent_id "
                    "WHERE tool.name LIKE '%lookup' AND above.name LIKE ? || '/%' GROUP BY 1",
                    worker.run,
                )
            )
        )
        for stream in streams:
            name = f"{worker.run}/{stream}"
            last = worker.returned[stream] if exact is None else exact
            due = set(range(1, last + 1))
            there = set(found[name])
            assert due - there == set(), f"{name}: calls that had returned are missing"
            assert there - due <= (set() if exact is not None else {last + 1}), (
                f"{name}: calls out of nowhere"
            )
            assert set(found[name].values()) <= {1}, f"{name}: doubled"
            for number in due:
                if number % 5 == 0:
                    assert tools[f"{name}/{number}"] == 1, f"{name}: the tool of call {number}"
            measured = [
                number
                for (number,) in self.rows(
                    "SELECT tasks_completed FROM bootstrap_metrics WHERE capability_name = ? ORDER BY 1", name
                )
            ]
            marks = list(range(50, last + 2, 50))
            assert measured in (marks, [mark for mark in marks if mark <= last]), f"{name}: {measured}"
            self._check_around(name, last)

    def _check_around(self, name: str, last: int) -> None:
        """Check that the hooks and routings of a stream's calls are there, once, and each routing with its validation."""
        marks = list(range(25, last + 2, 25))
        due = [mark for mark in marks if mark <= last]
        hooks = [
            int(number)
            for (number,) in self.rows("SELECT tool_name FROM hook_executions WHERE hook_type = ?", name)
        ]
        assert sorted(hooks) in (marks, due), f"{name}: hooks {sorted(hooks)}"
        routed = dict(
            self.rows(
                "SELECT decision.selected_agent, metric.prediction_error FROM agent_routing_decisions AS decision "
                "JOIN router_performance_metrics AS metric ON metric.id = decision.id WHERE decision.user_request = ?",
                name,
            )
        )
        assert sorted(map(int, routed)) in (marks, due), f"{name}: routings {sorted(routed)}"
        assert all(routed[str(mark)] == 0.25 for mark in due), f"{name}: validations {routed}"
