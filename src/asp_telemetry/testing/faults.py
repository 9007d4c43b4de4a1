"""Injects faults where records pass: a locked or vanished database, a dead writer. Each undoes itself.

A fault hits what the code around it records into: the database of the `capture()` block that it stands in, else the
program's own. Callers must not notice any of them, and when it is over nothing may be lost: `assert_no_loss()`.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from asp_telemetry.database_url import destination_of, is_sqlite, sqlite_path
from asp_telemetry.errors import AspTelemetryError
from asp_telemetry.stores.sqlite_connection import create_private
from asp_telemetry.testing.target import recorder_here, sqlite_here

_LOCK_SECONDS = 10.0


@contextmanager
def locked_database() -> Iterator[None]:
    """Keep the writer out of the database, as another program does that writes for long; readers may still read.

    In PostgreSQL, the table of journal positions is locked, without which nothing can be committed.

    Raises:
        AspTelemetryError: If recording is switched off, or the PostgreSQL database cannot be reached or has no tables yet.

    Example:
        >>> import asp_telemetry as asp
        >>> from asp_telemetry.testing import assert_no_loss, capture
        >>> with capture() as recorded:
        ...     with locked_database():
        ...         with asp.span("plan"):
        ...             pass
        ...         print(recorded.flush(timeout=0.2).pending)
        ...     assert_no_loss()
        1
        >>> len(recorded.executions)
        1
    """
    url = recorder_here().settings.database
    with _locked_file(sqlite_path(url)) if is_sqlite(url) else _locked_table(url):
        yield


@contextmanager
def _locked_file(path: Path) -> Iterator[None]:
    create_private(path)
    with closing(
        sqlite3.connect(path, timeout=_LOCK_SECONDS, isolation_level=None, check_same_thread=False)
    ) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def _locked_table(url: str) -> Iterator[None]:
    import asyncpg  # noqa: PLC0415 - the driver is an extra
    from anyio.from_thread import start_blocking_portal  # noqa: PLC0415

    from asp_telemetry.stores.postgres_connection import connect, disconnect  # noqa: PLC0415

    # A loop of its own, because the caller's may be running.
    with start_blocking_portal() as portal:
        connection = portal.call(connect, url)
        try:
            portal.call(connection.execute, "BEGIN")
            try:
                portal.call(connection.execute, "LOCK TABLE journal_checkpoints IN EXCLUSIVE MODE")
            except asyncpg.PostgresError as error:
                raise AspTelemetryError(
                    f"the tables in {destination_of(url)} cannot be locked: {error}; run asp-telemetry migrate up first"
                ) from error
            yield
        finally:
            portal.call(disconnect, connection)


@contextmanager
def vanished_database() -> Iterator[None]:
    """Take the SQLite database away, as an unmounted disk does, and bring it back with all that was in it.

    While it is away its path leads nowhere, and nothing can be made there either.

    Raises:
        AspTelemetryError: If the code records into another kind of database.

    Example:
        >>> import asp_telemetry as asp
        >>> from asp_telemetry.testing import assert_no_loss, capture
        >>> with capture() as recorded:
        ...     with vanished_database():
        ...         with asp.span("plan"):
        ...             pass
        ...         print(recorded.path.exists(), recorded.flush(timeout=0.2).complete)
        ...     assert_no_loss()
        False False
        >>> len(recorded.executions)
        1
    """
    path = sqlite_here("vanished_database")
    create_private(path)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        kept, nowhere = Path(folder) / path.name, Path(folder) / "nowhere"
        # Both ways in one step: in between, the writer would make a new database. The write-ahead log stays where it is,
        # for SQLite looks for it beside the path that it has opened.
        kept.hardlink_to(path)
        nowhere.symlink_to(Path(folder) / "away" / path.name)
        nowhere.replace(path)
        try:
            yield
        finally:
            kept.replace(path)


@contextmanager
def dead_writer() -> Iterator[None]:
    """Let the thread that writes to the database die, and let none take its place before the block ends.

    Raises:
        AspTelemetryError: If recording is switched off.

    Example:
        >>> import asp_telemetry as asp
        >>> from asp_telemetry.testing import assert_no_loss, capture
        >>> with capture() as recorded:
        ...     with dead_writer():
        ...         with asp.span("plan"):
        ...             pass
        ...         print(asp.stats()["writer_alive"], asp.stats()["pending"])
        ...     assert_no_loss()
        False 1
        >>> len(recorded.executions)
        1
    """
    recorder: Any = recorder_here()
    recorder.start_writer = _start_nobody
    try:
        writer: Any = recorder.writer
        if writer is not None and writer.is_alive:
            writer._bell.wait = _die  # noqa: SLF001 - what fails in a pass is survived; this is where nothing is caught
            writer.wake()
            writer.stopped.wait(_LOCK_SECONDS)
        yield
    finally:
        del recorder.start_writer
        recorder.start_writer()


def _start_nobody() -> None:
    """Start no writer, while there is to be none."""


async def _die(_: float) -> None:
    raise MemoryError(f"dead_writer() of process {os.getpid()} said so")
