"""The exceptions of this package, each with a message that says name, value and remedy."""

from typing import Any


class AspTelemetryError(Exception):
    """Be the base of every exception that this package raises on purpose."""


class ConfigurationError(AspTelemetryError):
    """Say that a setting is wrong; raised by `configure()` and the command line, never by a tracked call."""


class BudgetExceeded(AspTelemetryError):  # noqa: N818 - what users catch reads like the sentence it is
    """Say that a call was refused before it was made; the only exception that a tracked call adds to the host's own.

    Attributes:
        limit: The limit, in USD (a Decimal) or tokens (an int); so are the other figures.
        spent: What has been spent of it.
        reserved: What calls that are running now may still spend.
        asked: What the call would have spent: as it said, or as earlier calls of the same site did; 0 if unknown.
        unit: `"USD"` or `"tokens"`.
        per: Whose budget it is: task, session, user, project, process, or None for that of one block.
        key: Whose in particular, such as the id of the task.
        name: The budget's name, if it has one.
    """

    def __init__(
        self,
        message: str,
        *,
        limit: Any,
        spent: Any,
        reserved: Any,
        asked: Any,
        unit: str,
        per: str | None,
        key: str | None,
        name: str | None,
    ) -> None:
        super().__init__(message)
        self.limit = limit
        self.spent = spent
        self.reserved = reserved
        self.asked = asked
        self.unit = unit
        self.per = per
        self.key = key
        self.name = name

    def __reduce__(self) -> Any:
        # A pool of processes pickles what its workers raise.
        facts = {name: value for name, value in vars(self).items() if not name.startswith("__")}
        return _exceeded, (str(self), facts)


def _exceeded(message: str, facts: dict[str, Any]) -> BudgetExceeded:
    return BudgetExceeded(message, **facts)


class MigrationError(AspTelemetryError):
    """Say why the database's schema cannot be brought to the version that this code needs."""


class StoreUnavailableError(AspTelemetryError):
    """Say that the database cannot be reached or written just now; the records wait in the journal."""


class SourceUnavailableError(AspTelemetryError):
    """Say that what is to be imported or compared cannot be read just now."""


class RowRefusedError(AspTelemetryError):
    """Say that the database is well but refuses a row of this batch."""


class VerificationError(AspTelemetryError):
    """Say that what was written is not what was read: a copy differs from its source."""


class PositionMovedError(AspTelemetryError):
    """Say that another drainer has already committed what this batch holds."""


class BackupError(AspTelemetryError):
    """Say why a backup, an archive or a restored database is not what it should be; the database stays as it was."""


class EstimationError(AspTelemetryError):
    """Say why nothing can be estimated or measured from such figures."""


class NotRecordedError(AspTelemetryError):
    """Say that what was asked for is not in the database."""


class AgentDefinitionError(AspTelemetryError):
    """Say what is wrong with files that define agents; nothing of them was loaded.

    Attributes:
        faults: Each with the attributes `path`, `line` and `message`, in the order of the files.
    """

    def __init__(self, faults: Any) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)

    def __reduce__(self) -> Any:
        return type(self), (self.faults,)
