"""Removes what is left of a journal whose process was killed while it made the journal or took it away."""

import re
from pathlib import Path
from time import time

from asp_telemetry.journal.header import FILE_NAME, remove_journal
from asp_telemetry.journal.journal import LOCK_NAME
from asp_telemetry.journal.lock import FileLock
from asp_telemetry.journal.supply import SEGMENT_SUFFIX

# As `new_journal_id` names them: the folder is the user's choice, and may hold anything else.
_JOURNAL_ID = re.compile(r"[0-9a-f]{16}-[0-9a-f]+-[0-9a-f]{16}")
# Long enough for any process to write the header of a journal that it has begun.
_SETTLED_SECONDS = 60.0


def remove_remains(base: Path) -> None:
    """Remove the directories of journals that hold neither a header nor a record, and that nobody has touched lately.

    Args:
        base: The folder of the journals.
    """
    try:
        directories = [path for path in base.iterdir() if _JOURNAL_ID.fullmatch(path.name) and path.is_dir()]
    except OSError:
        return
    for directory in directories:
        lock = FileLock(directory / LOCK_NAME)
        try:
            if _is_empty(directory) and lock.acquire():
                remove_journal(directory)
        except OSError:
            continue  # another process removes it, too, or this one may not
        finally:
            lock.release()


def _is_empty(directory: Path) -> bool:
    return (
        not (directory / FILE_NAME).exists()
        and time() - directory.stat().st_mtime > _SETTLED_SECONDS
        and not any(directory.glob(f"*{SEGMENT_SUFFIX}"))
    )
