"""One file of a journal: reserved, mapped or written through, and numbered within its lane."""

import errno
import mmap
import os
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from asp_telemetry.journal.layout import (
    FORMAT_VERSION,
    HEADER,
    HEADER_CHECK,
    HEADER_COPIES,
    HEADER_COPY,
    MAGIC,
    SEGMENT_BYTES,
)
from asp_telemetry.journal.mounts import filesystem_of

Buffer = mmap.mmap | bytearray

# A file that is mapped but not backed by blocks kills its process with SIGBUS when the disk is full, and these file
# systems either keep no promise made by fallocate (copy on write) or do not keep maps coherent (network).
_UNSAFE_TO_MAP = frozenset(
    {"9p", "bcachefs", "btrfs", "ceph", "cifs", "nfs", "nfs4", "smb3", "virtiofs", "vboxsf", "zfs"}
)


class SegmentHeader(NamedTuple):
    """Tell which lane a segment belongs to, which number it has there, and where its stamps begin."""

    lane: int
    number: int
    lane_stamp: int
    first_stamp: int


class _Descriptor:
    """Own an open file until the last append that uses it is done."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.close(self.number)


class Segment:
    """Hold one segment, in one of three modes.

    Mapped: appends go straight into a shared map of a file whose blocks are reserved. Written: appends go into
    a byte array and through `os.pwrite`. Memory: an anonymous map that dies with the process, the last resort.
    """

    __slots__ = ("_descriptor", "buffer", "full", "number", "path", "trouble")

    def __init__(self, path: Path | None, buffer: Buffer, descriptor: int | None) -> None:
        self.path = path
        self.buffer: Buffer | None = buffer
        self.number = 0
        self.full = False
        self.trouble: str | None = None
        self._descriptor = None if descriptor is None else _Descriptor(descriptor)

    @classmethod
    def mapped(cls, path: Path) -> "Segment":
        """Create the file with all its blocks reserved, and map it.

        Raises:
            OSError: If the disk is full or the file system cannot reserve or map.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, SEGMENT_BYTES)
            buffer = mmap.mmap(descriptor, SEGMENT_BYTES)
        except (OSError, ValueError):
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        return cls(path, buffer, None)

    @classmethod
    def written(cls, path: Path) -> "Segment":
        """Create the file, to be filled by `os.pwrite`.

        Raises:
            OSError: If the file cannot be created.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        return cls(path, bytearray(SEGMENT_BYTES), descriptor)

    @classmethod
    def in_memory(cls) -> "Segment":
        """Make a segment that no file backs."""
        return cls(None, mmap.mmap(-1, SEGMENT_BYTES), None)

    @property
    def is_written(self) -> bool:
        """Whether appends have to be copied into the file."""
        return self._descriptor is not None

    def assign(self, header: SegmentHeader) -> None:
        """Make the segment the next one of a lane."""
        assert self.buffer is not None
        self.number = header.number
        # The magic goes last: until it is there, nobody takes the segment for a part of a lane.
        packed = HEADER.pack(MAGIC, FORMAT_VERSION, *header)
        copy = packed + HEADER_CHECK.pack(crc32(packed))
        self.buffer[: HEADER_COPY * HEADER_COPIES] = (bytes(len(MAGIC)) + copy[len(MAGIC) :]) * HEADER_COPIES
        for start in range(0, HEADER_COPY * HEADER_COPIES, HEADER_COPY):
            self.buffer[start : start + len(MAGIC)] = MAGIC
        self.write_through(0, HEADER_COPY * HEADER_COPIES)

    def touch(self) -> None:
        """Write to every page of a map, so that no caller has to wait while the kernel finds it (a microsecond each)."""
        if self.buffer is not None and not self.is_written:
            for position in range(0, SEGMENT_BYTES, mmap.PAGESIZE):
                self.buffer[position] = 0

    def write_through(self, position: int, size: int) -> None:
        """Copy what has been appended into the file, where the segment is not mapped."""
        buffer, descriptor = self.buffer, self._descriptor
        if buffer is None or descriptor is None:
            return
        try:
            os.pwrite(descriptor.number, bytes(buffer[position : position + size]), position)
        except OSError as error:
            self.trouble = f"{self.path} cannot be written ({error.strerror or error})"

    def release(self) -> None:
        """Let go of map and file once the lane has left the segment; an append under way keeps them alive."""
        if self.path is not None and self.trouble is None:
            self.buffer = None
            self._descriptor = None

    def read(self) -> bytes:
        """Return the whole segment, from memory or from its file, padded with zeros to its full size.

        Raises:
            FileNotFoundError: If the file is gone, since another drainer has retired it.
        """
        buffer = self.buffer
        if buffer is not None:
            return bytes(buffer)
        assert self.path is not None
        return self.read_file(self.path)

    @staticmethod
    def read_file(path: Path) -> bytes:
        """Return a segment's file, padded with zeros to its full size.

        Raises:
            FileNotFoundError: If the file is gone, since another drainer has retired it.
        """
        return path.read_bytes().ljust(SEGMENT_BYTES, b"\0")

    def delete(self) -> None:
        """Remove the file after everything in it has been committed."""
        self.buffer = None
        self._descriptor = None
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def read_header(data: bytes) -> SegmentHeader | None:
    """Read a segment's header, or None if this is no segment of this format or no lane has taken it yet."""
    for start in range(0, min(len(data) - HEADER_COPY + 1, HEADER_COPY * HEADER_COPIES), HEADER_COPY):
        magic, version, *facts = HEADER.unpack_from(data, start)
        (check,) = HEADER_CHECK.unpack_from(data, start + HEADER.size)
        if magic == MAGIC and version == FORMAT_VERSION and check == crc32(data[start : start + HEADER.size]):
            return SegmentHeader(*facts)
    return None


def may_map(directory: Path) -> bool:
    """Tell whether segments in this directory can be mapped without endangering the process.

    Only Linux says so, through its mount table; elsewhere the answer is no and appends are written.
    """
    if not hasattr(os, "posix_fallocate"):
        return False
    kind = filesystem_of(directory)
    return kind is not None and kind not in _UNSAFE_TO_MAP and not kind.startswith("fuse")


def is_disk_full(error: OSError) -> bool:
    """Tell whether an error means that there is no room, rather than that the place cannot be written at all."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
