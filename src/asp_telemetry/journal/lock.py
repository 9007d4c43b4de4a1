"""Locks a file for the life of its process: proof that the owner of a journal is alive.

`lockf` and not `flock`: a forked child inherits `flock` locks, and an orphaned child would keep its parent's journal
from being adopted. `lockf` locks are dropped when the process closes any descriptor of the file, so nothing else in
this package may open a lock file of a journal that the process owns; `_held` tells.
"""

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: no locks; the positions in the database keep everything exact all the same.
    fcntl = None  # type: ignore[assignment]

_held: set[tuple[int, int]] = set()
"""Device and inode of the files that are locked here: a path may lead to them in several ways, or be renamed."""


class FileLock:
    """Hold an exclusive lock on one file until it is released or the process dies."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._descriptor: int | None = None
        self._file: tuple[int, int] | None = None

    def acquire(self) -> bool:
        """Try to take the lock without waiting.

        Returns:
            True if this object holds the lock now, False if another process, or another object here, does.

        Raises:
            OSError: If the file cannot be opened.
        """
        if _file_at(self._path) in _held:
            return self._descriptor is not None
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if fcntl is not None:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        found = os.fstat(descriptor)
        self._file = found.st_dev, found.st_ino
        _held.add(self._file)
        return True

    def release(self) -> None:
        """Give the lock up; releasing twice does nothing."""
        if self._descriptor is not None:
            if self._file is not None:
                _held.discard(self._file)
            os.close(self._descriptor)
            self._descriptor = self._file = None


def _file_at(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def forget_held() -> None:
    """Forget what a forked child's parent holds: the child owns none of it."""
    _held.clear()
