"""Opens SQLite files: private, in WAL mode, patient with other writers, and brought to the current schema."""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any

import aiosqlite
import anyio

from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.migrations import MigrationSummary, Migrator, SqliteTarget, store_errors
from asp_telemetry.migrations.failures import primary_code
from asp_telemetry.stores.legacy import LegacyUpgrade, is_legacy, upgrade_legacy

BUSY_TIMEOUT_SECONDS = 5.0
_WAL_RETRY_SECONDS = 0.02
# What SQLite says where it may not make or read the files that belong to a database in WAL mode.
_NOT_PERMITTED = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})


@dataclass(frozen=True)
class OpenedDatabase:
    """Be an open database at the current schema, with what had to be done for that."""

    connection: aiosqlite.Connection
    summary: MigrationSummary
    legacy: LegacyUpgrade | None


async def connect(path: Path, *, read_only: bool = False) -> aiosqlite.Connection:
    """Open a SQLite file as asp-telemetry wants it; the caller closes it.

    A missing file and its folder are created for this user alone. Statements run in autocommit mode: who wants a
    transaction issues `BEGIN IMMEDIATE`. A file that is corrupt or no database is left exactly as it is.

    Args:
        path: The database file.
        read_only: Open an existing file without changing it in any way, its journal mode included.

    Returns:
        The connection, served by a daemon thread.

    Raises:
        StoreUnavailableError: If the file cannot be created, opened, or read as a SQLite database.

    Who may only read the file and its folder reads it as well: a database in WAL mode that nobody has open is taken as
    unchanging then (https://www.sqlite.org/wal.html#read_only_databases).

    Example:
        >>> import asyncio, tempfile
        >>> async def journal_mode(folder):
        ...     connection = await connect(Path(folder) / "a.db")
        ...     mode = await connection.execute_fetchall("PRAGMA journal_mode")
        ...     await connection.close()
        ...     return mode[0][0]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     asyncio.run(journal_mode(folder))
        'wal'
    """
    if not read_only:
        create_private(path)
    if read_only:
        return await _open_to_read(path)
    connection = await _open(path)
    try:
        with store_errors(path):
            await _enter_wal(connection)
    except BaseException:
        await _close(connection)
        raise
    return connection


def file_identity(path: Path) -> tuple[int, int] | None:
    """Tell which file a path leads to now; None for none. One that is open may have been removed or replaced since.

    Args:
        path: The database file.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - beside every look-up and commit: pathlib costs more than the call itself
    except OSError:
        return None
    return found.st_dev, found.st_ino


async def open_database(path: Path, *, to: int | None = None) -> OpenedDatabase:
    """Open a database for writing and bring its schema up to date; an old or new file will do, a foreign one not.

    Args:
        path: The database file, which may be missing, empty, current, behind, or made by the original scripts.
        to: The schema version to stop at; the newest when left out.

    Returns:
        The open connection and what was done.

    Raises:
        StoreUnavailableError: If the file is locked, unreadable, forbidden, or no SQLite database.
        MigrationError: If the database is not ours, newer than this code, or made by edited migrations; it is left
            unchanged, its journal mode included.

    Example:
        >>> import asyncio, tempfile
        >>> async def version(folder):
        ...     opened = await open_database(Path(folder) / "a.db")
        ...     await opened.connection.close()
        ...     return opened.summary.version_after > 0
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     asyncio.run(version(folder))
        True
    """
    create_private(path)
    connection = await _open(path)
    try:
        with store_errors(path):
            migrator = Migrator(SqliteTarget(connection))
            old = await is_legacy(connection)
            if not old:
                await migrator.check()
            await _enter_wal(connection)
            upgrade = await upgrade_legacy(connection, path) if old else None
            summary = await migrator.up(to=to)
    except BaseException:
        await _close(connection)
        raise
    return OpenedDatabase(connection, summary, upgrade)


def create_private(path: Path) -> None:
    """Create a missing database file and its folder, readable by this user alone.

    Args:
        path: The file; one that exists stays as it is.

    Raises:
        StoreUnavailableError: If the folder or the file cannot be created.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     create_private(Path(folder) / "private" / "a.db")
        ...     oct((Path(folder) / "private" / "a.db").stat().st_mode & 0o777)
        '0o600'
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # O_EXCL because closing a descriptor of a file that this process has open in SQLite would drop SQLite's
        # locks on it. The -wal and -shm files inherit the mode.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError as error:
        if not path.exists():
            raise _cannot_create(path, error) from error
    except OSError as error:
        raise _cannot_create(path, error) from error


def _cannot_create(path: Path, error: OSError) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"{path} cannot be created: {error.strerror}; give this user write permission on the folder, "
        "or choose another database with ASP_DATABASE_URL"
    )


def _uri(path: Path, options: str) -> str:
    return f"{path.absolute().as_uri()}?{options}"


async def _open_to_read(path: Path) -> aiosqlite.Connection:
    """Open a file for a user who perhaps may only read it."""
    try:
        return await _open_and_look(path, "mode=ro")
    except StoreUnavailableError as error:
        cause = error.__cause__
        if not isinstance(cause, sqlite3.Error) or primary_code(cause) not in _NOT_PERMITTED:
            raise
        if not os.access(path, os.R_OK) or os.access(path.parent, os.W_OK):
            raise
        if open_log := _log_beside(path):
            raise StoreUnavailableError(
                f"{path}: what was last committed still stands in {open_log}, which needs write permission on the folder "
                "to be read; ask again while a process of the owner has the database open, or as its owner"
            ) from error
    return await _open_and_look(path, "mode=ro&immutable=1")


def _log_beside(path: Path) -> Path | None:
    for suffix in ("-wal", "-journal"):
        log = path.with_name(f"{path.name}{suffix}")
        if log.exists() and log.stat().st_size:
            return log
    return None


async def _open_and_look(path: Path, options: str) -> aiosqlite.Connection:
    connection = await _open(path, options)
    try:
        with store_errors(path):
            await connection.execute_fetchall("SELECT count(*) FROM sqlite_schema")
    except BaseException:
        await _close(connection)
        raise
    return connection


async def _open(path: Path, options: str = "mode=rw") -> aiosqlite.Connection:
    uri = _uri(path, options)
    connection = aiosqlite.connect(uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_SECONDS)
    # aiosqlite's thread is not a daemon by default: while somebody else holds the database's lock it would keep the
    # interpreter from exiting. Older versions of aiosqlite are that thread instead of having one.
    thread: Any = getattr(connection, "_thread", connection)
    if isinstance(thread, Thread):
        thread.daemon = True
    try:
        with store_errors(path):
            await connection
    except BaseException:
        # After a failed start the thread reports once more to this loop, and must not find it closed.
        if isinstance(thread, Thread):
            thread.join(BUSY_TIMEOUT_SECONDS)
        raise
    try:
        with store_errors(path):
            await connection.execute_fetchall("PRAGMA synchronous = FULL")
            await connection.execute_fetchall("PRAGMA temp_store = MEMORY")
    except BaseException:
        await _close(connection)
        raise
    return connection


async def _enter_wal(connection: aiosqlite.Connection) -> None:
    """Switch to WAL mode, which SQLite refuses at once, without its busy timeout, while others switch too."""
    deadline = monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            # A file system without shared memory keeps its old mode and says so; everything works there, only slower.
            await connection.execute_fetchall("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY or monotonic() > deadline:
                raise
            await anyio.sleep(_WAL_RETRY_SECONDS)
        else:
            return


async def _close(connection: aiosqlite.Connection) -> None:
    with anyio.CancelScope(shield=True):
        await connection.close()
