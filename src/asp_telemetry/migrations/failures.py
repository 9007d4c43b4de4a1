"""Turns SQLite's errors about the file itself into `StoreUnavailableError`, with the file's name and the remedy."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asp_telemetry.errors import StoreUnavailableError

_PRIMARY_CODE = 0xFF  # the bits above it only refine the reason

_LOCKED = "another process is writing to it; try again, or end that process"
_UNREADABLE = (
    "it is left as it is; restore a backup in its place, or choose another database with ASP_DATABASE_URL"
)
_FORBIDDEN = "give this user read and write permission on the file and its folder, or set ASP_DATABASE_URL"
_DISK = "check the disk and the file system under it"

_REMEDIES = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_PROTOCOL: _LOCKED,
    sqlite3.SQLITE_CORRUPT: _UNREADABLE,
    sqlite3.SQLITE_NOTADB: _UNREADABLE,
    sqlite3.SQLITE_FORMAT: _UNREADABLE,
    sqlite3.SQLITE_PERM: _FORBIDDEN,
    sqlite3.SQLITE_AUTH: _FORBIDDEN,
    sqlite3.SQLITE_READONLY: _FORBIDDEN,
    sqlite3.SQLITE_CANTOPEN: _FORBIDDEN,
    sqlite3.SQLITE_FULL: "free some space on its disk",
    sqlite3.SQLITE_NOMEM: "free some memory",
    sqlite3.SQLITE_IOERR: _DISK,
    sqlite3.SQLITE_NOLFS: _DISK,
}


def primary_code(error: sqlite3.Error) -> int | None:
    """Return SQLite's own number of an error, or None where Python raised it by itself.

    Example:
        >>> try:
        ...     sqlite3.connect(":memory:").execute("SELEC 1")
        ... except sqlite3.Error as error:
        ...     primary_code(error) == sqlite3.SQLITE_ERROR
        True
    """
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & _PRIMARY_CODE


@contextmanager
def store_errors(path: Path | str) -> Iterator[None]:
    """Raise `StoreUnavailableError` for what is wrong with the file; let errors about rows and SQL pass unchanged.

    Args:
        path: The database file, for the message.

    Yields:
        Nothing.

    Raises:
        StoreUnavailableError: If the file is locked, unreadable, corrupt, forbidden, or its disk is full or failing.

    Example:
        >>> with store_errors("a.db"):
        ...     sqlite3.connect(":memory:").execute("SELECT 1").fetchone()
        (1,)
    """
    try:
        yield
    except sqlite3.Error as error:
        remedy = _REMEDIES.get(primary_code(error) or 0)
        if remedy is None:
            raise
        raise StoreUnavailableError(f"{path}: {error}; {remedy}") from error
