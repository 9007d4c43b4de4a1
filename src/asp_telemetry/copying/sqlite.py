"""Lets a copy read and write a SQLite file."""

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import anyio
import orjson

from asp_telemetry.clock import now_text
from asp_telemetry.copying.canonical import Row
from asp_telemetry.copying.columns import CHECKPOINTS, IDENTITY, Kind, Table
from asp_telemetry.copying.database import Change, Mark, PieceSize, Within, stray
from asp_telemetry.copying.failures import interfered, refused
from asp_telemetry.copying.values import Adapted, from_sqlite, to_sqlite
from asp_telemetry.database_url import destination_of, pasteable, sqlite_path
from asp_telemetry.errors import ConfigurationError, MigrationError, RowRefusedError
from asp_telemetry.migrations import Migrator, SqliteTarget, store_errors
from asp_telemetry.stores.legacy import is_legacy
from asp_telemetry.stores.sqlite_connection import connect, open_database


class SqliteDatabase:
    """Be an open SQLite file; see `database.Database` for what its methods do.

    Args:
        connection: The open connection, in autocommit mode.
        url: The database's URL, for messages.
    """

    def __init__(self, connection: aiosqlite.Connection, url: str) -> None:
        self.name = destination_of(url)
        self._pasteable = pasteable(url)
        self.adapted: Adapted = Counter()
        self._connection = connection
        self._lenient = False

    async def require_current_schema(self) -> None:
        """Refuse a file that is not at the newest schema."""
        migrator = Migrator(SqliteTarget(self._connection))
        with store_errors(self.name):
            version = 0 if await is_legacy(self._connection) else await migrator.check()
        if version != migrator.newest:
            raise MigrationError(
                f"{self.name} is at schema version {version} and this asp-telemetry copies version {migrator.newest}; "
                f"run `asp-telemetry migrate up --database {self._pasteable}`"
            )

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[None]:
        """Hold one read transaction: in WAL mode writers go on beside it."""
        with self._mapped():
            await self._run("BEGIN")
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._connection.rollback()

    async def identity(self) -> Row:
        """Return who this is."""
        rows = await self._fetch(IDENTITY, "")
        if not rows:
            raise MigrationError(
                f"{self.name} has no row in database_identity; run `asp-telemetry init --database {self._pasteable}`"
            )
        return rows[0]

    async def checkpoints(self) -> list[Row]:
        """Return all checkpoints."""
        return await self._fetch(CHECKPOINTS, "")

    async def counts(self, tables: Iterable[Table]) -> dict[str, int]:
        """Count rows."""
        found = {}
        with self._mapped():
            for table in tables:
                rows = await self._connection.execute_fetchall(f"SELECT count(*) FROM {table.name}")  # noqa: S608 - a name of ours
                found[table.name] = int(next(iter(rows))[0])
        return found

    async def count(self, table: Table, within: Within | None = None) -> int:
        """Count rows."""
        where, values = ("", []) if within is None else within.sql(lambda _: "?")
        with self._mapped():
            statement = f"SELECT count(*) FROM {table.name} {where}"  # noqa: S608 - names of ours
            rows = await self._connection.execute_fetchall(statement, values)
        return int(next(iter(rows))[0])

    async def rows(self, table: Table, within: Within | None = None) -> AsyncIterator[list[Row]]:
        """Go through a table."""
        after: Any = None
        while True:
            try:
                async for piece in self._pieces(table, table.selected, after, within):
                    after = piece[-1][0]
                    yield self._rows(table, piece)
            except sqlite3.OperationalError as error:
                if self._lenient or "decode" not in str(error):
                    raise
                # Some text is not UTF-8: go on after the last whole piece, more slowly.
                self._lenient = True
                self._connection.text_factory = self._decoded
            else:
                return

    async def keys(self, table: Table) -> AsyncIterator[list[str]]:
        """Go through the keys of a table."""
        async for piece in self._pieces(table, f'"{table.key.name}"', None):
            yield [str(key) for (key,) in piece]

    async def find(self, table: Table, keys: Sequence[str]) -> list[Row]:
        """Return the named rows."""
        return await self._fetch(table, _among(table), _list(table, keys))

    async def begin(self, mark: Mark) -> None:
        """Mark the file."""
        async with self._transaction():
            await self._run(
                "INSERT INTO journal_checkpoints (journal_id, position, updated_at) VALUES (?, 0, ?)",
                mark.name, now_text(),
            )  # fmt: skip

    async def write(self, change: Change, mark: Mark) -> None:
        """Commit a batch."""
        table = change.table
        async with self._transaction():
            await self._move(mark)
            if change.stale:
                await self._run(
                    f"DELETE FROM {table.name} {_among(table)}",  # noqa: S608 - names of ours
                    _list(table, change.stale),
                )
            await self._insert(table, change.rows)

    async def restart_identities(self, tables: Iterable[Table]) -> None:
        """Do nothing: SQLite numbers after the greatest key by itself."""

    async def finish(self, mark: Mark, identity: Row, checkpoints: Sequence[Row]) -> list[Row]:
        """Make the file the source's twin."""
        async with self._transaction():
            await self._move(mark)
            await self._run("DELETE FROM journal_checkpoints")
            await self._insert(CHECKPOINTS, checkpoints)
            await self._run("DELETE FROM database_identity")
            await self._insert(IDENTITY, [identity])
            return await self.checkpoints()

    async def _move(self, mark: Mark) -> None:
        cursor = await self._connection.execute(
            "UPDATE journal_checkpoints SET position = position + 1, updated_at = ? WHERE journal_id = ? AND position = ?",
            (now_text(), mark.name, mark.position),
        )
        moved = cursor.rowcount
        await cursor.close()
        if moved != 1:
            raise interfered(self.name, [])
        if others := stray(await self.checkpoints()):
            raise interfered(self.name, others)

    async def _insert(self, table: Table, rows: Sequence[Row]) -> None:
        if not rows:
            return
        columns = zip(table.columns, zip(*rows, strict=True), strict=True)
        values = list(zip(*(to_sqlite(column, texts) for column, texts in columns), strict=True))
        statement = (
            f"INSERT INTO {table.name} ({table.selected}) VALUES ({', '.join('?' * len(table.columns))})"  # noqa: S608 - names of ours
        )
        await self._run("SAVEPOINT batch")
        try:
            await self._connection.executemany(statement, values)
        except (sqlite3.IntegrityError, OverflowError):
            # Once more one by one, which tells the row.
            await self._run("ROLLBACK TO batch")
            for row, value in zip(rows, values, strict=True):
                try:
                    await self._run(statement, *value)
                except (sqlite3.IntegrityError, OverflowError) as error:
                    raise refused(self.name, table, str(row[0]), str(error)) from error
        await self._run("RELEASE batch")

    async def _pieces(
        self, table: Table, selected: str, after: Any, within: Within | None = None
    ) -> AsyncIterator[list[Any]]:
        size, key = PieceSize(), f'"{table.key.name}"'
        where, values = ("", []) if within is None else within.sql(lambda _: "?")
        if after is not None:
            where, values = f"{where} {'AND' if where else 'WHERE'} {key} > ?", [*values, after]
        statement = f"SELECT {selected} FROM {table.name} {where} ORDER BY {key}"  # noqa: S608 - names of ours
        with self._mapped():
            async with self._connection.execute(statement, values) as cursor:
                while piece := list(await cursor.fetchmany(size.next)):
                    size.seen([tuple(value for value in row if isinstance(value, str)) for row in piece])
                    yield piece

    async def _fetch(self, table: Table, where: str, *values: Any) -> list[Row]:
        statement = f'SELECT {table.selected} FROM {table.name} {where} ORDER BY "{table.key.name}"'  # noqa: S608 - names of ours
        with self._mapped():
            return self._rows(table, list(await self._connection.execute_fetchall(statement, values)))

    def _rows(self, table: Table, found: Sequence[Any]) -> list[Row]:
        if not found:
            return []
        columns = zip(table.columns, zip(*found, strict=True), strict=True)
        try:
            return list(
                zip(*(from_sqlite(column, values, self.adapted) for column, values in columns), strict=True)
            )
        except RowRefusedError as error:
            raise RowRefusedError(
                f"{self.name}, {table.name}, keys {found[0][0]} to {found[-1][0]}: {error}"
            ) from error

    def _decoded(self, text: bytes) -> str:
        try:
            return text.decode()
        except UnicodeDecodeError:
            self.adapted["text: bytes replaced that are not UTF-8"] += 1
            return text.decode(errors="replace")

    async def _run(self, statement: str, *values: Any) -> None:
        await (await self._connection.execute(statement, values)).close()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        with self._mapped():
            try:
                await self._run("BEGIN IMMEDIATE")
                yield
                await self._run("COMMIT")
            except BaseException:
                with anyio.CancelScope(shield=True):
                    await self._connection.rollback()
                raise

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        with store_errors(self.name):
            yield


@asynccontextmanager
async def open_sqlite_source(url: str) -> AsyncIterator[SqliteDatabase]:
    """Open an existing file for reading only."""
    path = sqlite_path(url)
    if not path.exists():
        raise ConfigurationError(
            f"--from has the value {destination_of(url)!r}, but there is no such file; name another one"
        )
    connection = await connect(path, read_only=True)
    try:
        yield SqliteDatabase(connection, url)
    finally:
        await _close(connection)


@asynccontextmanager
async def open_sqlite_target(url: str) -> AsyncIterator[SqliteDatabase]:
    """Open or make a file at the current schema; one of the original scripts is refused as it is."""
    path = sqlite_path(url)
    if path.exists() and path.stat().st_size:
        await _refuse_legacy(path, url)
    opened = await open_database(path)
    try:
        yield SqliteDatabase(opened.connection, url)
    finally:
        await _close(opened.connection)


async def _refuse_legacy(path: Path, url: str) -> None:
    connection = await connect(path, read_only=True)
    try:
        with store_errors(path):
            legacy = await is_legacy(connection)
    finally:
        await _close(connection)
    if legacy:
        raise ConfigurationError(
            f"--to has the value {destination_of(url)!r}, but that is a database of the original scripts; name a new file"
        )


async def _close(connection: aiosqlite.Connection) -> None:
    with anyio.CancelScope(shield=True):
        await connection.close()


def _among(table: Table) -> str:
    return f'WHERE "{table.key.name}" IN (SELECT value FROM json_each(?))'  # noqa: S608 - a name of ours


def _list(table: Table, keys: Sequence[str]) -> str:
    if table.key.kind is Kind.INTEGER:
        return f"[{','.join(keys)}]"
    return orjson.dumps(list(keys)).decode()
