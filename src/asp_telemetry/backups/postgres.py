"""Reads and fills the tables of a PostgreSQL database as COPY text, and adds them up on the way."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager

import anyio

from asp_telemetry.backups.manifest import RowSum, TableSum
from asp_telemetry.records import RECORDS, SchemaMigration
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.postgres_connection import Connection
from asp_telemetry.stores.postgres_failures import TROUBLE, unavailable
from asp_telemetry.stores.statements import load_statements

# The ledger says how the tables came to be; a restored database has one of its own, which is checked against the manifest.
TABLES = tuple(record.table for record in RECORDS if record is not SchemaMigration)
COMMAND_SECONDS = 24 * 3600.0

Columns = dict[str, tuple[str, ...]]
Lines = AsyncIterator[list[bytes]]
Tables = AsyncGenerator[tuple[str, tuple[str, ...], Lines]]
Write = Callable[[bytes], object]
Tell = Callable[[str], None]


def sql() -> dict[str, str]:
    """Return the statements of backups by name.

    Example:
        >>> sql()["snapshot"]
        'SELECT pg_export_snapshot();'
    """
    return load_statements(schema_directory("postgres") / "backup.sql")


@contextmanager
def server_errors(name: str) -> Iterator[None]:
    """Raise `StoreUnavailableError` for what the server or the network says.

    Args:
        name: The database without credentials.

    Yields:
        Nothing.

    Raises:
        StoreUnavailableError: If the server refuses or cannot be reached.
    """
    try:
        yield
    except TROUBLE as error:
        raise unavailable(error, name) from error


@asynccontextmanager
async def snapshot(connection: Connection) -> AsyncIterator[None]:
    """Hold a transaction that sees one moment, and writes values as a backup wants them."""
    await connection.execute(sql()["begin_snapshot"])
    try:
        await connection.execute(sql()["settings"])
        yield
    finally:
        with anyio.CancelScope(shield=True):
            if not connection.is_closed():
                await connection.execute("ROLLBACK")


async def columns_of(connection: Connection) -> Columns:
    """Return the columns that can be written of every table of ours that exists, but for the ledger.

    Args:
        connection: The open connection.

    Returns:
        The names by table, in their order.
    """
    rows = await connection.fetch(sql()["columns"], list(TABLES))
    return {table: tuple(columns) for table, columns in rows}


async def read_table(
    connection: Connection, table: str, columns: tuple[str, ...], write: Write | None
) -> TableSum:
    """Read a table as COPY text, in no order.

    Args:
        connection: The connection, in a transaction with the settings of a backup.
        table: The table.
        columns: What to read of it.
        write: Takes the text piece by piece, whole lines at a time; None if only the sum is wanted.

    Returns:
        What it holds.
    """
    added = RowSum()
    rest = b""

    async def take(piece: bytes) -> None:
        nonlocal rest
        head, _, rest_of = (rest + piece).rpartition(b"\n")
        rest = rest_of
        if head:
            added.add(head.split(b"\n"))
            if write is not None:
                write(head + b"\n")

    # A SELECT, because the rows of a hypertable do not stand in the table itself.
    query = f"SELECT {', '.join(map(quoted, columns))} FROM {quoted(table)}"  # noqa: S608 - quoted names
    await connection.copy_from_query(query, output=take, format="text", timeout=COMMAND_SECONDS)
    return added.of(columns)


async def table_sums(connection: Connection, columns: Columns, tell: Tell) -> dict[str, TableSum]:
    """Add up tables.

    Args:
        connection: The connection, in a transaction with the settings of a backup.
        columns: The tables and what to read of them.
        tell: Called with the name of each.

    Returns:
        What each holds.
    """
    sums = {}
    for table, names in columns.items():
        tell(table)
        sums[table] = await read_table(connection, table, names, None)
    return sums


async def file_sums(tables: Tables) -> dict[str, TableSum]:
    """Add up the tables of a file.

    Args:
        tables: What reads the file.

    Returns:
        What each holds.

    Raises:
        BackupError: If the file is damaged.
    """
    sums = {}
    async with aclosing(tables):
        async for table, names, lines in tables:
            added = RowSum()
            async for batch in lines:
                added.add(batch)
            sums[table] = added.of(names)
    return sums


async def fill_table(connection: Connection, table: str, columns: tuple[str, ...], lines: Lines) -> None:
    """Write COPY text into a table.

    Args:
        connection: The connection, in a transaction.
        table: The table.
        columns: What the text has.
        lines: Its lines without their ends, many at a time.
    """

    async def pieces() -> AsyncIterator[bytes]:
        async for batch in lines:
            yield b"\n".join(batch) + b"\n"

    await connection.copy_to_table(
        table, source=pieces(), columns=list(columns), format="text", timeout=COMMAND_SECONDS
    )


@asynccontextmanager
async def replacing(connection: Connection, tables: list[str]) -> AsyncIterator[None]:
    """Empty tables and let them be filled: without the triggers that would count or measure what is counted already.

    Args:
        connection: The owner's connection, in a transaction.
        tables: All tables of the backup.
    """
    triggers = await connection.fetch(sql()["triggers"], tables)
    identities = await connection.fetch(sql()["identity_columns"], tables)
    await connection.execute(f"TRUNCATE {', '.join(map(quoted, tables))}")
    for table, trigger in triggers:
        await connection.execute(f"ALTER TABLE {quoted(table)} DISABLE TRIGGER {quoted(trigger)}")
    yield
    # A table whose foreign keys wait for the commit could not be altered.
    await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for table, trigger in triggers:
        await connection.execute(f"ALTER TABLE {quoted(table)} ENABLE TRIGGER {quoted(trigger)}")
    for table, column in identities:
        await connection.execute(
            f"SELECT setval(pg_get_serial_sequence('{quoted(table)}', '{column}'), "  # noqa: S608 - names from the catalog
            f"coalesce(max({quoted(column)}), 1), max({quoted(column)}) IS NOT NULL) FROM {quoted(table)}"
        )


def quoted(name: str) -> str:
    """Quote a name.

    Example:
        >>> quoted("timestamp")
        '"timestamp"'
    """
    return '"' + name.replace('"', '""') + '"'
