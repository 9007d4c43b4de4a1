"""Keeps tables as COPY text in a ZIP file: one member `data/TABLE.copy` per table.

The text is what `COPY table (columns) TO STDOUT` writes, in UTF-8 and UTC
(https://www.postgresql.org/docs/current/sql-copy.html, "Text Format"); the columns of each stand in the manifest. By hand:
`unzip -p FILE data/defect_log.copy | psql -c 'COPY defect_log (COLUMNS) FROM STDIN'`.
"""

import zipfile
from pathlib import Path

import anyio

from asp_telemetry.backups.manifest import TableSum
from asp_telemetry.backups.postgres import Columns, Lines, Tables, Tell, read_table
from asp_telemetry.errors import BackupError
from asp_telemetry.stores.postgres_connection import Connection

_CHUNK = 1 << 18


async def write_archive(
    connection: Connection, columns: Columns, file: Path, tell: Tell
) -> dict[str, TableSum]:
    """Write tables into a file.

    Args:
        connection: The connection, in a transaction with the settings of a backup.
        columns: The tables and what to write of them.
        file: An existing, empty file.
        tell: Called with the name of each table.

    Returns:
        What was read of each table.
    """
    sums = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for table, names in columns.items():
            tell(table)
            with archive.open(_member(table), "w", force_zip64=True) as member:
                sums[table] = await read_table(connection, table, names, member.write)
    return sums


async def read_archive(file: Path, columns: Columns) -> Tables:
    """Read the tables of a file, one after the other; each has to be read to its end before the next.

    Args:
        file: The file.
        columns: The columns of each table, from the manifest.

    Yields:
        A table, its columns, and its lines.

    Raises:
        BackupError: If the file is damaged.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            for table, names in columns.items():
                yield table, names, _lines(archive, table)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise BackupError(f"{file} is damaged: {error}; take another backup") from error


async def _lines(archive: zipfile.ZipFile, table: str) -> Lines:
    rest = b""
    with archive.open(_member(table)) as member:
        while chunk := await anyio.to_thread.run_sync(member.read, _CHUNK):
            head, _, rest_of = (rest + chunk).rpartition(b"\n")
            rest = rest_of
            if head:
                yield head.split(b"\n")
    if rest:
        raise BackupError(
            f"{archive.filename} is damaged: {table} ends in the middle of a row; take another backup"
        )


def _member(table: str) -> str:
    return f"data/{table}.copy"
