"""Keeps what the processes of hooks have to tell, until it is drained: one file for all of them, under a file lock.

A hook lives for some milliseconds, too short for a journal of its own. It appends one line; a drain gives the file a name
of its own, and works it off while others begin a new one. Whoever needs this module is in a hurry: it imports little.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from zlib import crc32

try:
    import fcntl
except ImportError:  # Windows: appends of hooks that run at the same time may be lost there.
    fcntl = None  # type: ignore[assignment]

FOLDER = "hooks"
MAX_BYTES = 64 * 1024 * 1024
"""How long the file may become; what comes later is refused and counted."""

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
REASONS = ("spool_full", "disk_full")
_MAGIC = b"asp-telemetry hooks 1"
_DIGITS = 10
# A drain that was asked for and has not begun after so long has died.
_BEGINS_WITHIN_SECONDS = 60.0
_SEALED = ".sealed"


class Spool:
    """Be the file of one destination.

    Args:
        journal_dir: The folder of the destination's journals.
        destination: The database's URL without credentials.
        max_bytes: How long the file may become.
    """

    def __init__(self, journal_dir: Path, destination: str, max_bytes: int = MAX_BYTES) -> None:
        self.folder = journal_dir / FOLDER
        self.destination = destination
        self._max_bytes = max_bytes
        self._name = f"{crc32(destination.encode('utf-8', 'surrogateescape')):08x}"
        self.path = self._place("spool")
        self.log = self._place("log")

    def append(self, record: bytes, *, drain: bool = False) -> bool:
        """Append a record, or count it as refused where there is no room.

        Args:
            record: One line, without its end.
            drain: Whether the caller would start a drain.

        Returns:
            Whether the caller is the one to start it: nobody else has since the last one began.

        Raises:
            OSError: If the file cannot be written at all.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o600)
            try:
                self._write(descriptor, record)
            finally:
                os.close(descriptor)
            return drain and self._ask_for_drain()

    def seal(self) -> None:
        """Put the file aside for a drain; hooks begin a new one.

        Raises:
            OSError: If the folder cannot be written.
        """
        if not self.folder.is_dir():
            return
        with self._locked():
            self._place("wanted").unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                self.path.rename(self._place(f"{time.time_ns():020d}{_SEALED}"))

    def sealed(self) -> list[Path]:
        """Return the files that wait for a drain, oldest first."""
        return sorted(self.folder.glob(f"{self._name}.*{_SEALED}"))

    def is_waiting(self) -> bool:
        """Tell whether there is anything to drain."""
        return self.path.exists() or bool(self.sealed())

    @contextmanager
    def draining(self) -> Iterator[bool]:
        """Keep other processes from draining at the same time: they would only be in each other's way.

        Yields:
            Whether nobody else does.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _holding(self._place("draining"), wait=False) as held:
            yield held

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with _holding(self._place("lock")):
            yield

    def _write(self, descriptor: int, record: bytes) -> None:
        size = os.fstat(descriptor).st_size
        begin = header(self.destination)
        if size < len(begin):
            # What is shorter was torn off when the disk was full.
            os.ftruncate(descriptor, 0)
            begun = begin.replace(b"-" * 32, os.urandom(16).hex().encode(), 1)
            if not _append(descriptor, begun, 0):
                raise OSError(f"there is no room for {self.path}")
            size = len(begin)
        line = record + b"\n"
        if os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line  # a hook was killed in the middle of its line, which is lost alone
        if size + len(line) > self._max_bytes:
            _count(descriptor, 0)
        elif not _append(descriptor, line, size):
            _count(descriptor, 1)

    def _ask_for_drain(self) -> bool:
        wanted = self._place("wanted")
        with suppress(FileNotFoundError):
            if 0 <= time.time() - wanted.stat().st_mtime < _BEGINS_WITHIN_SECONDS:
                return False
        wanted.touch(mode=0o600)
        return True

    def _place(self, ending: str) -> Path:
        return self.folder / f"{self._name}.{ending}"


def header(destination: str) -> bytes:
    """Return what a file begins with, its id left open: how many records were refused, and whose they are."""
    zeros = b" ".join(b"0" * _DIGITS for _ in REASONS)
    return b"%s %s %s\n%s\n" % (_MAGIC, b"-" * 32, zeros, destination.encode("utf-8", "surrogateescape"))


class Header:
    """Read what a file says of itself.

    Args:
        first: Its first line, with its end.
        second: Its second line, with its end.

    Attributes:
        identity: Its unique name.
        refused: How many records it had no room for, by reason.
        destination: The database that it belongs to, without credentials.
        length: Where its records begin.

    Raises:
        ValueError: If it is no spool that this version knows.
    """

    def __init__(self, first: bytes, second: bytes) -> None:
        words = first.removeprefix(_MAGIC).split()
        if not first.startswith(_MAGIC) or len(words) != 1 + len(REASONS) or not second.endswith(b"\n"):
            raise ValueError("it does not begin as a spool of hooks does")
        self.identity = words[0].decode("ascii")
        counts = zip(REASONS, map(int, words[1:]), strict=True)
        self.refused = {reason: count for reason, count in counts if count}
        self.destination = second[:-1].decode("utf-8", "surrogateescape")
        self.length = len(first) + len(second)


def _append(descriptor: int, data: bytes, size: int) -> bool:
    """Write all of it or nothing."""
    try:
        if os.pwrite(descriptor, data, size) == len(data):
            return True
    except OSError:
        pass  # told by its count
    os.ftruncate(descriptor, size)
    return False


def _count(descriptor: int, reason: int) -> None:
    """Count a refused record, in bytes that are there already: on a full disk they can still be written."""
    place = len(_MAGIC) + 1 + 32 + 1 + reason * (_DIGITS + 1)
    count = int(os.pread(descriptor, _DIGITS, place)) + 1
    os.pwrite(descriptor, b"%0*d" % (_DIGITS, count), place)


@contextmanager
def _holding(path: Path, *, wait: bool = True) -> Iterator[bool]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o600)
    try:
        held = True
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                held = False
        yield held
    finally:
        os.close(descriptor)
