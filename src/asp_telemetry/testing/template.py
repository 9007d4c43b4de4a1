"""Lays an empty database of the current schema down in a millisecond: it is migrated once per process, then copied."""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from threading import Lock, Thread
from uuid import uuid4

_lock = Lock()
_empty: bytes | None = None


def lay_down(path: Path) -> None:
    """Make an empty database, with an identity of its own.

    Args:
        path: Where; there must be no file yet.

    Raises:
        MigrationError: If the schema cannot be made.
    """
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(_migrated())
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("UPDATE database_identity SET id = ?", (str(uuid4()),))


def _migrated() -> bytes:
    global _empty
    with _lock:
        if _empty is None:
            with tempfile.TemporaryDirectory(prefix="asp-telemetry-") as folder:
                _empty = _migrate(Path(folder) / "empty.db")
        return _empty


def _migrate(path: Path) -> bytes:
    import anyio  # noqa: PLC0415 - only the first capture() needs it

    from asp_telemetry.stores.sqlite_connection import open_database  # noqa: PLC0415

    failures: list[Exception] = []

    async def make() -> None:
        await (await open_database(path)).connection.close()

    def work() -> None:
        try:
            anyio.run(make)
        except Exception as error:
            failures.append(error)

    # In a thread, because the caller's may be running an event loop.
    thread = Thread(target=work)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return path.read_bytes()
