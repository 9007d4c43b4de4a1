"""Tells on which kind of file system a path lies."""

import os
from pathlib import Path

# What lies on these dies with its container, or with the machine's memory.
_FLEETING = frozenset({"overlay", "aufs", "tmpfs", "ramfs"})


def filesystem_of(path: Path) -> str | None:
    """Return the kind of file system that a path lies on; only Linux tells, through its mount table.

    Args:
        path: A file or folder, which need not exist yet.

    Returns:
        The kind as the kernel names it, such as `ext4`; None where nothing tells.

    Example:
        >>> filesystem_of(Path("/proc/self"))
        'proc'
    """
    try:
        table = os.fsdecode(Path("/proc/self/mountinfo").read_bytes())
    except OSError:
        return None
    return _filesystem_in(table, str(path.resolve()))


def is_fleeting(filesystem: str | None) -> bool:
    """Tell whether a file system dies with its container or with the power.

    Example:
        >>> is_fleeting("overlay"), is_fleeting("ext4"), is_fleeting(None)
        (True, False, False)
    """
    return filesystem in _FLEETING


def _filesystem_in(table: str, path: str) -> str | None:
    """Find the innermost mount; the fields are those of https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html."""
    longest, kind = -1, None
    for line in table.splitlines():
        fields, _, rest = line.partition(" - ")
        # Blanks and backslashes are written as octal numbers, all other bytes as they are.
        mount = os.fsdecode(os.fsencode(fields.split(" ")[4]).decode("unicode_escape").encode("latin-1"))
        inside = mount in {"/", path} or path.startswith(mount + "/")
        if inside and len(mount) >= longest:
            longest, kind = len(mount), rest.split(" ", 1)[0]
    return kind
