"""Copies SQLite databases with SQLite's own backup, and adds up what is in them; each function runs in a worker thread.

https://www.sqlite.org/backup.html
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

from asp_telemetry.backups.manifest import RowSum, TableSum, require_equal
from asp_telemetry.errors import BackupError, StoreUnavailableError
from asp_telemetry.migrations import store_errors
from asp_telemetry.migrations.failures import primary_code

BUSY_TIMEOUT_SECONDS = 5.0
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
_RETRY_SECONDS = 0.05
_WAITING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_FETCH = 1000

_COLUMNS = (
    "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_xinfo(t.name) AS c "
    "WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND c.hidden = 0 ORDER BY t.name, c.cid"
)


def copy_out(source: Path, backup: Path) -> dict[str, TableSum]:
    """Copy a database, which others may go on writing, into an empty file, and compare the two.

    Args:
        source: The database.
        backup: An existing, empty file; it will need no second file beside it.

    Returns:
        What it holds.

    Raises:
        StoreUnavailableError: If the database cannot be read.
        BackupError: If the copy is not what was copied.
    """
    with _opened(source, "ro") as original, _opened(backup, "rw") as copy:
        # The copy and the sums see this moment, whatever is written meanwhile.
        original.execute("BEGIN")
        original.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        _copy(original, copy, source)
        copy.execute("PRAGMA journal_mode = DELETE")
        wanted = table_sums(original)
        original.execute("COMMIT")
    require_equal(wanted, read_sums(backup), f"the copy of {source} is not equal to it, repeat the backup")
    return wanted


def copy_in(backup: Path, target: Path) -> None:
    """Put a backup in the place of what a database holds, in one transaction: others may have it open.

    Args:
        backup: The backup.
        target: The existing file.

    Raises:
        StoreUnavailableError: If others keep it locked, or it cannot be written.
    """
    with _opened(backup, "ro") as original, _opened(target, "rw") as database:
        pages = [_value(connection, "PRAGMA page_size") for connection in (original, database)]
        if pages[0] != pages[1] and _value(database, "PRAGMA page_count"):
            raise BackupError(
                f"{target} has pages of {pages[1]} bytes and {backup.name} of {pages[0]}, which SQLite cannot exchange; "
                "move the database away first, with its -wal and -shm files"
            )
        _copy(original, database, target)


def read_sums(path: Path) -> dict[str, TableSum]:
    """Check a database and add up its tables.

    Args:
        path: The file.

    Returns:
        What it holds.

    Raises:
        BackupError: If SQLite finds it damaged.
        StoreUnavailableError: If it cannot be read.
    """
    with _opened(path, "ro") as connection:
        connection.execute("BEGIN")
        found = _value(connection, "PRAGMA integrity_check(1)")
        if found != "ok":
            raise BackupError(f"{path} is damaged: {found}; take another backup")
        return table_sums(connection)


def row_counts(path: Path) -> dict[str, int] | None:
    """Count the rows of every table of a file.

    Args:
        path: The existing file.

    Returns:
        Rows by table, or None if SQLite cannot read it as a database.

    Raises:
        StoreUnavailableError: If it is locked, or may not be read.
    """
    try:
        with _opened(path, "ro") as connection:
            counts = {}
            for table in dict(connection.execute(_COLUMNS).fetchall()):
                count = f"SELECT count(*) FROM {_quoted(table)}"  # noqa: S608 - quoted name
                counts[table] = int(_value(connection, count))
            return counts
    except StoreUnavailableError as error:
        if isinstance(error.__cause__, sqlite3.Error) and primary_code(error.__cause__) in _DAMAGED:
            return None
        raise


def size_of(path: Path) -> int:
    """Return the bytes of a file, 0 where there is none.

    Example:
        >>> size_of(Path("/nowhere"))
        0
    """
    return path.stat().st_size if path.exists() else 0


def move_away(path: Path, aside: Path) -> None:
    """Rename a file together with those that SQLite keeps beside it.

    Args:
        path: The file.
        aside: Its new name, in the same folder.
    """
    for suffix in ("", "-wal", "-shm", "-journal"):
        old = path.with_name(f"{path.name}{suffix}")
        if old.exists():
            old.rename(f"{aside}{suffix}")


def table_sums(connection: sqlite3.Connection) -> dict[str, TableSum]:
    """Add up all tables of an open database.

    Args:
        connection: The database.

    Returns:
        What is in each table.

    Example:
        >>> with closing(sqlite3.connect(":memory:")) as database:
        ...     _ = database.execute("CREATE TABLE pairs (x)")
        ...     table_sums(database)["pairs"].rows
        0
    """
    tables: dict[str, list[str]] = {}
    for table, column in connection.execute(_COLUMNS).fetchall():
        tables.setdefault(table, []).append(column)
    return {table: _table_sum(connection, table, tuple(columns)) for table, columns in tables.items()}


def _table_sum(connection: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> TableSum:
    query = f"SELECT {', '.join(map(_quoted, columns))} FROM {_quoted(table)}"  # noqa: S608 - quoted names
    try:
        return _add_up(connection.execute(query), columns)
    except sqlite3.OperationalError as error:
        if primary_code(error) is not None:
            raise
    # Text that is no UTF-8; it is to be copied, not judged. Not always so, because it takes twice the time.
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    try:
        return _add_up(connection.execute(query), columns)
    finally:
        connection.text_factory = str


def _add_up(rows: sqlite3.Cursor, columns: tuple[str, ...]) -> TableSum:
    added, encode = RowSum(), json.JSONEncoder().encode
    while batch := rows.fetchmany(_FETCH):
        added.add(encode(row).encode() for row in batch)
    return added.of(columns)


def _copy(original: sqlite3.Connection, copy: sqlite3.Connection, name: Path) -> None:
    deadline = monotonic() + BUSY_TIMEOUT_SECONDS

    def progress(status: int, _remaining: int, _total: int) -> None:
        # Python would try for ever.
        if status in _WAITING and monotonic() > deadline:
            raise StoreUnavailableError(
                f"{name} is locked by another process; try again, or end that process"
            )

    original.backup(copy, progress=progress, sleep=_RETRY_SECONDS)


@contextmanager
def _opened(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"
    with (
        store_errors(path),
        closing(
            sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_SECONDS)
        ) as connection,
    ):
        connection.execute("PRAGMA synchronous = FULL")
        yield connection


def _value(connection: sqlite3.Connection, query: str) -> Any:
    return connection.execute(query).fetchone()[0]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
