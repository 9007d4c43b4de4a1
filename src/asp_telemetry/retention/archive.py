"""Writes rows into an archive file before they are deleted: JSON lines, gzip, private.

The first line is a header, each further one `{"table": ..., "row": {...}}` with the columns as the database returned
them; `asp_telemetry.records` reads them back. Payloads that went while their row stayed bear the row's key and time.
Every batch is a gzip member of its own (RFC 1952, 2.2: a file may hold several), so that the file is whole after each.
"""

import gzip
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asp_telemetry.errors import BackupError

FORMAT = "asp-telemetry-archive"


class ArchiveFile:
    """Be a new file in a folder, made when the first rows come.

    Args:
        folder: Where it shall lie; made if missing, for this user alone.
        header: What its first line shall say besides the format.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     archive = ArchiveFile(Path(folder), {"database": "sqlite:////tmp/a.db"})
        ...     archive.append("pattern_usage_log", [{"id": "1"}])
        ...     archive.close()
        ...     read_archive(next(Path(folder).iterdir()))
        [('pattern_usage_log', {'id': '1'})]
    """

    def __init__(self, folder: Path, header: Mapping[str, Any]) -> None:
        moment = datetime.now(UTC)
        self._header = {"format": FORMAT, "version": 1, "created_at": moment.isoformat(), **header}
        self._folder = folder
        self._name = f"pruned-{moment:%Y%m%dT%H%M%S.%fZ}.jsonl.gz"
        self._descriptor: int | None = None

    @property
    def path(self) -> Path | None:
        """The file, or None as long as there is none."""
        return None if self._descriptor is None else self._folder / self._name

    def append(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows so that they are on the disk when this returns; if it fails, the file is as before.

        Args:
            table: Where they come from.
            rows: Their columns by name.

        Raises:
            BackupError: If they cannot be written.
        """
        lines = [json.dumps({"table": table, "row": dict(row)}, default=str) for row in rows]
        try:
            if self._descriptor is None:
                self._descriptor = self._create()
                lines.insert(0, json.dumps(self._header))
            self._write(self._descriptor, gzip.compress("".join(f"{line}\n" for line in lines).encode()))
        except OSError as error:
            raise BackupError(
                f"{self._folder / self._name} cannot be written: {error.strerror}; nothing of this batch was deleted, "
                "free some space or name another folder with --archive"
            ) from error

    def close(self) -> None:
        """Close the file; one that nothing could be written to goes."""
        if self._descriptor is None:
            return
        empty = os.fstat(self._descriptor).st_size == 0
        os.close(self._descriptor)
        if empty:
            (self._folder / self._name).unlink()

    def _create(self) -> int:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._folder / self._name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # else a power loss may take the name of a file whose rows are deleted already
        finally:
            os.close(folder)
        return descriptor

    @staticmethod
    def _write(descriptor: int, data: bytes) -> None:
        size = os.fstat(descriptor).st_size
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            os.lseek(descriptor, size, os.SEEK_SET)
            raise


def read_archive(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Read the rows of an archive file back.

    Args:
        path: The file.

    Returns:
        The table and the columns of each row, in the order in which they were deleted.

    Raises:
        BackupError: If it is no archive file.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            header = json.loads(next(lines, "{}"))
            if header.get("format") != FORMAT or header.get("version") != 1:
                raise BackupError(
                    f"{path} is no archive that this asp-telemetry can read; check its first line"
                )
            return [(found["table"], found["row"]) for found in map(json.loads, lines)]
    except (OSError, ValueError, EOFError) as error:
        raise BackupError(
            f"{path} cannot be read as an archive: {error}; name a file that prune has written"
        ) from error
