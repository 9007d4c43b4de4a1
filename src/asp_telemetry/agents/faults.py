"""What is wrong with a file that defines agents, and where."""

from dataclasses import dataclass
from pathlib import Path

from asp_telemetry.errors import AgentDefinitionError


@dataclass(frozen=True)
class Fault:
    """Say what is wrong in one place.

    Attributes:
        path: The file or folder.
        line: The line in it, from 1; None if it is about the whole.
        message: What is wrong, and what to do about it.

    Example:
        >>> str(Fault(Path("agents/coder.yaml"), 3, "name is missing"))
        'agents/coder.yaml:3: name is missing'
    """

    path: Path
    line: int | None
    message: str

    def __str__(self) -> str:
        place = str(self.path) if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.message}"


class Faults:
    """Collect what is wrong, so that all of it is told at once.

    Example:
        >>> faults = Faults()
        >>> faults.add(Path("agents"), None, "does not exist")
        >>> [fault.message for fault in faults.found]
        ['does not exist']
    """

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, path: Path, line: int | None, message: str) -> None:
        """Note one fault."""
        self.found.append(Fault(path, line, message))

    def raise_if_any(self) -> None:
        """Raise what was found.

        Raises:
            AgentDefinitionError: If there is any.
        """
        if self.found:
            raise AgentDefinitionError(sorted(self.found, key=lambda fault: (fault.path, fault.line or 0)))
