"""Writes batches into PostgreSQL: one transaction for rows, roll-ups and journal positions, on a connection of its own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson

from asp_telemetry.clock import now_text
from asp_telemetry.database_url import destination_of
from asp_telemetry.errors import AspTelemetryError, PositionMovedError, StoreUnavailableError
from asp_telemetry.stores.merging import first_received, fold_tasks, patched, rounds, without_known
from asp_telemetry.stores.postgres_connection import (
    Connection,
    connect,
    disconnect,
    prepare_schema,
    reading,
    statements,
)
from asp_telemetry.stores.postgres_failures import TROUBLE, explained
from asp_telemetry.stores.postgres_rows import arrays_of, copy_lines, facts_json, filled, used_columns
from asp_telemetry.stores.routing import router_metrics
from asp_telemetry.writer.batch import METRIC_COLUMNS, TRACE_COLUMNS, Batch, Change, Checkpoint, Entry, Row
from asp_telemetry.writer.efforts import efforts

_REFUSED = (*TROUBLE, ValueError, TypeError, OverflowError)
# After these the connection still answers.
_HEALTHY = (
    asyncpg.PostgresError,
    AspTelemetryError,
    LookupError,
    ArithmeticError,
    UnicodeError,
    orjson.JSONDecodeError,
)
_ROLL_BACK_SECONDS = 5.0
Facts = dict[str, Any]


class PostgresStore:
    """Write to one PostgreSQL database.

    Args:
        url: `postgresql://user:password@host/database`.
        auto_migrate: Whether the schema may be made or brought up to date when the store is opened.
        command_seconds: How long a statement may take before the connection counts as dead; a minute when left out.
    """

    def __init__(self, url: str, *, auto_migrate: bool = False, command_seconds: float | None = None) -> None:
        self._url = url
        self._name = destination_of(url)
        self._auto_migrate = auto_migrate
        self._command_seconds = command_seconds
        self._sql = statements()
        self._connection: Connection | None = None
        self._may_copy = True

    async def open(self) -> str:
        """Connect, check the schema or bring it up to date, and return the identity of the database.

        Raises:
            StoreUnavailableError: If the server cannot be reached now.
            MigrationError: If the schema is not what this code needs, and may not be changed.
        """
        await self.close()
        self._connection = connection = await connect(self._url, command_seconds=self._command_seconds)
        try:
            async with self._explaining():
                await prepare_schema(connection, self._url, migrate=self._auto_migrate)
                async with reading(connection):
                    self._may_copy = bool((await self._fetch("may_copy"))[0][0])
                    return str((await self._fetch("identity"))[0][0])
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Disconnect; closing twice does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await disconnect(connection)

    async def checkpoints(self, journal_id: str) -> dict[str, Checkpoint]:
        """Return the checkpoints of all lanes of a journal, by lane key."""
        async with self._explaining(), reading(self._open_connection):
            rows = await self._fetch("checkpoints", journal_id)
        return {
            lane: Checkpoint(position, stored, rejected, orjson.loads(reasons) if reasons else {})
            for lane, position, stored, rejected, reasons in rows
        }

    async def write(self, batch: Batch) -> None:
        """Commit a batch.

        Raises:
            StoreUnavailableError: If the database cannot be written now.
            RowRefusedError: If the database refuses one of the rows.
            PositionMovedError: If another drainer has moved one of the lanes.
        """
        async with self._transaction():
            await self._move(batch)
            rows: dict[Change, list[Any]] = {change: [] for change in Change}
            for entry in batch.entries:
                rows[entry.change].append(entry.row)
            await self._write_rows(batch, rows)
            await self._write_figures(batch.entries, rows)

    async def abandon(self, journal_id: str) -> int:
        """Mark what a dead journal has opened and never finished, and fail its tasks."""
        async with self._transaction():
            rows = await self._fetch("abandon_traces", journal_id, now_text())
            tasks = {task_id for task_id, kind in rows if kind == "task"}
            if tasks:
                await self._fetch("own_figures")
                await self._update_tasks({}, {}, tasks, tasks)
        return len(rows)

    async def forget(self, journal_id: str) -> None:
        """Fold the checkpoints of a journal whose files are gone into the row `retired`."""
        async with self._transaction():
            await self._fetch("fold_lanes", journal_id, now_text())

    def thread_idents(self) -> set[int]:
        """Return no thread: the driver works in the caller's."""
        return set()

    async def _move(self, batch: Batch) -> None:
        if not batch.moves:
            return
        now = now_text()
        new = [move for move in batch.moves if move.before == 0]
        if new:
            await self._fetch("begin_lanes", [move.lane for move in new], now)
        for move in new:
            # A checkpoint goes only after its journal: had there been one that is gone, so would the journal be by now.
            if not move.is_there():
                raise PositionMovedError(f"the journal of lane {move.lane} is finished")
        moves = [
            {
                "lane": move.lane, "before": move.before, "after": move.after.position, "stored": move.after.stored,
                "rejected": move.after.rejected, "dropped": move.after.dropped_total,
                "reasons": orjson.dumps(move.after.dropped) if move.after.dropped else None,
            }
            for move in batch.moves
        ]  # fmt: skip
        status = await self._open_connection.execute(self._sql["move_lanes"], facts_json(moves), now)
        if status != f"UPDATE {len(moves)}":
            lanes = ", ".join(f"{move.lane} at {move.before}" for move in batch.moves)
            raise PositionMovedError(f"not all lanes are where they were: {lanes}")

    async def _write_rows(self, batch: Batch, rows: dict[Change, list[Any]]) -> None:
        """Write what is only ever inserted, and the executions."""
        await self._insert("insert_trace", "execution_traces", TRACE_COLUMNS, rows[Change.INSERT_TRACE])
        counted = await self._receive(batch.entries) if rows[Change.RECEIVE_TRACE] else batch.entries
        metrics = [row for entry in counted for row in entry.metrics]
        await self._insert("insert_metric", "agent_cost_vector", METRIC_COLUMNS, metrics)
        await self._unnest("open_trace", TRACE_COLUMNS, [trace for trace, _ in rows[Change.OPEN_TRACE]])
        await self._unnest("finish_trace", TRACE_COLUMNS, rows[Change.FINISH_TRACE])
        if rows[Change.BOOTSTRAP]:
            await self._fetch("insert_bootstrap", facts_json(rows[Change.BOOTSTRAP]))
        if rows[Change.ENDPOINT]:
            await self._fetch("insert_endpoint_calls", facts_json(rows[Change.ENDPOINT]))
        if rows[Change.TRANSFORMATION]:
            await self._fetch("insert_transformations", facts_json(rows[Change.TRANSFORMATION]))
        if rows[Change.HOOK]:
            await self._fetch("insert_hooks", facts_json(rows[Change.HOOK]))
        routings, validations = rows[Change.ROUTING], rows[Change.ROUTING_VALIDATION]
        if routings:
            await self._fetch("insert_routing_decisions", facts_json(decision for decision, _ in routings))
        if routings or validations:
            await self._fetch("merge_router_metrics", facts_json(router_metrics(routings, validations)))
        if batch.rejections:
            rejected = [
                {**rejection._asdict(), "reason": rejection.reason.replace("\0", "\ufffd")}
                for rejection in batch.rejections
            ]
            await self._fetch("insert_rejections", facts_json(rejected), now_text())

    async def _receive(self, entries: Sequence[Entry]) -> list[Entry]:
        """Write the executions sent by other programs that are new; return the entries whose metrics are to be written."""
        received = first_received(entries)
        rows = [entry.row for entry in received.values()]
        # Of two writers that have got the same execution the later one waits here, and is told that it is not new.
        statement = filled(self._sql["receive_trace"], TRACE_COLUMNS)
        written = await self._open_connection.fetch(statement, *arrays_of(TRACE_COLUMNS, rows))
        return without_known(entries, {row[0]: received[row[0]] for row in written})

    async def _write_figures(self, entries: Sequence[Entry], rows: dict[Change, list[Any]]) -> None:
        """Merge tasks and defects, and sum up what the batch has added to them."""
        opened = [task for _, task in rows[Change.OPEN_TRACE] if task is not None]
        tasks, patches = fold_tasks(sorted([*rows[Change.TASK], *opened], key=lambda row: row["moment"]))
        logged, resolved = rows[Change.DEFECT], rows[Change.RESOLVE_DEFECT]
        touched = {entry.task_id for entry in entries if entry.task_id is not None}
        run = {entry.task_id for entry in entries if entry.task_run}
        fixed = efforts(entries)
        await self._lock_figures(
            touched - set(tasks),
            {effort["defect_id"] for effort in fixed},
            made=bool(tasks or logged),
            alone=bool(resolved),
        )
        touched |= await self._update_defects(logged, resolved, fixed)
        if tasks or touched:
            await self._update_tasks(tasks, patches, run, touched)

    async def _lock_figures(self, tasks: set[Any], defects: set[Any], *, made: bool, alone: bool) -> None:
        """Take the lock without which two writers could each miss what the other adds to a new task."""
        if not alone and (tasks or defects):
            known = await self._fetch("find_figures", sorted(tasks), sorted(defects))
            alone = len(known) < len(tasks) + len(defects)
        if alone:
            await self._fetch("own_figures")
        elif made:
            await self._fetch("share_figures")

    async def _update_defects(
        self, logged: list[Facts], resolved: list[Facts], fixed: list[Facts]
    ) -> set[Any]:
        """Merge defects and add up their efforts; return the tasks of those that were logged or resolved."""
        ids = {row["defect_id"] for row in [*logged, *resolved]}
        touched = ids | {effort["defect_id"] for effort in fixed}
        if not touched:
            return set()
        logged = await self._insert_new("insert_defects", logged)
        resolved = await self._insert_new("insert_resolved_defects", resolved)
        locked = await self._fetch("lock_defects", sorted(touched))
        metadata: dict[str, str | None] = {row[0]: row[1] for row in locked}
        for part in rounds(logged, "defect_id"):
            for row in part:
                if row["metadata"] is not None:
                    # What was found out about a defect before it was logged is the later knowledge.
                    known = metadata.get(row["defect_id"])
                    row["metadata"] = patched(row["metadata"], [] if known is None else [known])
                    metadata[row["defect_id"]] = row["metadata"]
            await self._fetch("merge_defects", facts_json(part))
        for part in rounds(resolved, "defect_id"):
            for row in part:
                if row["metadata"] is not None:
                    row["metadata"] = patched(metadata.get(row["defect_id"]), [row["metadata"]])
                    metadata[row["defect_id"]] = row["metadata"]
            await self._fetch("resolve_defects", facts_json(part))
        if fixed:
            await self._fetch("add_efforts", facts_json(fixed))
        return {row[0] for row in await self._fetch("tasks_of_defects", sorted(ids))} if ids else set()

    async def _insert_new(self, name: str, rows: list[Facts]) -> list[Facts]:
        """Insert the first row of each defect that has none yet; return the rows that are still to be merged."""
        if not rows:
            return []
        first = next(rounds(rows, "defect_id"))
        made = {row[0] for row in await self._fetch(name, facts_json(first))}
        done = {id(row) for row in first if row["defect_id"] in made}
        return [dict(row) for row in rows if id(row) not in done]

    async def _update_tasks(
        self, tasks: dict[str, Facts], patches: dict[str, list[str]], run: set[Any], touched: set[Any]
    ) -> None:
        made: set[str] = set()
        if tasks:
            new = [
                {**facts, "metadata": patched(None, patches[task_id]) if task_id in patches else None}
                for task_id, facts in tasks.items()
            ]
            made = {row[0] for row in await self._fetch("insert_tasks", facts_json(new))}
        others = (set(tasks) | touched) - made
        metadata: dict[str, str | None] = {}
        if others:
            locked = await self._fetch("lock_tasks", sorted(others), sorted(patches))
            metadata = {row[0]: row[1] for row in locked}
        merged = [
            {
                **facts,
                "metadata": patched(metadata.get(task_id), patches[task_id]) if task_id in patches else None,
            }
            for task_id, facts in tasks.items()
            if task_id not in made
        ]
        if merged:
            await self._fetch("merge_tasks", facts_json(merged))
        if run:
            await self._fetch("update_task_status", sorted(run))
        if touched:
            await self._fetch("roll_up_tasks", sorted(touched))

    async def _insert(self, name: str, table: str, columns: tuple[str, ...], rows: list[Row]) -> None:
        if not rows:
            return
        places = used_columns(columns, rows)
        names = [columns[place] for place in places]
        if self._may_copy:
            await self._open_connection.copy_to_table(
                table, source=copy_lines(columns, rows, places), columns=names, format="text"
            )
        else:
            await self._unnest(name, columns, rows)

    async def _unnest(self, name: str, columns: tuple[str, ...], rows: list[Row]) -> None:
        if rows:
            await self._open_connection.execute(filled(self._sql[name], columns), *arrays_of(columns, rows))

    async def _fetch(self, name: str, *values: Any) -> list[Any]:
        return list(await self._open_connection.fetch(self._sql[name], *values))

    @property
    def _open_connection(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            raise StoreUnavailableError(f"{self._name} is not connected; it will be connected anew")
        return self._connection

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        async with self._explaining():
            connection = self._open_connection
            try:
                await connection.execute(self._sql["begin"])
                yield
                await connection.execute(self._sql["commit"])
            except BaseException as error:
                if isinstance(error, _HEALTHY) and not connection.is_closed():
                    await self._roll_back(connection)
                else:
                    # Cancelled, cut or stalled: nothing more can be awaited, and what loses its connection is undone.
                    connection.terminate()
                raise

    async def _roll_back(self, connection: Connection) -> None:
        try:
            await connection.execute(self._sql["roll_back"], timeout=_ROLL_BACK_SECONDS)
        except _REFUSED:
            connection.terminate()

    @asynccontextmanager
    async def _explaining(self) -> AsyncIterator[None]:
        try:
            yield
        except _REFUSED as error:
            raise explained(error, self._name) from error
