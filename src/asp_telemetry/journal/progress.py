"""Keeps how far a mirror has come in one journal, and which batch it has in flight, in a file beside the segments.

The file is replaced whole before a batch is sent and after its verdict, so the death of the process at any moment leaves
either the old state or the new one. It is not forced to the disk: a power failure may set a mirror back by a batch.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from asp_telemetry.guard import note

_SUFFIX = ".mirror"


@dataclass
class LaneProgress:
    """State how far a mirror has come in one lane, and what became of the records before that.

    Attributes:
        position: Where it goes on.
        passed: How many of the lane's records lie before that.
        stored: How many of them it was given, or had nothing to say of.
        rejected: How many it has refused.
        dropped: How many it never got, by reason.
    """

    position: int = 0
    passed: int = 0
    stored: int = 0
    rejected: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def drop(self, reason: str, count: int) -> None:
        """Count records that the mirror never gets."""
        if count > 0:
            self.dropped[reason] = self.dropped.get(reason, 0) + count


class Progress:
    """Keep the progress of one mirror in one journal.

    Args:
        directory: The journal's directory; None if it has none, and then nothing is written down.
        name: The mirror's name.

    Attributes:
        lanes: How far it has come, by the number of the lane.
        in_flight: How far the batch in flight takes each of its lanes; empty if there is none.
        verdict: What the mirror last said, for people.
    """

    def __init__(self, directory: Path | None, name: str) -> None:
        self._directory = directory
        self._name = name
        self.lanes: dict[int, LaneProgress] = {}
        self.in_flight: dict[int, int] = {}
        self.verdict: str | None = None
        if directory is not None:
            self._load(progress_file(directory, name))

    def lane(self, number: int) -> LaneProgress:
        """Return the progress in a lane, from its beginning if there has been none."""
        found = self.lanes.get(number)
        if found is None:
            found = self.lanes[number] = LaneProgress()
        return found

    def _load(self, path: Path) -> None:
        try:
            facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            self.lanes = {int(number): LaneProgress(**values) for number, values in facts["lanes"].items()}
            self.in_flight = {int(number): end for number, end in facts["in_flight"].items()}
            self.verdict = facts["verdict"]
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            note("how far a mirror has come cannot be read", error, f"it begins anew in {path.parent}")

    def save(self) -> None:
        """Write the progress down.

        Raises:
            OSError: If it cannot be written: nothing may be sent then.
        """
        if self._directory is None:
            return
        path = progress_file(self._directory, self._name)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        facts = {
            "lanes": {number: asdict(lane) for number, lane in self.lanes.items()},
            "in_flight": self.in_flight,
            "verdict": self.verdict,
        }
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return  # somebody has finished the journal and removed its files
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(facts, file)
        draft.replace(path)


def progress_file(directory: Path, name: str) -> Path:
    """Return where the progress of a mirror lies in a journal."""
    return directory / f"{name}{_SUFFIX}"
