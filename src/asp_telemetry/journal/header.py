"""The `journal.json` of a journal: whose it is, where it goes, and which sinks it still owes."""

import json
import os
import socket
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from asp_telemetry.guard import note
from asp_telemetry.journal.layout import FORMAT_VERSION

FILE_NAME = "journal.json"

DATABASE = "database"
"""The name of the sink that every journal owes its records to first."""

_REMOVALS = 3


@dataclass(frozen=True, kw_only=True)
class JournalHeader:
    """State the facts that let another process finish this journal.

    Attributes:
        journal_id: Unique name, also the name of the directory.
        destination: The database's URL without credentials; nobody drains the journal elsewhere.
        writer: Whether the owner has a writer thread of its own; without one a sidecar drains while it lives.
        sinks: The sinks that every record is owed to.
        database_id: The identity of the database that is given its batches, from the first one on.
        format: The version of the byte layout; older code leaves newer journals alone.
    """

    journal_id: str
    destination: str
    writer: bool = True
    sinks: tuple[str, ...] = (DATABASE,)
    database_id: str | None = None
    format: int = FORMAT_VERSION
    process_id: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)

    def with_database(self, database_id: str) -> "JournalHeader":
        """Return the header with the identity of the database that is given the batches."""
        return replace(self, database_id=database_id)

    @property
    def mirrors(self) -> tuple[str, ...]:
        """The sinks beside the database that every record is owed to."""
        return tuple(name for name in self.sinks if name != DATABASE)

    def without(self, sink: str) -> "JournalHeader":
        """Return the header of the same journal once nothing is owed to a sink any more."""
        return replace(self, sinks=tuple(name for name in self.sinks if name != sink))

    def write(self, directory: Path) -> None:
        """Write the header so that a reader sees the old one or the new one, never half of one.

        Raises:
            OSError: If the directory cannot be written.
        """
        draft = directory / f".{FILE_NAME}.{os.getpid()}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=1)
        draft.replace(directory / FILE_NAME)


def remove_journal(directory: Path) -> bool:
    """Remove a journal, its header last: without one nobody would ever look at the rest again.

    Returns:
        Whether it is gone; a journal that is still there keeps its checkpoints, or it would be stored once more.
    """
    failure: OSError | None = None
    # Whoever has seen the header just before it went may still have put a lock file there.
    for _ in range(_REMOVALS):
        try:
            for path in sorted(directory.iterdir(), key=lambda path: path.name == FILE_NAME):
                path.unlink(missing_ok=True)
            directory.rmdir()
        except OSError as error:
            failure = error
        if not directory.exists():
            break
    else:
        note("a finished journal cannot be removed", failure, f"delete {directory} yourself")
    return not (directory / FILE_NAME).exists()


def read_journal_header(directory: Path) -> JournalHeader | None:
    """Read the header of a journal directory.

    Returns:
        The header, or None where there is none that this code can read: a directory being made, or a newer format.
    """
    try:
        facts: dict[str, Any] = json.loads((directory / FILE_NAME).read_text(encoding="utf-8"))
        if facts["format"] > FORMAT_VERSION:
            return None
        known = {name: facts[name] for name in JournalHeader.__dataclass_fields__ if name in facts}
        return JournalHeader(**{**known, "sinks": tuple(facts["sinks"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None
