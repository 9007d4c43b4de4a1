"""Stands for a mirror that cannot work in this process: its records wait in the journal until one comes that can."""

from collections.abc import Sequence

from asp_telemetry.errors import ConfigurationError
from asp_telemetry.journal.layout import Kind
from asp_telemetry.journal.reader import Record
from asp_telemetry.writer.batch import Entry
from asp_telemetry.writer.mirror import Answer, Verdict

_AGAIN_SECONDS = 60.0


class UnreadyMirror:
    """Take nothing, and say why.

    Args:
        name: The mirror that it stands for.
        reason: What is missing, with the remedy.
    """

    max_records = 1
    max_bytes = 1

    def __init__(self, name: str, reason: ConfigurationError) -> None:
        self.name = name
        self._reason = str(reason)

    def encode(self, record: Record, entry: Entry) -> bytes | None:
        """Mark a finished execution as waiting."""
        del entry
        return b"?" if record.slot[0] == Kind.EXECUTION else None

    async def send(self, batch: Sequence[bytes], *, doubtful: bool) -> Verdict:
        """Say what is missing; what was in doubt stays so."""
        del batch
        answer = Answer.AMBIGUOUS if doubtful else Answer.RETRY
        trouble = f"executions do not reach {self.name}"
        return Verdict(answer, self._reason, after=_AGAIN_SECONDS, trouble=trouble)

    async def close(self) -> None:
        """Do nothing: nothing is open."""

    def thread_idents(self) -> set[int]:
        """Return no threads."""
        return set()
