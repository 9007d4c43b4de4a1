"""Fills disks up: truly where a small one may be mounted, else by refusing what the recorder asks for."""

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from asp_telemetry.database_url import is_sqlite
from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.journal.segment import Segment
from asp_telemetry.recorder.recorder import Recorder
from asp_telemetry.sinks.database import DatabaseSink
from asp_telemetry.testing.target import recorder_here
from asp_telemetry.writer.batch import Batch

_MEGABYTE = 1 << 20
_PIECES = (1 << 20, 1 << 12)
_mounted: list[Path] = []


@contextmanager
def tiny_disk(megabytes: int = 16) -> Iterator[Path]:
    """Mount a small memory disk where that is permitted (Linux, as root), else make an ordinary temporary folder.

    Args:
        megabytes: Its size; a database, its log and a journal take about eight.

    Yields:
        Its folder, for `capture(folder=...)`; `full_disk()` then fills the disk in earnest.

    Example:
        >>> from asp_telemetry.testing import capture
        >>> with tiny_disk() as folder, capture(folder=folder) as recorded:
        ...     recorded.executions
        []
    """
    with tempfile.TemporaryDirectory(prefix="asp-telemetry-disk-") as name:
        folder = Path(name)
        if not _mount(folder, megabytes * _MEGABYTE):
            yield folder
            return
        _mounted.append(folder)
        try:
            yield folder
        finally:
            _mounted.remove(folder)
            # Lazily, because the journal's maps may live until the garbage collector comes.
            subprocess.run(["umount", "--lazy", name], check=True)  # noqa: S603, S607 - the caller's own PATH


def _mount(folder: Path, size: int) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603
    except OSError:
        return False


@contextmanager
def full_disk() -> Iterator[bool]:
    """Leave no room on the disk of the journal and of an SQLite database: no segment can be reserved, no row written.

    Callers must not notice. Records then wait in a few megabytes of memory, and what finds no room there either is
    dropped, and counted under `"disk_full"`: use `assert_no_loss()` only if few records are made inside.

    Yields:
        Whether a real disk is full (see `tiny_disk`); otherwise the errors of a full one are raised where segments are
        reserved and where rows are written. The program's own files are never affected.

    Raises:
        AspTelemetryError: If recording is switched off.

    Example:
        >>> import asp_telemetry as asp
        >>> from asp_telemetry.testing import assert_no_loss, capture
        >>> with tiny_disk() as folder, capture(folder=folder) as recorded:
        ...     with full_disk():
        ...         for _ in range(10_000):
        ...             with asp.span("plan"):
        ...                 pass
        ...         print(asp.stats()["dropped"])
        ...     assert_no_loss()
        ...     len(recorded.executions)
        0
        10000
    """
    recorder = recorder_here()
    disk = _disk_of(recorder)
    if disk is None:
        with _refused_segments(recorder), _refused_batches(recorder):
            yield False
        return
    filler = disk / "filler"
    try:
        _fill(filler)
        yield True
    finally:
        filler.unlink(missing_ok=True)


def _disk_of(recorder: Recorder) -> Path | None:
    directory = recorder.journal.directory
    return next((disk for disk in _mounted if directory is not None and directory.is_relative_to(disk)), None)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for piece in _PIECES:
            try:
                while True:
                    file.write(bytes(piece))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


@contextmanager
def _refused_segments(recorder: Recorder) -> Iterator[None]:
    directory = recorder.journal.directory
    make: Any = {name: getattr(Segment, name) for name in ("mapped", "written")}

    def refusing(name: str) -> Any:
        def refuse(path: Path) -> Segment:
            if directory is not None and path.is_relative_to(directory):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            segment: Segment = make[name](path)
            return segment

        return staticmethod(refuse)

    for name in make:
        setattr(Segment, name, refusing(name))
    try:
        yield
    finally:
        for name, before in make.items():
            setattr(Segment, name, before)


@contextmanager
def _refused_batches(recorder: Recorder) -> Iterator[None]:
    """Refuse what is written into an SQLite file; another kind of database has a disk of its own."""
    patched: Any = DatabaseSink
    write = DatabaseSink.write

    async def refuse(sink: DatabaseSink, batch: Batch) -> None:
        if recorder.writer is None or recorder.writer.sink is not sink:
            await write(sink, batch)
            return
        await sink.close()
        raise StoreUnavailableError(f"{recorder.settings.destination}: database or disk is full")

    if is_sqlite(recorder.settings.database):
        patched.write = refuse
    try:
        yield
    finally:
        patched.write = write
