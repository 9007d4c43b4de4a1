"""Copies a database batch by batch into an empty one, goes on where an interrupted copy stopped, and verifies."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from time import perf_counter
from typing import Literal, NamedTuple

from asp_telemetry.copying.canonical import Checksum, Row, canonical_rows
from asp_telemetry.copying.columns import CHECKPOINTS, TABLES, Table
from asp_telemetry.copying.database import MARK, Change, Database, Mark, occupied, stray
from asp_telemetry.copying.failures import interfered
from asp_telemetry.copying.report import CopyReport, Progress, TableReport
from asp_telemetry.copying.verification import Report, checkpoint_sum, checksums, differences
from asp_telemetry.database_url import (
    absolute_database,
    destination_of,
    is_sqlite,
    require_driver,
    sqlite_path,
)
from asp_telemetry.errors import ConfigurationError

# How many pieces of keys wait in memory to be removed.
_HELD = 20
_TABLES = {table.name: table for table in TABLES}


async def copy_database(
    source_url: str, target_url: str, *, report: Report = lambda _progress: None
) -> CopyReport:
    """Copy all rows, the identity and the journal checkpoints of one database into another, and verify them.

    The source is read in one snapshot and not changed; what is committed to it later is not copied. Rows go over in
    batches, each a transaction: a copy that is interrupted, by SIGKILL too, goes on when it is repeated, and writes
    again what is missing or differs. Until the last transaction the target bears a mark and an identity of its own, so
    that no journal of the source is drained into it; that transaction comes only after all rows have been read back and
    their checksums equal the source's. A target that is a complete copy already is verified and left as it is.

    Args:
        source_url: The database to read, at the current schema.
        target_url: The database to write; it is made, and brought to the current schema.
        report: Called with the progress after each batch.

    Returns:
        What was done. Look at `same`: where it is False the copy is not complete, and repeating it mends what differs.

    Raises:
        ConfigurationError: If a URL cannot be used, both name one database, or the target holds other rows.
        MigrationError: If a schema is not the current one and may not be changed.
        StoreUnavailableError: If a database cannot be read or written, or somebody else writes to the target.
        RowRefusedError: If the target refuses a row.

    Example:
        >>> import asyncio, tempfile
        >>> from asp_telemetry.stores import open_store
        >>> async def twin(folder):
        ...     store = open_store(f"sqlite:///{folder}/a.db")
        ...     await store.open(); await store.close()
        ...     return (await copy_database(f"sqlite:///{folder}/a.db", f"sqlite:///{folder}/b.db")).same
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     asyncio.run(twin(folder))
        True
    """
    started = perf_counter()
    source_url, target_url = absolute_database(source_url), absolute_database(target_url)
    _refuse_same(source_url, target_url)
    async with AsyncExitStack() as stack:
        source: Database = await stack.enter_async_context(_open(source_url, writing=False))
        await source.require_current_schema()
        target: Database = await stack.enter_async_context(_open(target_url, writing=True))
        async with source.snapshot():
            found = await _Copy(source, target, report).run()
        moved = checkpoint_sum(await source.checkpoints()).text != found.tables[-1].checksum
    return replace(found, source_moved=moved, seconds=round(perf_counter() - started, 3))


class _State(NamedTuple):
    """Say what the target holds: nothing, a part of this source, or all of it."""

    name: Literal["new", "resumed", "complete"]
    position: int = 0


class _Copy:
    """Be one copy, while both databases are open and the source holds still."""

    def __init__(self, source: Database, target: Database, report: Report) -> None:
        self._source, self._target, self._report = source, target, report
        self._written: dict[str, int] = dict.fromkeys(_TABLES, 0)
        self._removed: dict[str, int] = dict.fromkeys(_TABLES, 0)

    async def run(self) -> CopyReport:
        identity, checkpoints = await self._source.identity(), await self._source.checkpoints()
        if marks := [row for row in checkpoints if str(row[0]).startswith(MARK)]:
            raise ConfigurationError(
                f"--from has the value {self._source.name!r}, which itself is an unfinished {marks[0][0]}; finish that "
                "copy first"
            )
        state = await self._state(identity)
        mark = Mark(str(identity[0]), state.position)
        if state.name == "new":
            await self._target.begin(mark)
        total = sum((await self._source.counts(TABLES)).values())
        if state.name == "complete":
            sums = await checksums(self._source, "copy", total, self._report)
        else:
            sums = {}
            for table in TABLES:
                sums[table.name], mark = await self._copy(table, mark, total, again=state.name == "resumed")
            sums[CHECKPOINTS.name] = checkpoint_sum(checkpoints)
            await self._target.restart_identities(TABLES)
        report = await self._verify(identity, state, sums, total)
        if state.name != "complete" and all(table.same for table in report.tables[:-1]):
            self._report(Progress("finish", CHECKPOINTS.name, 0, total))
            carried = checkpoint_sum(await self._target.finish(mark, identity, checkpoints))
            last = self._compared(CHECKPOINTS.name, sums[CHECKPOINTS.name], carried)
            report = replace(report, tables=(*report.tables[:-1], last))
        return report

    async def _state(self, identity: Row) -> _State:
        checkpoints = await self._target.checkpoints()
        counts = await self._target.counts(TABLES)
        marks = {
            str(row[0]).removeprefix(MARK): int(str(row[1]))
            for row in checkpoints
            if str(row[0]).startswith(MARK)
        }
        if not marks and (await self._target.identity())[0] == identity[0]:
            return _State("complete")
        if not marks and not any(counts.values()) and not checkpoints:
            return _State("new")
        if not marks:
            held = occupied({**counts, CHECKPOINTS.name: len(checkpoints)})
            raise ConfigurationError(
                f"--to has the value {self._target.name!r}, which already holds rows: {held}; name an empty database, "
                "or delete everything in this one with `asp-telemetry migrate down --to 0`"
            )
        if list(marks) != [identity[0]]:
            raise ConfigurationError(
                f"--to has the value {self._target.name!r}, which holds an unfinished copy of another database "
                f"({', '.join(marks)}, and --from is {identity[0]}); finish that copy, name an empty database, or "
                "delete everything in this one with `asp-telemetry migrate down --to 0`"
            )
        if others := stray(checkpoints):
            raise interfered(self._target.name, others)
        return _State("resumed", marks[str(identity[0])])

    async def _copy(self, table: Table, mark: Mark, total: int, *, again: bool) -> tuple[Checksum, Mark]:
        checksum = Checksum()
        again = again and bool((await self._target.counts([table]))[table.name])
        if again:
            adapted = self._source.adapted.copy()
            mark = await self._remove_vanished(table, mark)
            self._source.adapted = adapted  # its rows are read once more below, and counted there
        async for rows in self._source.rows(table):
            forms = canonical_rows(table, rows)
            checksum.add(forms)
            change = await self._missing(table, rows, forms) if again else Change(table, rows)
            if change.rows:
                await self._target.write(change, mark)
                mark = replace(mark, position=mark.position + 1)
                self._written[table.name] += len(change.rows)
                self._removed[table.name] += len(change.stale)
            self._report(Progress("copy", table.name, len(rows), total))
        return checksum, mark

    async def _missing(self, table: Table, rows: list[Row], forms: list[bytes]) -> Change:
        """Work out what an interrupted copy has not written, or what has changed in the source since."""
        there = await self._target.find(table, [str(row[0]) for row in rows])
        known = dict(zip((row[0] for row in there), canonical_rows(table, there), strict=True))
        wanted = [row for row, form in zip(rows, forms, strict=True) if known.get(row[0]) != form]
        return Change(table, wanted, [str(row[0]) for row in wanted if row[0] in known])

    async def _remove_vanished(self, table: Table, mark: Mark) -> Mark:
        """Remove what the source has lost since the copy was interrupted: before rows come that may take its place."""
        while True:
            vanished: list[list[str]] = []
            async with self._target.snapshot():
                async for keys in self._target.keys(table):
                    known = {row[0] for row in await self._source.find(table, keys)}
                    if gone := [key for key in keys if key not in known]:
                        vanished.append(gone)
                    if len(vanished) == _HELD:
                        break
            for gone in vanished:
                await self._target.write(Change(table, stale=gone), mark)
                mark = replace(mark, position=mark.position + 1)
                self._removed[table.name] += len(gone)
            if len(vanished) < _HELD:
                return mark

    async def _verify(
        self, identity: Row, state: _State, sums: dict[str, Checksum], total: int
    ) -> CopyReport:
        async with self._target.snapshot():
            there = await checksums(self._target, "verify", total, self._report)
            tables = [self._compared(name, checksum, there[name]) for name, checksum in sums.items()]
            wrong = {
                table.name: _TABLES[table.name]
                for table in tables
                if not table.same and table.name in _TABLES
            }
            if state.name == "complete" and not tables[-1].same:
                wrong[CHECKPOINTS.name] = CHECKPOINTS
            found = await differences(self._source, self._target, wrong)
        return CopyReport(
            self._source.name, self._target.name, str(identity[0]), state.name, tuple(tables), found,
            dict(self._source.adapted),
        )  # fmt: skip

    def _compared(self, name: str, checksum: Checksum, there: Checksum) -> TableReport:
        return TableReport(
            name, checksum.rows, there.rows, checksum.text, there.text,
            self._written.get(name, 0), self._removed.get(name, 0),
        )  # fmt: skip


def _refuse_same(source_url: str, target_url: str) -> None:
    same = destination_of(source_url) == destination_of(target_url)
    if not same and is_sqlite(source_url) and is_sqlite(target_url):
        source, target = sqlite_path(source_url), sqlite_path(target_url)
        same = source.exists() and target.exists() and source.samefile(target)
    if same:
        raise ConfigurationError(
            f"--from and --to both have the value {destination_of(target_url)!r}; name another target"
        )


def open_source(url: str) -> AbstractAsyncContextManager[Database]:
    """Open a database to go through its tables; nothing in it is changed.

    Args:
        url: The database, as `database_url.absolute_database` returns it.

    Raises:
        ConfigurationError: If there is no such file, or the driver is not installed.
        StoreUnavailableError: If it cannot be reached.
    """
    return _open(url, writing=False)


@asynccontextmanager
async def _open(url: str, *, writing: bool) -> AsyncIterator[Database]:
    if is_sqlite(url):
        from asp_telemetry.copying import sqlite  # noqa: PLC0415 - imports its driver

        async with (sqlite.open_sqlite_target if writing else sqlite.open_sqlite_source)(url) as found:
            yield found
        return
    require_driver(url)
    from asp_telemetry.copying import postgres  # noqa: PLC0415 - the driver is an extra

    async with (postgres.open_postgres_target if writing else postgres.open_postgres_source)(url) as other:
        yield other
