"""Puts a backup into its folder: private, whole or not at all, and only so many of them."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asp_telemetry.backups.manifest import Manifest, manifest_path, read_manifest
from asp_telemetry.errors import BackupError

_PART = ".part"
_CHUNK = 1 << 20


@contextmanager
def private_file(folder: Path, name: str) -> Iterator[Path]:
    """Make a file that only this user can read, under a name of its own until it is complete.

    Args:
        folder: Where; made if missing, for this user alone.
        name: What it will be called.

    Yields:
        The empty file; `publish` gives it its name, else it goes.

    Raises:
        BackupError: If it cannot be made or written.
    """
    part = folder / f".{name}{_PART}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        try:
            yield part
        finally:
            part.unlink(missing_ok=True)
    except (ConnectionError, TimeoutError):
        raise  # the server's, not the folder's
    except OSError as error:
        raise BackupError(
            f"no backup can be written to {folder}: {error.strerror or error}; free some space, give this user write "
            "permission on it, or name another folder with --to"
        ) from error


def publish(part: Path, path: Path, manifest: Manifest) -> None:
    """Give a complete file its name and write its manifest beside it; what is there is never overwritten.

    Args:
        part: The file.
        path: Its name.
        manifest: What it holds.

    Raises:
        OSError: If it cannot be done.
    """
    note = path.parent / f".{manifest_path(path).name}{_PART}"
    try:
        descriptor = os.open(note, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as text:
            text.write(manifest.to_json())
            text.flush()
            os.fsync(text.fileno())
        _sync(part)
        if path.exists() or manifest_path(path).exists():
            raise FileExistsError(errno.EEXIST, "a backup of this name exists", str(path))
        # The manifest comes first: a backup is never without one, while a manifest alone does no harm.
        note.rename(manifest_path(path))
        part.rename(path)
        _sync(path.parent)
    finally:
        note.unlink(missing_ok=True)


def digest_of(path: Path) -> tuple[int, str]:
    """Return the size and the SHA-256 of a file.

    Args:
        path: The file.

    Returns:
        Bytes, and 64 hexadecimal digits.

    Example:
        >>> digest_of(Path("/dev/null"))[1][:8]
        'e3b0c442'
    """
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def require_intact(path: Path, manifest: Manifest) -> None:
    """Make sure that a file is what was written.

    Args:
        path: The backup.
        manifest: What it was.

    Raises:
        BackupError: If it is missing, cut off or changed.
    """
    try:
        size, digest = digest_of(path)
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}; name another backup") from error
    if size != manifest.file_bytes:
        raise BackupError(
            f"{path} has {size} bytes instead of {manifest.file_bytes}; copy it again, or take another backup"
        )
    if digest != manifest.file_sha256:
        raise BackupError(
            f"{path} was changed after it was written (its SHA-256 differs); take another backup"
        )


def forget_old(folder: Path, newest: Path, manifest: Manifest, keep: int) -> list[Path]:
    """Delete the oldest backups of one database, never those of another one.

    Args:
        folder: Where they lie.
        newest: The one that was just made and verified.
        manifest: Its manifest.
        keep: How many shall remain, at least 1.

    Returns:
        What was deleted.
    """
    mine: list[tuple[str, Path]] = []
    for note in folder.glob("*.json"):
        path = note.with_suffix("")
        try:
            other = read_manifest(path)
        except BackupError:
            continue  # somebody else's file, or half a backup, is not ours to delete
        if path.exists() and other.database_id == manifest.database_id:
            mine.append((other.created_at, path))
    old = [path for _, path in sorted(mine, reverse=True)[keep:] if path != newest]
    for path in old:
        path.unlink(missing_ok=True)
        manifest_path(path).unlink(missing_ok=True)
    return old


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
