"""Captures what a block of code records: as typed records, read from a real database after everything is committed."""

import os
import shutil
import sqlite3
import tempfile
import weakref
from contextlib import closing
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

from asp_telemetry import guard
from asp_telemetry.capture import state
from asp_telemetry.capture.lifecycle import child_frame, leave_out_of_turn
from asp_telemetry.errors import AspTelemetryError, ConfigurationError
from asp_telemetry.journal.outlet import find_journals
from asp_telemetry.recorder import control
from asp_telemetry.recorder.diversion import Diversion
from asp_telemetry.recorder.recorder import FlushResult
from asp_telemetry.recorder.waiting import flush_recorder
from asp_telemetry.records import (
    AgentCostVector,
    AgentRoutingDecision,
    AgentTransformationEvent,
    BootstrapMetrics,
    DefectLog,
    EndpointCall,
    ExecutionTrace,
    HookExecution,
    Record,
    RejectedRecord,
    RouterPerformanceMetric,
    TaskMetadata,
)
from asp_telemetry.settings import NAMES, resolve
from asp_telemetry.testing.template import lay_down

R = TypeVar("R", bound=Record)

_FLUSH_SECONDS = 10.0
_PLACES = frozenset({"database", "journal_dir", "writer", "flush_on_sigterm", "auto_migrate"})
_DATABASE_NAME = "telemetry.db"


class Recording:
    """Be what a block of code has recorded; made by `capture()`, readable inside the block and after it.

    Each look first waits until everything recorded so far is committed to a database of the block's own, and then reads
    that: what a test sees has gone the whole way through journal, writer, prices and schema.

    Attributes:
        folder: Where database and journal lie.
        path: The database, an SQLite file.
        url: Its URL, for subprocesses (`ASP_DATABASE_URL`) and commands.
    """

    def __init__(self, folder: Path | None, everywhere: bool | None, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._everywhere = everywhere
        self._is_own_folder = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="asp-telemetry-")) if folder is None else folder.absolute()
        self.path = self.folder / _DATABASE_NAME
        self.url = f"sqlite:///{quote(str(self.path))}"
        if self._is_own_folder:
            weakref.finalize(self, _remove, self.folder, os.getpid())
        self._diversion: Diversion | None = None
        self._frame: state.SpanList | None = None
        self._outer: state.SpanList | None = None
        self._was_strict = guard.strict
        self._troubles: dict[str, int] = {}
        self._account: dict[str, Any] | None = None
        self._last: FlushResult | None = None

    def __enter__(self) -> Self:
        if self._diversion is not None:
            raise AspTelemetryError(
                "this capture() has been used before; call capture() again for a second block"
            )
        places = {"database": self.url, "journal_dir": self.folder / "asp-journal"}
        self._was_strict = guard.strict
        # The environment of a test run must not decide what the test sees.
        settings = resolve({"strict": self._was_strict, **self._settings, **places}, {})
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            lay_down(self.path)
        self._troubles = guard.counts()
        everywhere = not control.is_in_use() if self._everywhere is None else self._everywhere
        diversion = self._diversion = Diversion(settings, everywhere=everywhere)
        diversion.open()
        self._outer = state.get_current()
        self._frame = diversion.frame = child_frame(None, diversion.scope)
        state.set_current(self._frame)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._diversion is not None
        assert self._frame is not None
        if state.get_current() is self._frame:
            state.set_current(self._outer)
        else:
            leave_out_of_turn(self._frame)
        self._last = self._diversion.close(_FLUSH_SECONDS)
        self._finish_other_journals()
        self._account = self._figures()
        guard.be_strict(self._was_strict)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    @property
    def executions(self) -> list[ExecutionTrace]:
        """The executions (agents, tools, model calls, spans, tasks), in the order of their start."""
        return self._read(ExecutionTrace, "started_at, correlation_id")

    @property
    def metrics(self) -> list[AgentCostVector]:
        """The metrics: latency, tokens, costs, and what else was recorded."""
        return self.records(AgentCostVector)

    @property
    def tasks(self) -> list[TaskMetadata]:
        """The tasks, with the facts of all `task()` blocks and updates merged."""
        return self.records(TaskMetadata)

    @property
    def defects(self) -> list[DefectLog]:
        """The defects, as they stand after all that was said of them."""
        return self.records(DefectLog)

    @property
    def bootstrap_metrics(self) -> list[BootstrapMetrics]:
        """What `record_bootstrap` has measured."""
        return self.records(BootstrapMetrics)

    @property
    def routing_decisions(self) -> list[AgentRoutingDecision]:
        """Which agents were chosen for requests."""
        return self.records(AgentRoutingDecision)

    @property
    def router_metrics(self) -> list[RouterPerformanceMetric]:
        """How well the router did: its times, its cache, and how its choices turned out."""
        return self.records(RouterPerformanceMetric)

    @property
    def hooks(self) -> list[HookExecution]:
        """The hooks around tools and prompts."""
        return self.records(HookExecution)

    @property
    def endpoint_calls(self) -> list[EndpointCall]:
        """The HTTP calls to services."""
        return self.records(EndpointCall)

    @property
    def transformations(self) -> list[AgentTransformationEvent]:
        """The hand-overs from one agent to another."""
        return self.records(AgentTransformationEvent)

    @property
    def rejected(self) -> list[RejectedRecord]:
        """What the database has refused, with the reasons."""
        return self.records(RejectedRecord)

    def records(self, model: type[R]) -> list[R]:
        """Return the rows of any table as its records, in the order in which they were inserted.

        Args:
            model: One of `asp_telemetry.records`.

        Raises:
            AspTelemetryError: If not everything recorded could be committed within ten seconds.
        """
        return self._read(model, "rowid")

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Run a query on the block's database, after everything recorded so far is committed.

        Args:
            query: SQL for SQLite.
            *values: What its question marks stand for.

        Returns:
            A dict per row.

        Raises:
            AspTelemetryError: If not everything recorded could be committed within ten seconds.
        """
        result = self.flush()
        if not result.complete:
            raise AspTelemetryError(
                f"{result.pending} records of this capture() are not in its database after {_FLUSH_SECONDS:g} s "
                f"({self.stats()['last_error'] or 'the writer is still at work'}); leave the block of the injected fault, "
                "or ask stats(), before you look"
            )
        with closing(sqlite3.connect(f"file:{quote(str(self.path))}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]

    def flush(self, timeout: float = _FLUSH_SECONDS) -> FlushResult:
        """Wait until everything the block has recorded so far is committed, that of forked children included.

        Args:
            timeout: How long to wait at most, in seconds.

        Returns:
            What became of it; after the block, what had become of it at its end.
        """
        diversion = self._open_diversion()
        if self._last is not None:
            return self._last
        result = flush_recorder(diversion.recorder, timeout)
        if result.complete:
            self._finish_other_journals()
        return result

    def stats(self) -> dict[str, Any]:
        """Return what became of the block's records, as `asp_telemetry.stats()` does for a program."""
        return self._figures() if self._account is None else self._account

    @property
    def troubles(self) -> dict[str, int]:
        """How often each kind of fault was kept away from the code since the block began; process-wide."""
        before = self._troubles
        found = {reason: number - before.get(reason, 0) for reason, number in guard.counts().items()}
        return {reason: number for reason, number in found.items() if number > 0}

    def _read(self, model: type[R], order: str) -> list[R]:
        columns = ", ".join(model.columns())
        # The names are those of this package's own models.
        rows = self.rows(f"SELECT {columns} FROM {model.table} ORDER BY {order}")  # noqa: S608
        return [model.model_validate(row) for row in rows]

    def _open_diversion(self) -> Diversion:
        if self._diversion is None:
            raise AspTelemetryError("nothing is captured yet; write: with capture() as recorded")
        return self._diversion

    def _figures(self) -> dict[str, Any]:
        return {**self._open_diversion().recorder.figures(), "troubles": self.troubles}

    def _finish_other_journals(self) -> None:
        """Drain what forked children, and other processes with this database's URL, have left."""
        diversion = self._open_diversion()
        own = diversion.recorder.journal.journal_id
        if all(found.journal_id == own for found in find_journals(diversion.settings.journal_dir)):
            return
        thread = Thread(target=_drain, args=(diversion,))
        thread.start()
        thread.join()


def _drain(diversion: Diversion) -> None:
    import anyio  # noqa: PLC0415 - only where there were other processes

    from asp_telemetry.sidecar import drain_all  # noqa: PLC0415

    async def drain() -> None:
        await drain_all(diversion.settings, use_locks=False)

    try:
        anyio.run(drain)
    except Exception as error:
        guard.note(
            "the journals of child processes could not be drained", error, "their records are missing here"
        )


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:  # a forked child leaves its parent's files alone
        shutil.rmtree(folder, ignore_errors=True)


def capture(
    *, folder: "str | os.PathLike[str] | None" = None, everywhere: bool | None = None, **settings: Any
) -> Recording:
    """Capture what a block of code records, with `with` or `async with`, apart from the program around it.

    The program's own configuration, records and database stay as they are: executions that were open before the block,
    and all that belongs to them, go where they would have gone. Inside, `configure()`, `flush()`, `stats()` and
    `shutdown()` speak of the block, so that code which calls them can be tested; `configure()` there changes how is
    recorded, but not where to. Blocks may be nested, and run side by side in threads and tasks.

    What is captured is what has the block's context: the code in the block, the tasks it starts, threads that carry it
    over (`propagate`, `asp_telemetry.ThreadPoolExecutor`, `asyncio.to_thread`), forked children. A setting that holds for
    the whole process (capture_content, sample_rate, strict) is that of the newest open block.

    Args:
        folder: Where to put the database (`telemetry.db`) and the journal; they are kept there. A temporary folder,
            removed together with the recording, if left out.
        everywhere: Whether code without a context of its own, such as a plain thread, is captured too. If left out: yes,
            unless the process has been configured or has recorded before, since those records could be the program's.
        **settings: Any of `configure()`'s, but for those that say where to; those that are left out have their defaults,
            whatever `ASP_*` variables say. strict: as it is outside, if left out.

    Returns:
        A context manager, which is the recording itself.

    Raises:
        ConfigurationError: If a setting cannot be used.

    Example:
        >>> import asp_telemetry as asp
        >>> with capture() as recorded:
        ...     with asp.task("TASK-001"), asp.span("plan", kind="agent") as span:
        ...         span.record_usage(input_tokens=1200, output_tokens=80, model="gpt-4o-mini", provider="openai")
        >>> [(execution.name, execution.status) for execution in recorded.executions]
        [('task', 'success'), ('plan', 'success')]
        >>> [metric.metric_value for metric in recorded.metrics if metric.metric_type == "API_Cost"]
        [Decimal('0.0002280000')]
        >>> [(task.task_id, task.status) for task in recorded.tasks]
        [('TASK-001', 'completed')]
    """
    refused = sorted(set(settings) & _PLACES)
    if refused:
        raise ConfigurationError(
            f"capture() was called with {', '.join(refused)}, but records into a database of its own; use folder= to say where"
        )
    unknown = sorted(set(settings) - NAMES)
    if unknown:
        raise ConfigurationError(
            f"capture() has no setting named {', '.join(unknown)}; it knows {', '.join(sorted(NAMES - _PLACES))}"
        )
    return Recording(None if folder is None else Path(folder), everywhere, settings)
