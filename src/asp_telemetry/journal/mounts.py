"""Tells on which kind of file system a path lies."""

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
        table = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
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
        mount = fields.split(" ")[4].encode().decode("unicode_escape")
        inside = mount in {"/", path} or path.startswith(mount + "/")
        if inside and len(mount) >= longest:
            longest, kind = len(mount), rest.split(" ", 1)[0]
    return kind
