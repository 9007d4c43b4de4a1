"""Lets a copy read and write a PostgreSQL database: a cursor on the server one way, COPY the other."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg

from asp_telemetry.copying.canonical import Row
from asp_telemetry.copying.columns import CHECKPOINTS, IDENTITY, TABLES, Column, Table
from asp_telemetry.copying.database import Change, Mark, PieceSize, Within, stray
from asp_telemetry.copying.failures import interfered, refused
from asp_telemetry.copying.postgres_values import copied, normal, selected
from asp_telemetry.database_url import destination_of, pasteable
from asp_telemetry.errors import MigrationError, RowRefusedError, StoreUnavailableError
from asp_telemetry.migrations import Migrator, PostgresTarget
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.postgres_connection import Connection, connect, disconnect, prepare_schema
from asp_telemetry.stores.postgres_failures import TROUBLE, explained
from asp_telemetry.stores.statements import load_statements

if TYPE_CHECKING:
    from asp_telemetry.copying.values import Adapted

# Sorting a big table before its first row, or waiting for the disk, may take long; a dead network is told by TCP.
_COMMAND_SECONDS = 3600.0
# The driver calls it an internal error when it learns of a lost connection only as it is used again.
_COPY_LINE = re.compile(r"\bCOPY \w+, line (\d+)")
_PIECE = 100
_KEY_TYPES = {"integer": "bigint", "uuid": "uuid"}


class PostgresDatabase:
    """Be an open PostgreSQL database; see `database.Database` for what its methods do.

    Args:
        connection: The open connection, outside of a transaction.
        url: The database's URL, for messages.
    """

    def __init__(self, connection: Connection, url: str) -> None:
        self.name = destination_of(url)
        self._pasteable = pasteable(url)
        self.adapted: Adapted = Counter()
        self._connection = connection
        self._sql = load_statements(schema_directory("postgres") / "copying.sql")
        self._triggers: dict[str, list[str]] | None = None

    async def require_current_schema(self) -> None:
        """Refuse a database that is not at the newest schema."""
        migrator = Migrator(PostgresTarget(self._connection))
        version = await migrator.check()
        if version != migrator.newest:
            raise MigrationError(
                f"{self.name} is at schema version {version} and this asp-telemetry copies version {migrator.newest}; "
                f"run `asp-telemetry migrate up --database {self._pasteable}`"
            )

    async def require_owner(self) -> None:
        """Refuse a user who may not copy rows in as they are."""
        names = [table.name for table in (*TABLES, CHECKPOINTS, IDENTITY)]
        async with self._explaining():
            found = [row[0] for row in await self._connection.fetch(self._sql["not_owned"], names)]
        if found:
            raise MigrationError(
                f"the user of {self.name} does not own {', '.join(found)}, and only owners may switch off their triggers "
                "for the time of a batch; connect as the user who ran `asp-telemetry migrate up`"
            )

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[None]:
        """Hold one repeatable-read transaction; it keeps VACUUM waiting, and no writer."""
        async with self._explaining():
            await self._connection.execute(self._sql["begin_to_read"])
        try:
            yield
        except BaseException:
            self._connection.terminate()
            raise
        async with self._explaining():
            await self._connection.execute(self._sql["roll_back"])

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
        async with self._explaining():
            return {
                table.name: int(await self._connection.fetchval(f"SELECT count(*) FROM {table.name}"))  # noqa: S608 - a name of ours
                for table in tables
            }

    async def count(self, table: Table, within: Within | None = None) -> int:
        """Count rows."""
        where, values = ("", []) if within is None else within.sql(_moment)
        async with self._explaining():
            return int(await self._connection.fetchval(f"SELECT count(*) FROM {table.name} {where}", *values))  # noqa: S608 - names of ours

    async def rows(self, table: Table, within: Within | None = None) -> AsyncIterator[list[Row]]:
        """Go through a table."""
        async for piece in self._pieces(table, table.columns, within):
            yield normal(table, piece)

    async def keys(self, table: Table) -> AsyncIterator[list[str]]:
        """Go through the keys of a table."""
        async for piece in self._pieces(table, [table.key]):
            yield [key for (key,) in piece]

    async def find(self, table: Table, keys: Sequence[str]) -> list[Row]:
        """Return the named rows."""
        return await self._fetch(table, _among(table), list(keys))

    async def begin(self, mark: Mark) -> None:
        """Mark the database."""
        async with self._transaction():
            await self._connection.execute(self._sql["begin_mark"], mark.name)

    async def write(self, change: Change, mark: Mark) -> None:
        """Commit a batch."""
        table = change.table
        triggers = (await self._known_triggers()).get(table.name, [])
        async with self._transaction():
            await self._move(mark)
            if change.stale:
                statement = f"DELETE FROM {table.name} {_among(table)}"  # noqa: S608 - names of ours
                await self._connection.execute(statement, list(change.stale))
            if change.rows:
                await self._switch(table, triggers, on=False)
                await self._copy(table, change.rows)
                await self._switch(table, triggers, on=True)

    async def restart_identities(self, tables: Iterable[Table]) -> None:
        """Set the sequence of each identity column."""
        async with self._explaining():
            for table, column in await self._connection.fetch(
                self._sql["identity_columns"], [table.name for table in tables]
            ):
                await self._connection.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), greatest(max({column}), 1), "  # noqa: S608 - names of ours
                    f"coalesce(max({column}) >= 1, false)) FROM {table}"
                )

    async def finish(self, mark: Mark, identity: Row, checkpoints: Sequence[Row]) -> list[Row]:
        """Make the database the source's twin."""
        async with self._transaction():
            await self._connection.execute(self._sql["own_checkpoints"])
            await self._move(mark)
            await self._connection.execute(self._sql["forget_own_identity"])
            await self._copy(CHECKPOINTS, checkpoints)
            await self._copy(IDENTITY, [identity])
            return await self.checkpoints()

    async def _move(self, mark: Mark) -> None:
        status = await self._connection.execute(self._sql["move_mark"], mark.name, mark.position)
        if status != "UPDATE 1":
            raise interfered(self.name, [])
        if others := stray(await self.checkpoints()):
            raise interfered(self.name, others)

    async def _copy(self, table: Table, rows: Sequence[Row]) -> None:
        if not rows:
            return
        try:
            await self._connection.copy_to_table(
                table.name,
                source=_lines(table, rows),
                columns=table.names,
                format="text",
                timeout=_COMMAND_SECONDS,
            )
        except asyncpg.PostgresError as error:
            reason = explained(error, self.name)
            if not isinstance(reason, RowRefusedError):
                raise
            line = _COPY_LINE.search(str(error.context))
            keys = f"{rows[0][0]} … {rows[-1][0]}" if line is None else str(rows[int(line[1]) - 1][0])
            raise refused(self.name, table, keys, str(reason)) from error

    async def _switch(self, table: Table, triggers: Sequence[str], *, on: bool) -> None:
        if not triggers:
            return
        if on:
            # Checks that somebody has added and deferred are due before the table may be altered.
            await self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        verb = "ENABLE" if on else "DISABLE"
        for trigger in triggers:
            await self._connection.execute(f'ALTER TABLE {table.name} {verb} TRIGGER "{trigger}"')

    async def _known_triggers(self) -> dict[str, list[str]]:
        if self._triggers is None:
            self._triggers = {}
            async with self._explaining():
                for table, trigger in await self._connection.fetch(
                    self._sql["insert_triggers"], [table.name for table in TABLES]
                ):
                    self._triggers.setdefault(table, []).append(trigger)
        return self._triggers

    async def _pieces(
        self, table: Table, columns: Sequence[Column], within: Within | None = None
    ) -> AsyncIterator[list[Any]]:
        # By the column with its table's name: alone it would be the text that is selected, which no index has in order.
        # A cursor of SQL, because those of the driver are prepared statements with names, which poolers do not keep.
        size, name = PieceSize(), f"copy_{table.name}"
        expressions = ", ".join(map(selected, columns))
        where, values = ("", []) if within is None else within.sql(_moment)
        async with self._explaining():
            await self._connection.execute(
                f'DECLARE {name} NO SCROLL CURSOR FOR SELECT {expressions} FROM {table.name} {where} ORDER BY {table.name}."{table.key.name}"',  # noqa: S608 - names of ours
                *values,
            )
            while piece := await self._connection.fetch(f"FETCH {size.next} FROM {name}"):
                rows = [tuple(record) for record in piece]
                size.seen(rows)
                yield rows
            await self._connection.execute(f"CLOSE {name}")

    async def _fetch(self, table: Table, where: str, *values: Any) -> list[Row]:
        expressions = ", ".join(map(selected, table.columns))
        async with self._explaining():
            found = await self._connection.fetch(
                f'SELECT {expressions} FROM {table.name} {where} ORDER BY {table.name}."{table.key.name}"',  # noqa: S608 - names of ours
                *values,
            )
        return normal(table, [tuple(record) for record in found])

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        async with self._explaining():
            await self._connection.execute(self._sql["begin"])
            try:
                yield
                await self._connection.execute(self._sql["commit"])
            except BaseException:
                # What loses its connection is rolled back, also where nothing can be awaited any more.
                self._connection.terminate()
                raise

    @asynccontextmanager
    async def _explaining(self) -> AsyncIterator[None]:
        try:
            yield
        except asyncpg.InsufficientPrivilegeError as error:
            raise StoreUnavailableError(
                f"{self.name}: {error}; a copy needs every row: connect as the owner of the tables, or as a user with "
                "BYPASSRLS to read them"
            ) from error
        except TROUBLE as error:
            raise explained(error, self.name) from error


def _moment(number: int) -> str:
    return f"${number}::text::timestamp AT TIME ZONE 'UTC'"


def _among(table: Table) -> str:
    kind = _KEY_TYPES.get(table.key.kind.value, "text")
    return f'WHERE "{table.key.name}" = ANY ($1::text[]::{kind}[])'


async def _lines(table: Table, rows: Sequence[Row]) -> AsyncIterator[bytes]:
    for start in range(0, len(rows), _PIECE):
        yield copied(table, rows[start : start + _PIECE])


@asynccontextmanager
async def open_postgres_source(url: str) -> AsyncIterator[PostgresDatabase]:
    """Connect in order to read."""
    connection = await connect(url, command_seconds=_COMMAND_SECONDS)
    try:
        yield PostgresDatabase(connection, url)
    finally:
        await disconnect(connection)


@asynccontextmanager
async def open_postgres_target(url: str) -> AsyncIterator[PostgresDatabase]:
    """Connect, and bring the schema up to date."""
    connection = await connect(url, command_seconds=_COMMAND_SECONDS)
    try:
        await prepare_schema(connection, url, migrate=True)
        database = PostgresDatabase(connection, url)
        await database.require_owner()
        yield database
    finally:
        await disconnect(connection)
